# Walks down the tree of modules and hands the nearest factor on to the children.


def decay_groups(model, weight_decay, factors):
    coefficients, parameters, used = {}, {}, set()

    def visit(module, path, factor):
        if path in factors:
            used.add(path)
            factor = factors[path]
        for name, p in module._parameters.items():
            if p is None or not p.requires_grad:
                continue
            parameters[id(p)] = p
            coefficient = coefficients.setdefault(id(p), factor * weight_decay)
            if isinstance(module, NO_DECAY) or "bias" in name or p.ndim < 2:
                coefficients[id(p)] = 0.0 * coefficient
        for name, child in module.named_children():
            visit(child, f"{path}.{name}" if path else name, factor)

    visit(model, "", 1.0)
    if weight_decay < 0 or min(factors.values(), default=0.0) < 0:
        raise ValueError("negative")
    if used != set(factors):
        raise ValueError(f"no module has the paths {set(factors) - used}")
    return [
        dict(params=[parameters[i]], weight_decay=coefficients[i]) for i in parameters
    ]
