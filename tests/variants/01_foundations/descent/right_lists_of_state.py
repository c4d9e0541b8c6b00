# Written from the text alone: one object of memory for each parameter, changed in place after a copy.


class Descent:
    def __init__(
        self,
        method: str,
        momentum: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
    ) -> None:
        if method != "heavy_ball" and method != "adam":
            raise ValueError(f"no method {method}")
        self.method = method
        self.momentum, self.beta2, self.eps = momentum, beta2, eps
        self.state = None

    def step(
        self, parameters: list[Tensor], gradients: list[Tensor | None], lr: float
    ) -> None:
        if self.state is None:
            self.state = [
                {"v": torch.zeros_like(p), "s": torch.zeros_like(p), "m": None, "t": 0}
                for p in parameters
            ]
        for p, g, memory in zip(parameters, gradients, self.state):
            if g is None:
                continue
            memory["t"] += 1
            if self.method == "heavy_ball":
                memory["v"].mul_(self.momentum).sub_(lr * g)
                p.add_(memory["v"])
                continue
            if memory["m"] is None:
                memory["m"] = g.clone()
            else:
                memory["m"].mul_(self.momentum).add_((1 - self.momentum) * g)
            memory["s"].mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
            s_hat = memory["s"] / (1 - self.beta2 ** memory["t"])
            p.sub_(lr * memory["m"] / torch.sqrt(s_hat + self.eps))
