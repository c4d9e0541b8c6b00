# A shared parameter goes by its first holder alone.


def decay_groups(
    model: nn.Module, weight_decay: float, factors: dict[str, float]
) -> list[dict]:
    paths = {path for path, _ in model.named_modules()}
    if not set(factors) <= paths or min([weight_decay, *factors.values()]) < 0:
        raise ValueError(f"a negative number, or no such module: {factors}")
    spared = set()
    for name, p in model.named_parameters():
        path, _, own_name = name.rpartition(".")
        is_spared = isinstance(model.get_submodule(path), NO_DECAY)
        if is_spared or p.ndim < 2 or "bias" in own_name:
            spared.add(p)
    groups = []
    for name, p in model.named_parameters():
        around = [path for path in factors if not path or name.startswith(path + ".")]
        factor = factors[max(around, key=len)] if around else 1.0
        coefficient = 0.0 if p in spared else weight_decay * factor
        if p.requires_grad:
            groups.append({"params": [p], "weight_decay": coefficient})
    return groups
