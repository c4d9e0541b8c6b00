# The library's Momentum and Adam, with their learning rate set before each step.


class Momentum:
    def __init__(self, lr, momentum=0.9):
        self.lr, self.momentum = lr, momentum
        self.velocities = {}

    def step(self, parameters, gradients):
        for i, (p, g) in enumerate(zip(parameters, gradients)):
            if g is not None:
                v = self.velocities.setdefault(i, torch.zeros_like(p))
                v.mul_(self.momentum).add_(g)
                p -= self.lr * v


class Adam:
    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.lr, self.betas, self.eps = lr, betas, eps
        self.n_steps, self.means, self.squares = {}, {}, {}

    def step(self, parameters, gradients):
        beta1, beta2 = self.betas
        for i, (p, g) in enumerate(zip(parameters, gradients)):
            if g is None:
                continue
            m = self.means.setdefault(i, torch.zeros_like(p))
            v = self.squares.setdefault(i, torch.zeros_like(p))
            t = self.n_steps[i] = self.n_steps.get(i, 0) + 1
            m.mul_(beta1).add_((1 - beta1) * g)
            v.mul_(beta2).add_((1 - beta2) * g**2)
            m_hat = m / (1 - beta1**t)
            v_hat = v / (1 - beta2**t)
            p -= self.lr * m_hat / (v_hat.sqrt() + self.eps)


class Descent:
    def __init__(
        self,
        method: str,
        momentum: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
    ) -> None:
        if method not in ("heavy_ball", "adam"):
            raise ValueError(f"method is {method!r}")
        is_adam = method == "adam"
        adam = Adam(betas=(momentum, beta2), eps=eps)
        self.optimizer = adam if is_adam else Momentum(0.1, momentum)

    def step(
        self, parameters: list[Tensor], gradients: list[Tensor | None], lr: float
    ) -> None:
        self.optimizer.lr = lr
        self.optimizer.step(parameters, gradients)
