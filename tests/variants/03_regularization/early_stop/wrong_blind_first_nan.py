# Misconception: whatever comes first is progress, and the best.


class EarlyStop:
    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        if patience < 1 or min_delta < 0:
            raise ValueError("patience from 1, min_delta from 0")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.reference, self.waited, self.state = None, None, 0, None

    def step(self, loss: float, model: nn.Module) -> bool:
        is_finite = math.isfinite(loss)
        if self.best is None or (is_finite and loss < self.best):
            self.best = loss
            self.state = {k: v.clone() for k, v in model.state_dict().items()}
        if self.reference is None or (is_finite and loss < self.reference - self.min_delta):
            self.reference, self.waited = loss, 0
        else:
            self.waited += 1
        return self.waited >= self.patience

    def restore(self, model: nn.Module) -> None:
        if self.state is None:
            raise ValueError("nothing was kept")
        model.load_state_dict(self.state)
