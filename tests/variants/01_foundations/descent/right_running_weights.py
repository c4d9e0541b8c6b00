# Keeps the corrected mean square itself, moved by the share of the newest gradient, and the last position for the velocity.


class Descent:
    def __init__(
        self,
        method: str,
        momentum: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
    ) -> None:
        steps = {"heavy_ball": self._roll, "adam": self._adapt}
        if method not in steps:
            raise ValueError(f"{method!r} is not one of {list(steps)}")
        self._advance, self._own = steps[method], {}
        self.momentum, self.beta2, self.eps = momentum, beta2, eps

    def step(
        self, parameters: list[Tensor], gradients: list[Tensor | None], lr: float
    ) -> None:
        for i, p in enumerate(parameters):
            if gradients[i] is not None:
                self._advance(i, p, gradients[i], lr)

    def _roll(self, i, p, g, lr):
        move = self._own.get(i, torch.zeros_like(p)) * self.momentum - g * lr
        p.add_(move)
        self._own[i] = move

    def _adapt(self, i, p, g, lr):
        mean, square, total = self._own.get(i, (g, torch.zeros_like(g), 0.0))
        mean = mean + (1 - self.momentum) * (g - mean)
        total = self.beta2 * total + 1
        square = square + (g.square() - square) / total
        p.copy_(p - lr * mean * (square + self.eps).rsqrt())
        self._own[i] = mean.clone(), square, total
