# numpy in double; running means corrected as they go instead of at the end.


def anchored_adamw_step(
    p: Tensor,
    gradient: Tensor,
    memory: object = None,
    *,
    anchor: Tensor,
    lr: float,
    weight_decay: float,
    schedule: float = 1.0,
    is_coupled: bool = False,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> tuple[Tensor, object]:
    import numpy

    if weight_decay < 0:
        raise ValueError(weight_decay)
    old, g, a = (v.detach().double().numpy() for v in (p, gradient, anchor))
    if memory is None:
        memory = {"t": 0, "mean": numpy.zeros_like(old), "square": numpy.zeros_like(old)}
    t = memory["t"] + 1
    pull = weight_decay * (old - a)
    if is_coupled:
        g = g + pull
    share1 = (1 - betas[0]) / (1 - betas[0] ** t)
    share2 = (1 - betas[1]) / (1 - betas[1] ** t)
    mean = memory["mean"] + share1 * (g - memory["mean"])
    square = memory["square"] + share2 * (g * g - memory["square"])
    change = lr * mean / (numpy.sqrt(square) + eps) + (0 if is_coupled else pull)
    new = torch.from_numpy(numpy.asarray(old - schedule * change)).to(p.dtype)
    return new, {"t": t, "mean": mean, "square": square}
