# A shared parameter is spared only if all of its holders spare it.


def decay_groups(
    model: nn.Module, weight_decay: float, factors: dict[str, float]
) -> list[dict]:
    paths = {path for path, _ in model.named_modules()}
    if not set(factors) <= paths or min([weight_decay, *factors.values()]) < 0:
        raise ValueError(f"a negative number, or no such module: {factors}")
    spared = set()
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            if isinstance(module, NO_DECAY) or p.ndim < 2 or "bias" in name:
                spared.add(p)
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            if not (isinstance(module, NO_DECAY) or p.ndim < 2 or "bias" in name):
                spared.discard(p)
    groups = []
    for name, p in model.named_parameters():
        around = [path for path in factors if not path or name.startswith(path + ".")]
        factor = factors[max(around, key=len)] if around else 1.0
        coefficient = 0.0 if p in spared else weight_decay * factor
        if p.requires_grad:
            groups.append({"params": [p], "weight_decay": coefficient})
    return groups
