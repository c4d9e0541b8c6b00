# Lists of clones of parameters and buffers, written back with copy_.


class EarlyStop:
    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        for value, least in ((patience, 1), (min_delta, 0)):
            if value < least:
                raise ValueError(f"{value} is below {least}")
        self.left = self.patience = patience
        self.min_delta, self.best, self.threshold = min_delta, (math.inf, None), math.inf

    def step(self, loss: float, model: nn.Module) -> bool:
        self.left -= 1
        if loss - loss == 0:
            if loss < self.best[0]:
                state = model.state_dict()
                self.best = loss, {k: state[k].detach().clone() for k in state}
            if loss < self.threshold:
                self.threshold, self.left = loss - self.min_delta, self.patience
        return self.left <= 0

    def restore(self, model: nn.Module) -> None:
        if self.best[1] is None:
            raise ValueError("nothing kept")
        with torch.no_grad():
            for name, value in model.state_dict().items():
                value.copy_(self.best[1][name])
