# Collects all names of each parameter and asks for the holder of each.


def decay_groups(model, weight_decay, factors):
    if weight_decay < 0 or any(factor < 0 for factor in factors.values()):
        raise ValueError("a coefficient is not negative")
    modules = dict(model.named_modules())
    for path in factors:
        if path not in modules:
            raise ValueError(f"the model has no module {path!r}")
    names = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(p), (p, []))[1].append(name)
    decayed, spared = {}, []
    for p, all_names in names.values():
        if not p.requires_grad:
            continue
        holders = [name.rpartition(".") for name in all_names]
        if p.dim() <= 1 or any(
            "bias" in own or isinstance(modules[path], NO_DECAY)
            for path, _, own in holders
        ):
            spared.append(p)
            continue
        path = holders[0][0]
        while path not in factors and path:
            path = path.rpartition(".")[0]
        decayed.setdefault(factors.get(path, 1.0), []).append(p)
    groups = [{"params": spared, "weight_decay": 0.0}]
    for factor, parameters in decayed.items():
        groups.append({"params": parameters, "weight_decay": factor * weight_decay})
    return groups
