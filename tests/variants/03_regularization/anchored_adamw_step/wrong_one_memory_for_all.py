# Keeps the memory in the function, so that a second run goes on with the first one's.


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
    known = anchored_adamw_step.__dict__.get("memory", (0, 0.0, 0.0))
    if known[0] and known[1].shape != p.shape:
        known = (0, 0.0, 0.0)
    t, mean, square = known
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient**2
    t += 1
    spread = (square / (1 - betas[1] ** t)).sqrt() + eps
    move = lr * mean / (1 - betas[0] ** t) / spread
    anchored_adamw_step.memory = (t, mean, square)
    return p - schedule * (move + pull), (t, mean, square)
