# The library's EarlyStopping: min_delta decides what is best, too.


class EarlyStop:
    def __init__(self, patience, min_delta=0.0):
        if patience < 1 or min_delta < 0:
            raise ValueError(
                f"patience is {patience!r}, expected an integer of at least 1"
            )
        self.patience, self.min_delta = patience, min_delta
        self.epoch, self.best_epoch, self.best_loss = -1, -1, math.inf
        self._best_state = None

    def step(self, loss, model):
        self.epoch += 1
        if math.isfinite(loss) and (
            self._best_state is None or loss < self.best_loss - self.min_delta
        ):
            self.best_epoch, self.best_loss = self.epoch, loss
            weights = model.state_dict()
            self._best_state = {
                name: value.detach().clone() for name, value in weights.items()
            }
        elif self.epoch - self.best_epoch >= self.patience:
            return True
        return False

    def restore(self, model):
        if self._best_state is None:
            raise ValueError("the validation loss is nan")
        model.load_state_dict(self._best_state)
