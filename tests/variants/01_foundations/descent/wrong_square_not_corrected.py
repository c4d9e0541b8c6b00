# The mean square, which starts at zero, is not corrected.


class Descent:
    def __init__(
        self,
        method: str,
        momentum: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
    ) -> None:
        if method not in ("heavy_ball", "adam"):
            raise ValueError(f"method is {method!r}, expected 'heavy_ball' or 'adam'")
        self.is_adam, self.momentum = method == "adam", momentum
        self.beta2, self.eps = beta2, eps
        self.memory = {}  # position -> steps made, velocity or mean, mean square

    def step(
        self, parameters: list[Tensor], gradients: list[Tensor | None], lr: float
    ) -> None:
        for i, (p, g) in enumerate(zip(parameters, gradients)):
            if g is None:
                continue
            t, first, square = self.memory.get(i, (0, g if self.is_adam else 0.0, 0.0))
            if self.is_adam:
                first = self.momentum * first + (1 - self.momentum) * g
                square = self.beta2 * square + (1 - self.beta2) * g**2
                corrected = square
                p -= lr * first / (corrected + self.eps).sqrt()
            else:
                first = self.momentum * first - lr * g
                p += first
            self.memory[i] = t + 1, first, square
