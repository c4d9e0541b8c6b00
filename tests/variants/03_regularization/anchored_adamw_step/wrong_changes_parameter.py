# Changes the caller's parameter in place and returns it.


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
        raise ValueError(f"weight_decay is {weight_decay}, expected at least 0")
    pull = weight_decay * (p - anchor)
    if is_coupled:
        gradient, pull = gradient + pull, 0.0
    t, mean, square = memory or (0, 0.0, 0.0)
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient**2
    t += 1
    spread = (square / (1 - betas[1] ** t)).sqrt() + eps
    move = lr * mean / (1 - betas[0] ** t) / spread
    p -= schedule * (move + pull)
    return p, (t, mean, square)
