# Misconception: the coupled pull enters the moments of the next step, not of this one.


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
    t, m, v = (0, 0.0, 0.0) if memory is None else memory
    t, pull = t + 1, weight_decay * (p - anchor)
    m = betas[0] * m + (1 - betas[0]) * gradient
    v = betas[1] * v + (1 - betas[1]) * gradient**2
    adam = m / (1 - betas[0] ** t) / ((v / (1 - betas[1] ** t)).sqrt() + eps)
    change = lr * adam if is_coupled else lr * adam + pull
    new = (p - schedule * change).to(p.dtype)
    if is_coupled:
        m, v = m + (1 - betas[0]) * pull, v + (1 - betas[1]) * pull**2
    return new, (t, m, v)
