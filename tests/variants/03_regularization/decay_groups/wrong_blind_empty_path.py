# Misconception: the empty path contains what hangs directly on the model.


def decay_groups(model: nn.Module, weight_decay: float, factors: dict[str, float]) -> list[dict]:
    if weight_decay < 0 or any(f < 0 for f in factors.values()):
        raise ValueError("negative")
    modules = dict(model.named_modules())
    if not set(factors) <= set(modules):
        raise ValueError("no such module")
    spared = set()
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            if p.ndim < 2 or "bias" in name or isinstance(module, NO_DECAY):
                spared.add(p)
    groups = []
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        around = [q for q in factors if (name.startswith(q + ".") if q else "." not in name)]
        factor = factors[max(around, key=len)] if around else 1.0
        value = 0.0 if p in spared else weight_decay * factor
        groups.append({"params": [p], "weight_decay": value})
    return groups
