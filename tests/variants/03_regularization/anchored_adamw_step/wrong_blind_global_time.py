# Misconception: the number of steps belongs to the function, not to the parameter.


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
    if weight_decay < 0:
        raise ValueError("negative")
    _, m, v = (0, 0.0, 0.0) if memory is None else memory
    anchored_adamw_step.t = t = getattr(anchored_adamw_step, "t", 0) + 1
    pull = weight_decay * (p - anchor)
    if is_coupled:
        gradient = gradient + pull
    m = betas[0] * m + (1 - betas[0]) * gradient
    v = betas[1] * v + (1 - betas[1]) * gradient**2
    adam = m / (1 - betas[0] ** t) / ((v / (1 - betas[1] ** t)).sqrt() + eps)
    change = lr * adam if is_coupled else lr * adam + pull
    return (p - schedule * change).to(p.dtype), (t, m, v)
