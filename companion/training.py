"""One training loop for the whole course, and the evaluation that goes with it."""

from __future__ import annotations

import math
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion import metrics
from companion.data import Dataset
from companion.device import choose_device

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass
class History:
    """What happened: one entry per epoch in each list (`step_loss`: one per step).

    `validation_loss` is the loss that was trained on, the mean over the validation examples.
    `validation_accuracy` stays empty where `fit` got a `loss` of its own: its outputs need not be
    logits of classes.
    """

    step_loss: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)


@dataclass
class State:
    """What a callback sees.  Setting `stop` ends training after the running step or epoch."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    epoch: int
    step: int
    loss: float
    history: History
    stop: bool = False


@dataclass(frozen=True)
class Evaluation:
    """Mean loss in nats, accuracy, confusion matrix (K, K), precision and recall (K,)."""

    loss: float
    accuracy: float
    confusion: Tensor
    precision: Tensor
    recall: Tensor


class Callback:
    """Base of the callbacks `fit` calls; override what you need."""

    def after_step(self, state: State) -> None: ...

    def after_epoch(self, state: State) -> None: ...

    def after_training(self, state: State) -> None: ...


def cross_entropy(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats of `model(inputs)` (N, K) against labels (N,)."""
    return F.cross_entropy(model(inputs), targets)


def fit(
    model: nn.Module,
    train: Dataset,
    *,
    epochs: int,
    max_steps: int | None = None,
    lr: float = 1e-3,
    schedule: str | Callable[..., Any] | None = None,
    batch_size: int = 128,
    optimizer: str | Callable[..., torch.optim.Optimizer] = "adamw",
    weight_decay: float = 0.0,
    loss: Loss | None = None,
    validation: Dataset | None = None,
    callbacks: Sequence[Any] = (),
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    checkpoint: str | Path | None = None,
    device: torch.device | str | None = None,
    seed: int = 0,
    progress: bool = True,
    log_dir: str | Path | None = None,
) -> History:
    """Trains `model` in place and returns its history.

    `seed` orders the batches and drives `augment(inputs, generator)`; set the weights' seed before
    building the model.  `schedule` is None, "one_cycle", "cosine", or a factory
    `(optimizer, n_steps) -> scheduler`; `optimizer` is "adamw", "adam", "sgd" (momentum 0.9), or a
    factory `params -> Optimizer`, for which `lr` and `weight_decay` are ignored.
    `loss(model, inputs, targets)` returns a scalar, the mean over its examples; cross-entropy by
    default.  `checkpoint` names a file that is written after each epoch and resumed from when it is
    there.  `device=None` keeps the model's own; where the named one is absent, the CPU is used and
    a warning says so.  The model is left in evaluation mode.

    Raises:
        ValueError: empty data, labels out of range, non-finite inputs, unknown names.
        FloatingPointError: the loss or the weights became non-finite; the message says at which
            step.
    """
    for name, value in (("epochs", epochs), ("max_steps", max_steps), ("batch_size", batch_size)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
    _check_data(train)
    if validation is not None:
        _check_data(validation)
    device = _device(device, model)
    model.to(device)
    if loss is None:
        _check_outputs(predict(model, train.inputs[:1], device=device), train)
    generator = torch.Generator().manual_seed(seed)
    # The model's own randomness (dropout) follows the seed too, whatever ran before.
    torch.manual_seed(seed)
    train = _moved(train, device)
    if validation is not None:
        validation = _moved(validation, device)
    steps_per_epoch = math.ceil(len(train) / batch_size)
    n_steps = min(epochs * steps_per_epoch, max_steps or sys.maxsize)
    optimizer_ = _make_optimizer(optimizer, model, lr, weight_decay)
    scheduler = _make_schedule(schedule, optimizer_, n_steps)
    compute_loss = loss or cross_entropy
    state = State(model, optimizer_, epoch=0, step=0, loss=math.nan, history=History())
    first_epoch = _resume(checkpoint, state, scheduler, generator)
    writer = _writer(log_dir)
    bar = _ProgressBar(n_steps, is_shown=progress)
    try:
        for state.epoch in range(first_epoch, epochs):
            if state.stop or state.step >= n_steps:
                break
            mean_loss = _run_epoch(
                state, train, compute_loss, scheduler, callbacks, augment,
                batch_size=batch_size, n_steps=n_steps, generator=generator, bar=bar,
            )  # fmt: skip
            _end_epoch(state, mean_loss, validation, loss, batch_size, writer)
            for callback in callbacks:
                callback.after_epoch(state)
            if state.stop or state.step >= n_steps:
                _check_last_step(state, train, compute_loss, batch_size)
            _save(checkpoint, state, scheduler, generator)
        for callback in callbacks:
            callback.after_training(state)
    finally:
        bar.close()
        if writer is not None:
            writer.close()
    model.eval()
    return state.history


def _run_epoch(
    state: State,
    train: Dataset,
    compute_loss: Loss,
    scheduler: Any,
    callbacks: Sequence[Any],
    augment: Callable[[Tensor, torch.Generator], Tensor] | None,
    *,
    batch_size: int,
    n_steps: int,
    generator: torch.Generator,
    bar: _ProgressBar,
) -> float:
    """One pass over the data; returns the mean loss per example."""
    model, optimizer = state.model, state.optimizer
    model.train()
    total, n_seen = 0.0, 0
    for inputs, targets in train.batches(batch_size, generator):
        if augment is not None:
            inputs = augment(inputs, generator)
        optimizer.zero_grad()
        loss = compute_loss(model, inputs, targets)
        state.loss = loss.item()
        if not math.isfinite(state.loss):
            raise FloatingPointError(
                f"the loss is {state.loss} at step {state.step} (epoch {state.epoch}): "
                "usually the learning rate is too high, or a log or a division met zero"
            )
        loss.backward()
        _step(optimizer, state.step)
        if scheduler is not None and state.step + 1 < n_steps:
            scheduler.step()
        state.step += 1
        state.history.step_loss.append(state.loss)
        total, n_seen = total + state.loss * len(targets), n_seen + len(targets)
        for callback in callbacks:
            callback.after_step(state)
        bar.show(state.step, state.loss)
        if state.stop or state.step >= n_steps:
            break
    return total / n_seen


def _step(optimizer: torch.optim.Optimizer, step: int) -> None:
    try:
        optimizer.step()
    except RuntimeError as error:
        if "overflow" not in str(error):
            raise
        raise FloatingPointError(
            f"step {step} is too large for float32 ({error}): the learning rate is too high"
        ) from error


def _check_last_step(state: State, train: Dataset, loss: Loss, batch_size: int) -> None:
    """The loss shows what the steps before it did; after the last step it is asked once more."""
    last_loss = _mean_loss(state.model, train.subset(slice(0, batch_size)), loss, batch_size)
    is_finite = all(torch.isfinite(p).all() for p in state.model.parameters())
    if not (is_finite and math.isfinite(last_loss)):
        raise FloatingPointError(
            f"the last step, {state.step - 1} (epoch {state.epoch}), destroyed the weights: the "
            f"loss after it is {last_loss}, usually because the learning rate is too high"
        )


def standard_fit(model: nn.Module, data: Dataset, seed: int, *, epochs: int = 30) -> History:
    """The course's one recipe, wherever networks are compared: nothing is tuned per network.

    AdamW with weight decay 0.1, one cycle up to a learning rate of 0.01, batches of 64, `epochs`
    passes and never fewer than 300 steps, so that few examples are not a short training.
    """
    batch_size, min_steps = 64, 300
    steps_per_epoch = math.ceil(len(data) / batch_size)
    return fit(
        model,
        data,
        epochs=max(epochs, math.ceil(min_steps / steps_per_epoch)),
        lr=1e-2,
        schedule="one_cycle",
        batch_size=batch_size,
        weight_decay=0.1,
        seed=seed,
        progress=False,
    )


@torch.no_grad()
def evaluate(
    model: nn.Module, data: Dataset, *, device: torch.device | str | None = None
) -> Evaluation:
    """Scores a classifier in evaluation mode; the model's own mode is restored afterwards.

    Raises:
        ValueError: as in `fit`, or outputs that are not (N, classes).
    """
    _check_data(data)
    logits = predict(model, data.inputs, device=device).cpu()
    _check_outputs(logits, data)
    n_classes = logits.shape[1]
    targets = data.targets.cpu()
    confusion = metrics.confusion_matrix(logits.argmax(1), targets, n_classes)
    return Evaluation(
        loss=F.cross_entropy(logits, targets).item(),
        accuracy=metrics.accuracy(logits.argmax(1), targets),
        confusion=confusion,
        precision=metrics.precision(confusion),
        recall=metrics.recall(confusion),
    )


@torch.no_grad()
def predict(
    model: nn.Module,
    inputs: Tensor,
    *,
    batch_size: int = 500,
    device: torch.device | str | None = None,
) -> Tensor:
    """Outputs of the model in evaluation mode, batch by batch, on the model's device."""
    device = _device(device, model)
    model.to(device)
    with _evaluation_mode(model):
        return torch.cat([model(batch.to(device)) for batch in inputs.split(batch_size)])


@torch.no_grad()
def _mean_loss(model: nn.Module, data: Dataset, loss: Loss, batch_size: int) -> float:
    """Mean of `loss` over the examples, in evaluation mode."""
    total = 0.0
    # A loss may draw random numbers; training afterwards goes on with the ones it would have had.
    cuda = [data.inputs.device] if data.inputs.device.type == "cuda" else []
    with _evaluation_mode(model), torch.random.fork_rng(devices=cuda):
        for inputs, targets in data.batches(batch_size):
            total += loss(model, inputs, targets).item() * len(targets)
    return total / len(data)


@contextmanager
def _evaluation_mode(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():  # each its own: a frozen layer stays frozen
            module.training = mode


def _check_data(data: Dataset) -> None:
    if not isinstance(data, Dataset):
        raise ValueError(
            f"the data is a {type(data).__name__}, expected a companion.data.Dataset: "
            "Dataset(inputs, targets, classes, name, split) keeps inputs and targets together"
        )
    if len(data) == 0:
        raise ValueError("the data set is empty: there is nothing to train or evaluate on")
    if data.inputs.dtype != torch.float32 or data.inputs.ndim < 2:
        raise ValueError(
            f"inputs are {data.inputs.dtype} of shape {tuple(data.inputs.shape)}, expected "
            "torch.float32 of shape (N, ...): use inputs.float(), and unsqueeze(1) for one feature"
        )
    n_bad = int((~torch.isfinite(data.inputs)).flatten(1).any(1).sum())
    if n_bad:
        raise ValueError(
            f"{n_bad} of {len(data)} inputs hold nan or inf: "
            "usually a division by a zero standard deviation while standardizing"
        )
    if data.targets.dtype != torch.int64 or data.targets.ndim != 1:
        raise ValueError(
            f"targets have dtype {data.targets.dtype} and shape {tuple(data.targets.shape)}, "
            "expected torch.int64 class labels of shape (N,): use targets.long() for another "
            "dtype, targets.squeeze(1) for a column, targets.argmax(1) for one-hot rows"
        )
    low, high = int(data.targets.min()), int(data.targets.max())
    if low < 0 or high >= len(data.classes):
        raise ValueError(
            f"labels run from {low} to {high}, expected 0 to {len(data.classes) - 1} "
            f"for {len(data.classes)} classes (labels that start at 1?)"
        )


def _check_outputs(outputs: Tensor, data: Dataset) -> None:
    if outputs.ndim != 2 or outputs.shape[1] < len(data.classes):
        raise ValueError(
            f"the model gives outputs of shape {tuple(outputs.shape)} for {len(data.classes)} "
            "classes: expected (N, classes), one output per class from the last layer"
        )


def _device(wanted: torch.device | str | None, model: nn.Module) -> torch.device:
    """The wanted device, the CPU where that is absent; the model's own where none is wanted."""
    if wanted is None:
        parameter = next(model.parameters(), None)
        return parameter.device if parameter is not None else torch.device("cpu")
    kind = str(wanted).partition(":")[0]
    found = choose_device(kind)
    return torch.device(wanted) if found.type == kind else found  # keeps the 1 of "cuda:1"


def _moved(data: Dataset, device: torch.device) -> Dataset:
    if data.inputs.device == device:
        return data
    return replace(data, inputs=data.inputs.to(device), targets=data.targets.to(device))


def _make_optimizer(
    optimizer: str | Callable[..., torch.optim.Optimizer],
    model: nn.Module,
    lr: float,
    weight_decay: float,
) -> torch.optim.Optimizer:
    params = [p for p in model.parameters() if p.requires_grad]
    if not params:
        raise ValueError(
            "the model has no trainable parameters: layers kept in a plain Python list are not "
            "registered (use nn.ModuleList), or everything was frozen"
        )
    if callable(optimizer):
        return optimizer(params)
    if optimizer == "adamw":
        return torch.optim.AdamW(params, lr=lr, weight_decay=weight_decay)
    if optimizer == "adam":
        return torch.optim.Adam(params, lr=lr, weight_decay=weight_decay)
    if optimizer == "sgd":
        return torch.optim.SGD(params, lr=lr, momentum=0.9, weight_decay=weight_decay)
    raise ValueError(f'no optimizer {optimizer!r}: expected "adamw", "adam", "sgd" or a factory')


def _make_schedule(
    schedule: str | Callable[..., Any] | None, optimizer: torch.optim.Optimizer, n_steps: int
) -> Any:
    if schedule is None:
        return None
    if callable(schedule):
        return schedule(optimizer, n_steps)
    if schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    if schedule == "one_cycle":
        highest = [group["lr"] for group in optimizer.param_groups]
        # OneCycleLR counts its phases in steps and needs more than a handful of them.
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, highest, total_steps=max(n_steps, 4))
    raise ValueError(f'no schedule {schedule!r}: expected None, "one_cycle", "cosine" or a factory')


def _end_epoch(
    state: State,
    mean_loss: float,
    validation: Dataset | None,
    loss: Loss | None,
    batch_size: int,
    writer: Any,
) -> None:
    history = state.history
    history.loss.append(mean_loss)
    history.learning_rate.append(state.optimizer.param_groups[0]["lr"])
    scalars = {"loss/train": mean_loss, "learning_rate": history.learning_rate[-1]}
    if validation is not None and loss is None:
        scores = evaluate(state.model, validation)
        history.validation_loss.append(scores.loss)
        history.validation_accuracy.append(scores.accuracy)
        scalars |= {"loss/validation": scores.loss, "accuracy/validation": scores.accuracy}
    elif validation is not None:
        validation_loss = _mean_loss(state.model, validation, loss, batch_size)
        history.validation_loss.append(validation_loss)
        scalars["loss/validation"] = validation_loss
    if writer is not None:
        for name, value in scalars.items():
            writer.add_scalar(name, value, state.epoch)


def _writer(log_dir: str | Path | None) -> Any:
    if log_dir is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(log_dir))


def _save(
    checkpoint: str | Path | None, state: State, scheduler: Any, generator: torch.Generator
) -> None:
    if checkpoint is None:
        return
    path = Path(checkpoint)
    content = {
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "scheduler": scheduler.state_dict() if scheduler is not None else None,
        "generator": generator.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "epoch": state.epoch + 1,
        "step": state.step,
        "stop": state.stop,
        "history": vars(state.history),
    }
    partial = path.with_name(path.name + ".partial")
    torch.save(content, partial)
    os.replace(partial, path)  # a kill never leaves half a checkpoint


def _resume(
    checkpoint: str | Path | None, state: State, scheduler: Any, generator: torch.Generator
) -> int:
    if checkpoint is None or not Path(checkpoint).exists():
        return 0
    try:
        content = torch.load(checkpoint, weights_only=True, map_location="cpu")
        state.model.load_state_dict(content["model"])
        state.optimizer.load_state_dict(content["optimizer"])
    except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{checkpoint} cannot be resumed from: it is damaged or belongs to another model or "
            "optimizer; remove it to start afresh"
        ) from error
    if scheduler is not None:
        scheduler.load_state_dict(content["scheduler"])
    generator.set_state(content["generator"])
    torch.set_rng_state(content["torch"])
    if content["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(content["cuda"])
    state.step, state.stop = content["step"], content["stop"]
    state.history = History(**content["history"])
    return content["epoch"]


class _ProgressBar:
    """One line on a terminal or under a cell; silent where `COMPANION_PROGRESS=off`."""

    width = 24

    def __init__(self, n_steps: int, *, is_shown: bool) -> None:
        self.n_steps, self.last = n_steps, -1
        self.is_shown = is_shown and os.environ.get("COMPANION_PROGRESS") != "off"

    def show(self, step: int, loss: float) -> None:
        percent = 100 * step // self.n_steps
        if self.is_shown and percent != self.last:
            self.last = percent
            filled = "#" * (self.width * step // self.n_steps)
            text = f"\rtraining [{filled:<{self.width}}] {percent:3d} %  loss {loss:.3f}"
            print(text, end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self.is_shown and self.last >= 0:
            print("\r" + " " * (self.width + 40) + "\r", end="", file=sys.stderr, flush=True)
