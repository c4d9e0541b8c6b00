# Works with the difference from the anchor; keeps corrected moments and their weights.


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
    if not weight_decay >= 0:
        raise ValueError("the coefficient is negative")
    away = p - anchor
    if memory is None:
        memory = {"n": 0, "average": torch.zeros_like(p), "power": torch.zeros_like(p)}
    n = memory["n"]
    g = torch.add(gradient, away, alpha=weight_decay) if is_coupled else gradient
    new = {"n": n + 1}
    for name, beta, value in (("average", betas[0], g), ("power", betas[1], g * g)):
        share = (1 - beta) / (1 - beta ** (n + 1))  # of the newest in a corrected mean
        new[name] = memory[name] + share * (value - memory[name])
    away = away - schedule * lr * new["average"] / (torch.sqrt(new["power"]) + eps)
    if not is_coupled:
        away = away - schedule * weight_decay * (p - anchor)
    return anchor + away, new
