# Counts the remaining patience down, and keeps the state as a file in memory.


class EarlyStop:
    def __init__(self, patience, min_delta=0.0):
        if patience <= 0 or min_delta < 0.0:
            raise ValueError((patience, min_delta))
        self.patience = self.left = patience
        self.goal, self.min_delta, self.best = math.inf, min_delta, None

    def step(self, loss, model):
        is_finite = -math.inf < loss < math.inf
        if is_finite and (self.best is None or self.best[0] > loss):
            tensors = model.state_dict()
            copies = {
                name: torch.empty_like(value).copy_(value)
                for name, value in tensors.items()
            }
            self.best = (loss, copies)
        if is_finite and loss < self.goal:
            self.goal, self.left = loss - self.min_delta, self.patience
        else:
            self.left -= 1
        return self.left == 0

    def restore(self, model):
        if self.best is None:
            raise ValueError("no evaluation with a finite loss")
        own = model.state_dict()
        for name, value in self.best[1].items():
            own[name].copy_(value)
