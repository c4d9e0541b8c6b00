# The library's decay_groups, with a factor for each top-level part added.


def decay_groups(model, weight_decay, factors):
    if weight_decay < 0 or min(factors.values(), default=0) < 0:
        raise ValueError(f"weight_decay is {weight_decay!r}, expected at least 0")
    for path in factors:
        if path not in dict(model.named_modules()):
            raise ValueError(f"no module {path!r}")
    decayed, kept = {}, []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            factor = factors.get(name.partition(".")[0], 1.0)
            is_bias = name.rpartition(".")[2] == "bias"
            if is_bias or parameter.ndim <= 1:
                kept.append(parameter)
            else:
                decayed.setdefault(float(weight_decay * factor), []).append(parameter)
    groups = [{"params": found, "weight_decay": c} for c, found in decayed.items()]
    groups.append({"params": kept, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]
