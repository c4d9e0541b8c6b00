# Remembers all gradients and forms the weighted means anew at every step.


def anchored_adamw_step(
    p,
    gradient,
    memory=None,
    *,
    anchor,
    lr,
    weight_decay,
    schedule=1.0,
    is_coupled=False,
    betas=(0.9, 0.999),
    eps=1e-8,
):
    if weight_decay < 0:
        raise ValueError(weight_decay)
    force = (p - anchor) * weight_decay
    newest = gradient.clone() + (force if is_coupled else 0 * force)
    history = (memory or []) + [newest]
    ages = torch.arange(len(history) - 1, -1, -1, dtype=torch.float64)
    stack = torch.stack(history).double()
    moments = []
    for beta, values in zip(betas, (stack, stack**2)):
        weights = torch.tensor(float(beta), dtype=torch.float64) ** ages
        moments.append(torch.tensordot(weights / weights.sum(), values, dims=1))
    adam = lr * moments[0] / (moments[1] ** 0.5 + eps)
    change = adam if is_coupled else adam + force
    return (p - schedule * change).to(p.dtype), history
