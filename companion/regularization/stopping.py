"""Stopping early, and going back to the best epoch."""

from __future__ import annotations

import math
from numbers import Integral

from torch import Tensor

from companion.regularization.penalties import check_at_least_0
from companion.training import Callback, State


class EarlyStopping(Callback):
    """Ends `fit` when the validation loss has not fallen for `patience` epochs; keeps the best.

    After training the model has the weights and buffers of `best_epoch` (counted from 0), where
    the validation loss was `best_loss`, whether training was cut short or not.  A fall smaller
    than `min_delta` does not count.  One instance may serve several runs, one after the other.
    What it keeps is in memory only: a run resumed from a checkpoint knows no earlier epochs.

    Raises:
        ValueError: `patience` is no integer of at least 1, `min_delta` is negative, `fit` has no
            `validation`, or the validation loss is nan.
    """

    def __init__(self, patience: int, *, min_delta: float = 0.0) -> None:
        if not isinstance(patience, Integral) or isinstance(patience, bool) or patience < 1:
            raise ValueError(
                f"patience is {patience!r}, expected an integer of at least 1: it counts epochs "
                "without a fall, and every run has a first one (usually 3 to 20)"
            )
        check_at_least_0("min_delta", min_delta)
        self.patience, self.min_delta = patience, min_delta
        self._forget()

    def _forget(self) -> None:
        self.best_epoch, self.best_loss = -1, math.inf
        self._best_state: dict[str, Tensor] | None = None

    def after_epoch(self, state: State) -> None:
        if not state.history.validation_loss:
            raise ValueError("early stopping watches the validation loss: fit(validation=...)")
        loss = state.history.validation_loss[-1]
        if math.isnan(loss):
            raise ValueError(
                f"the validation loss is nan in epoch {state.epoch}: nothing is better or worse "
                "than nan, so there is no best epoch (is the learning rate too high?)"
            )
        if state.epoch == 0:
            self._forget()
        if self._best_state is None or loss < self.best_loss - self.min_delta:
            self.best_epoch, self.best_loss = state.epoch, loss
            weights = state.model.state_dict()
            self._best_state = {name: value.detach().clone() for name, value in weights.items()}
        elif state.epoch - self.best_epoch >= self.patience:
            state.stop = True

    def after_training(self, state: State) -> None:
        if self._best_state is not None:
            state.model.load_state_dict(self._best_state)
