"""Noise that keeps a network from relying on any one thing: dropout, shifts, doubted labels."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def dropout(
    x: Tensor, p: float, *, training: bool, generator: torch.Generator | None = None
) -> Tensor:
    """Sets each value of `x` (any shape) to zero with probability `p`, divides the rest by `1 - p`.

    The division keeps the mean over masks at `x`.  With `training=False` or `p = 0` returns `x`.
    The mask is drawn on the generator's device, so one seed gives one mask on every device.

    Source: Srivastava et al., JMLR 15, 2014 (with the division moved from use to training).

    Raises:
        ValueError: `p` is outside [0, 1), or `x` is not floating point.
    """
    _check_dropout(x, p)
    if not training or p == 0:
        return x
    return x * _mask(x.shape, p, x, generator) / (1 - p)


def spatial_dropout(
    x: Tensor, p: float, *, training: bool, generator: torch.Generator | None = None
) -> Tensor:
    """Dropout of whole channels: one decision for each example and channel of (N, C, ...).

    Neighbours of a dropped point would give its value away; without its channel nothing does.

    Source: Tompson et al., CVPR 2015 (from memory, unverified).

    Raises:
        ValueError: `p` is outside [0, 1), or `x` is not (N, C, ...) of a floating-point dtype.
    """
    _check_dropout(x, p)
    if x.ndim < 3:
        raise ValueError(
            f"spatial dropout takes (N, C, L) or (N, C, H, W), got shape {tuple(x.shape)}: "
            "without positions there is only dropout"
        )
    if not training or p == 0:
        return x
    shape = x.shape[:2] + (1,) * (x.ndim - 2)  # (N, C, 1, ...): one mask for all positions
    return x * _mask(shape, p, x, generator) / (1 - p)


class Dropout(nn.Module):
    """`dropout` as a layer; draws masks in training mode only.

    Without a generator the masks come from torch's own, which `fit` seeds.

    Raises:
        ValueError: `p` is outside [0, 1).
    """

    def __init__(self, p: float = 0.5, generator: torch.Generator | None = None) -> None:
        super().__init__()
        _check_p(p)
        self.p, self.generator = p, generator

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p, training=self.training, generator=self.generator)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def random_shifts(x: Tensor, limit: int, generator: torch.Generator) -> Tensor:
    """Moves each example around a ring by its own random amount, at most `limit` either way.

    Takes series (N, L) or (N, C, L) and images (N, C, H, W), which move in both directions.  As
    `augment` of `fit`: `lambda x, generator: random_shifts(x, 5, generator)`.

    Raises:
        ValueError: `limit` is negative or longer than the series.
    """
    axes = [1] if x.ndim == 2 else list(range(2, x.ndim))
    longest = min((x.shape[axis] for axis in axes), default=0)
    if not isinstance(limit, Integral) or not 0 <= limit < longest:
        raise ValueError(
            f"cannot move {tuple(x.shape)} by up to {limit!r} points: expected an integer from 0 "
            f"to {longest - 1}, and series (N, L), (N, C, L) or images (N, C, H, W)"
        )
    for axis in axes:
        move = torch.randint(-limit, limit + 1, (len(x), 1), generator=generator)
        n = x.shape[axis]
        source = (torch.arange(n) - move) % n  # (N, n): point i comes from i - move
        shape = [len(x)] + [n if d == axis else 1 for d in range(1, x.ndim)]
        x = x.gather(axis, source.to(x.device).view(shape).expand_as(x))
    return x


def label_smoothing(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Mean cross-entropy in nats against labels that are right with probability `1 - smoothing`.

    The rest is shared by all K classes, the right one included.  logits (N, K), targets (N,);
    returns a scalar, twin of `F.cross_entropy(label_smoothing=...)`.

    Source: Szegedy et al., CVPR 2016 (from memory, unverified).

    Raises:
        ValueError: `smoothing` is outside [0, 1], or shapes or labels do not fit.
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing is {smoothing}, expected a probability in [0, 1]")
    if logits.ndim != 2 or targets.shape != logits.shape[:1] or targets.is_floating_point():
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} and targets {tuple(targets.shape)} "
            f"({targets.dtype}), expected (N, K) and integer labels (N,)"
        )
    log_p = F.log_softmax(logits, 1)
    right = log_p.gather(1, targets[:, None]).squeeze(1)  # (N, K) -> (N,)
    return -((1 - smoothing) * right + smoothing * log_p.mean(1)).mean()


def _mask(shape: Sequence[int], p: float, x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Ones with probability `1 - p`, else zeros, with the dtype and device of `x`."""
    where = generator.device if generator is not None else x.device
    mask = torch.empty(shape, dtype=x.dtype, device=where)
    return mask.bernoulli_(1 - p, generator=generator).to(x.device)


def _check_p(p: float) -> None:
    if not isinstance(p, Real) or not 0 <= p < 1:
        raise ValueError(
            f"p is {p!r}, expected a probability in [0, 1): the share of values that is dropped, "
            "not the share that is kept, and never all of them"
        )


def _check_dropout(x: Tensor, p: float) -> None:
    _check_p(p)
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"dropout takes a floating-point tensor, got {got}: use x.float()")
