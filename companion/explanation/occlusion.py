"""Occlusion: cover a part of the input, and see what the logit loses."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor

from companion.explanation.gradients import check_baseline
from companion.explanation.scores import Model, check_inputs, check_targets, class_scores, rows

ROWS_PER_CALL = 1024


def occlusion(
    model: Model,
    x: Tensor,
    target: int | Tensor,
    *,
    window: int | Sequence[int],
    stride: int | Sequence[int] = 1,
    baseline: Tensor | float = 0.0,
) -> Tensor:
    """Drop of the logit when a window is replaced by the baseline, of the shape of `x`.

    `x` is (n, d), (n, c, length) or (n, c, h, w); a window covers all channels, and the last one
    along a side is cut where it sticks out.  Each input gets the mean drop of the windows that
    cover it.  No gradient is needed.

    Source: Zeiler & Fergus, ECCV 2014 (from memory, unverified).

    Raises:
        ValueError: a window larger than the input, a stride that leaves gaps, or as in `saliency`.
    """
    x, target = check_inputs(model, x), check_targets(target, len(x))
    covered = check_baseline(baseline, x)
    sides = x.shape[1:] if x.ndim == 2 else x.shape[2:]
    masks = _masks(sides, _per_side(window, sides, "window"), _per_side(stride, sides, "stride"))
    masks = masks.to(x.device)
    masks = masks if x.ndim == 2 else masks[:, None]  # (w, ...) -> (w, 1, ...): all channels
    drops = x.new_empty(len(masks), len(x))
    with torch.no_grad():
        for i in range(0, len(x), ROWS_PER_CALL):
            part = slice(i, min(i + ROWS_PER_CALL, len(x)))
            n = part.stop - i
            before = class_scores(model, x[part], rows(target, part))
            for windows in torch.arange(len(masks)).split(max(1, ROWS_PER_CALL // n)):
                hidden = torch.where(masks[windows, None], covered[part], x[part])  # (w, n, ...)
                after = class_scores(model, hidden.flatten(0, 1), rows(target, part, len(windows)))
                drops[windows, part] = before - after.view(-1, n)
    weights = masks.flatten(1).to(x)  # (w, pixels)
    mean = drops.T @ weights / weights.sum(0)  # (n, w) @ (w, pixels)
    return mean.view(len(x), *masks.shape[1:]).expand_as(x).clone()


def _per_side(size: int | Sequence[int], sides: Sequence[int], name: str) -> tuple[int, ...]:
    sizes = (size,) * len(sides) if isinstance(size, Integral) else tuple(size)
    is_fit = len(sizes) == len(sides) and all(
        isinstance(s, Integral) and 1 <= s <= side for s, side in zip(sizes, sides, strict=True)
    )
    if not is_fit:
        raise ValueError(
            f"{name} is {size!r}, expected an integer from 1 for each side of the input, "
            f"{tuple(sides)}, and no larger"
        )
    return sizes


def _masks(sides: Sequence[int], window: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Where each window lies: bool (n_windows, *sides)."""
    if any(step > size for step, size in zip(stride, window, strict=True)):
        raise ValueError(
            f"stride {tuple(stride)} is larger than the window {tuple(window)}: some inputs would "
            "never be covered, and would look as if they did not matter"
        )
    starts = [
        [step * i for i in range(-(-(side - size) // step) + 1)]
        for side, size, step in zip(sides, window, stride, strict=True)
    ]
    masks = torch.zeros(*(len(s) for s in starts), *sides, dtype=torch.bool)
    for place in itertools.product(*(range(len(s)) for s in starts)):
        corner = [s[i] for s, i in zip(starts, place, strict=True)]
        cut = tuple(slice(c, c + size) for c, size in zip(corner, window, strict=True))
        masks[place][cut] = True
    return masks.flatten(0, len(sides) - 1)
