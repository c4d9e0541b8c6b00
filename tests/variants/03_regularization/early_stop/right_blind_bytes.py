# The state as bytes; all four memories.


class EarlyStop:
    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        if patience < 1:
            raise ValueError("patience is 1 or more")
        if min_delta < 0:
            raise ValueError("min_delta is 0 or more")
        self.patience, self.min_delta = patience, min_delta
        self.kept, self.lowest = None, math.inf
        self.reference, self.waited = math.inf, 0

    def step(self, loss: float, model: nn.Module) -> bool:
        import io

        loss = float(loss)
        if math.isfinite(loss) and loss < self.lowest:
            self.lowest, self.kept = loss, io.BytesIO()
            torch.save(model.state_dict(), self.kept)
        if math.isfinite(loss) and loss < self.reference - self.min_delta:
            self.reference, self.waited = loss, 0
        else:
            self.waited += 1
        return self.waited >= self.patience

    def restore(self, model: nn.Module) -> None:
        if self.kept is None:
            raise ValueError("nothing was kept")
        self.kept.seek(0)
        model.load_state_dict(torch.load(self.kept, weights_only=True))
