# By all names of a parameter; one group for each parameter.


def decay_groups(model: nn.Module, weight_decay: float, factors: dict[str, float]) -> list[dict]:
    if weight_decay < 0 or any(f < 0 for f in factors.values()):
        raise ValueError("negative")
    for path in factors:
        try:
            model.get_submodule(path)
        except AttributeError as error:
            raise ValueError(f"{path!r} is no module") from error
    names = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        names.setdefault(p, []).append(name)
    groups = []
    for p, all_names in names.items():
        if not p.requires_grad:
            continue
        spared = p.dim() <= 1
        for name in all_names:
            holder, _, own = name.rpartition(".")
            spared |= "bias" in own or type(model.get_submodule(holder)) in NO_DECAY
        parts = all_names[0].split(".")[:-1]
        factor = 1.0
        for depth in range(len(parts) + 1):
            factor = factors.get(".".join(parts[:depth]), factor)
        groups.append({"params": [p], "weight_decay": 0.0 if spared else factor * weight_decay})
    return groups
