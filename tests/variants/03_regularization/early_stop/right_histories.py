# Keeps the histories and recomputes both answers from them.


class EarlyStop:
    def __init__(self, patience, min_delta=0.0):
        if not (patience >= 1 and min_delta >= 0):
            raise ValueError("patience is at least 1, min_delta at least 0")
        self.patience, self.min_delta = patience, min_delta
        self.losses, self.kept = [], {}

    def step(self, loss, model):
        self.losses.append(loss if math.isfinite(loss) else math.inf)
        if self.losses[-1] < min([math.inf, *self.losses[:-1]]):
            weights = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
            self.kept = dict(
                weights=weights, buffers=[b.clone() for b in model.buffers()]
            )
        reference, last = math.inf, -1
        for t, value in enumerate(self.losses):
            if value < reference - self.min_delta:
                reference, last = value, t
        return len(self.losses) - 1 - last >= self.patience

    def restore(self, model):
        if not self.kept:
            raise ValueError("nothing was kept")
        nn.utils.vector_to_parameters(self.kept["weights"].clone(), model.parameters())
        for buffer, value in zip(model.buffers(), self.kept["buffers"]):
            buffer.copy_(value)
