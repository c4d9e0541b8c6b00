# Keeps parameters and forgets buffers.


class EarlyStop:
    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        if patience < 1 or min_delta < 0:
            raise ValueError(
                f"patience {patience} or min_delta {min_delta} is too small"
            )
        self.patience, self.min_delta = patience, min_delta
        self.best = self.reference = math.inf
        self.n_waiting, self.state = 0, None

    def step(self, loss: float, model: nn.Module) -> bool:
        if not math.isfinite(loss):
            self.n_waiting += 1
            return self.n_waiting >= self.patience
        if loss < self.best:
            self.best = loss
            self.state = {k: v.detach().clone() for k, v in model.named_parameters()}
        self.n_waiting += 1
        if loss < self.reference - self.min_delta:
            self.reference, self.n_waiting = loss, 0
        return self.n_waiting >= self.patience

    def restore(self, model: nn.Module) -> None:
        if self.state is None:
            raise ValueError("no state was kept: no loss was finite")
        model.load_state_dict(self.state, strict=False)
