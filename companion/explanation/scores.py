"""The number that an attribution explains: one output of the model for each example."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

Model = Callable[[Tensor], Tensor]

KINDS = ("logit", "probability")
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
NO_GRADIENT = (
    "the model has no gradient for its input: somewhere it leaves autograd (NumPy, detach(), "
    "no_grad(), argmax, a comparison, a tree).  occlusion, permutation importance and Shapley "
    "values need none"
)


def check_inputs(model: Model, x: Tensor, name: str = "x") -> Tensor:
    """Returns `x` (n, ...), detached, when the model may be asked about it.

    Raises:
        ValueError: no floats, nan, no examples, no batch dimension, or a model in train mode.
    """
    if isinstance(model, nn.Module):
        for module in model.modules():
            if module.training and isinstance(module, (_DropoutNd, _BatchNorm)):
                raise ValueError(
                    f"attribution in train mode: {type(module).__name__} makes the answer for one "
                    "example depend on chance or on the rest of the batch; call model.eval() first"
                )
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"{name} is {kind}, expected a floating-point tensor: use x.float()")
    if x.ndim < 2 or x.numel() == 0:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}, expected (n, ...) with at least one example; "
            "a single example keeps its batch dimension: x[None]"
        )
    n_bad = int((~torch.isfinite(x.detach())).sum())
    if n_bad:
        raise ValueError(
            f"{n_bad} of {x.numel()} values of {name} are nan or inf: an attribution would be nan "
            "all over; fill missing values first"
        )
    return x.detach()


def check_targets(target: int | Tensor, n: int) -> int | Tensor:
    """Returns `target`, one class for all or one for each of the `n` examples.

    Raises:
        ValueError: no integers, or another number of them.
    """
    if isinstance(target, Integral) and not isinstance(target, bool):
        return int(target)
    if isinstance(target, Tensor) and target.dtype in INTEGERS and target.shape == (n,):
        return target
    found = f"{target.dtype} {tuple(target.shape)}" if isinstance(target, Tensor) else repr(target)
    raise ValueError(
        f"target is {found}, expected a class or one class for each of the {n} examples "
        "(integers of shape (n,)): use logits.argmax(1) for the predicted ones"
    )


def check_classes(target: int | Tensor, n: int, n_classes: int) -> Tensor:
    """The classes that are explained, as int64 (n,).

    Raises:
        ValueError: as in `check_targets`, or a class that is not there.
    """
    target = check_targets(target, n)
    classes = torch.full((n,), target) if isinstance(target, int) else target.long()
    lowest, highest = int(classes.min()), int(classes.max())
    if lowest < 0 or highest >= n_classes:
        wrong = lowest if lowest < 0 else highest
        raise ValueError(
            f"target {wrong} is out of range: the model has {n_classes} outputs, numbered "
            f"0 ... {n_classes - 1} (does the label count from 1?)"
        )
    return classes


def logits_of(model: Model, x: Tensor) -> Tensor:
    """`model(x)` (n, k).

    Raises:
        ValueError: the model cannot read `x`, or gives something else than (n, k).
    """
    try:
        outputs = model(x)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if x.requires_grad and "requires grad" in str(error):  # numpy() refuses such a tensor
            raise ValueError(NO_GRADIENT) from error
        raise ValueError(
            f"the model cannot read x of shape {tuple(x.shape)}: {error}.  A single example keeps "
            "its batch dimension (x[None]), and images their channels: (n, c, h, w)"
        ) from error
    if not isinstance(outputs, Tensor) or outputs.ndim != 2 or len(outputs) != len(x):
        found = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ValueError(
            f"the model gives {found} for x of shape {tuple(x.shape)}, expected logits (n, k): "
            "not labels, and not one example without its batch dimension"
        )
    return outputs


def class_scores(model: Model, x: Tensor, target: int | Tensor, of: str = "logit") -> Tensor:
    """The logit of `target`, or its softmax probability, for each example: (n,).

    Raises:
        ValueError: as in `logits_of` and `check_classes`, or an unknown `of`.
    """
    if of not in KINDS:
        raise ValueError(f"of is {of!r}, expected one of {', '.join(KINDS)}")
    logits = logits_of(model, x)
    chosen = check_classes(target, len(x), logits.shape[1]).to(logits.device)
    values = logits.softmax(1) if of == "probability" else logits
    return values.gather(1, chosen[:, None]).squeeze(1)  # (n, k) -> (n,)


def input_gradient(scores: Tensor, x: Tensor) -> Tensor:
    """d scores[i] / d x[i], of the shape of `x` (n, ...); no parameter collects a gradient.

    Raises:
        ValueError: the scores do not depend on `x` as far as autograd can see.
    """
    gradient = None
    if scores.requires_grad:
        # A sum, because example i moves scores[i] alone.
        (gradient,) = torch.autograd.grad(scores.sum(), x, allow_unused=True)
    if gradient is None:
        raise ValueError(NO_GRADIENT)
    return gradient


def rows(target: int | Tensor, part: slice, times: int = 1) -> int | Tensor:
    """The targets of some of the examples, for a batch that holds these `times` over."""
    return target[part].repeat(times) if isinstance(target, Tensor) else target
