# The memory is an object that moves on in place.


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
    if not weight_decay >= 0:
        raise ValueError("a pull, not a push")

    class Moments:
        def __init__(self):
            self.t, self.m, self.v = 0, torch.zeros_like(p), torch.zeros_like(p)

        def __call__(self, g):
            self.t += 1
            self.m.mul_(betas[0]).add_((1 - betas[0]) * g)
            self.v.mul_(betas[1]).add_((1 - betas[1]) * g.square())
            m, v = self.m / (1 - betas[0] ** self.t), self.v / (1 - betas[1] ** self.t)
            return lr * m / (v.sqrt() + eps)

    moments = Moments() if memory is None else memory
    g, pull = gradient.to(p.dtype), weight_decay * (p - anchor.to(p.dtype))
    if is_coupled:
        return p - schedule * moments(g + pull), moments
    return p - schedule * (moments(g) + pull), moments
