"""Deletion and insertion: does the model lose its answer when the important inputs go?"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import NamedTuple

import torch
from torch import Tensor

from companion.explanation.gradients import check_baseline
from companion.explanation.scores import Model, check_inputs, check_targets, class_scores, rows

ROWS_PER_CALL = 1024


class Curve(NamedTuple):
    """Mean probability of the target against the share of inputs that were changed."""

    shares: Tensor  # (n_steps + 1,), from 0 to 1
    probabilities: Tensor  # (n_steps + 1,)
    area: float  # under the curve, by trapezoids


def deletion_curve(
    model: Model,
    x: Tensor,
    target: int | Tensor,
    attribution: Tensor,
    *,
    baseline: Tensor | float = 0.0,
    n_steps: int = 20,
) -> Curve:
    """Replaces the inputs by the baseline, those of the largest attribution first.

    `attribution` has the shape of `x` (n, ...); equal ones go in the order of their index.  A small
    area is good, beside that of a random order: `torch.rand_like(x)`.  What is left is no image
    that the model was trained on, so a low probability may also say that it was surprised.

    Source: Petsiuk, Das & Saenko, BMVC 2018 (from memory, unverified).

    Raises:
        ValueError: an attribution of another shape, nan, more steps than inputs, or a target that
            is not there.
    """
    x = check_inputs(model, x)
    return _curve(model, x, check_baseline(baseline, x), target, attribution, n_steps)


def insertion_curve(
    model: Model,
    x: Tensor,
    target: int | Tensor,
    attribution: Tensor,
    *,
    baseline: Tensor | float = 0.0,
    n_steps: int = 20,
) -> Curve:
    """Starts from the baseline and puts the inputs back, those of the largest attribution first.

    The baseline may be a tensor, such as the blurred images.  A large area is good.

    Raises:
        ValueError: as in `deletion_curve`.
    """
    x = check_inputs(model, x)
    return _curve(model, check_baseline(baseline, x), x, target, attribution, n_steps)


def _curve(
    model: Model, start: Tensor, end: Tensor, target: int | Tensor, attribution: Tensor,
    n_steps: int,
) -> Curve:  # fmt: skip
    """From `start` to `end`, in the order of the attribution."""
    n, n_inputs = len(start), start[0].numel()
    target = check_targets(target, n)
    if attribution.shape != start.shape or not bool(torch.isfinite(attribution).all()):
        raise ValueError(
            f"the attribution has shape {tuple(attribution.shape)}, expected that of x, "
            f"{tuple(start.shape)}, and finite values"
        )
    if not isinstance(n_steps, Integral) or not 1 <= n_steps <= n_inputs:
        raise ValueError(
            f"n_steps is {n_steps!r}, expected an integer from 1 to {n_inputs}, the number of "
            "inputs of an example"
        )
    order = attribution.detach().flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(1).view(start.shape)  # 0 for the largest
    counts = [round(n_inputs * step / n_steps) for step in range(n_steps + 1)]
    total = torch.zeros(n_steps + 1, dtype=torch.float64)
    n_rows = max(1, ROWS_PER_CALL // (n_steps + 1))
    for i in range(0, n, n_rows):
        part = slice(i, min(i + n_rows, n))
        targets = rows(target, part, len(counts))
        total += _probabilities(model, start[part], end[part], targets, rank[part], counts)
    probabilities = total / n
    shares = torch.tensor(counts, dtype=torch.float64) / n_inputs
    area = float(torch.trapezoid(probabilities, shares))
    return Curve(shares.to(start), probabilities.to(start), area)


def _probabilities(
    model: Model, start: Tensor, end: Tensor, targets: int | Tensor, rank: Tensor,
    counts: Sequence[int],
) -> Tensor:  # fmt: skip
    """Sum over the examples of the target's probability after each count of changes, on the CPU."""
    limit = torch.tensor(counts, device=start.device).view(-1, *[1] * start.ndim)
    steps = torch.where(rank < limit, end, start)  # (steps, n, ...)
    with torch.no_grad():
        scores = class_scores(model, steps.flatten(0, 1), targets, "probability")
    return scores.view(len(counts), -1).cpu().double().sum(1)  # (steps, n) -> (steps,)
