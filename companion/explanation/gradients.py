"""Attribution by gradients: saliency, gradient times input, integrated gradients."""

from __future__ import annotations

from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from companion.explanation.scores import (
    Model,
    check_inputs,
    check_targets,
    class_scores,
    input_gradient,
    rows,
)

METHODS = ("gausslegendre", "riemann_middle")
ROWS_PER_CALL = 256


class PathGradients(NamedTuple):
    """What happens on the straight way from the baseline (share 0) to the input (share 1)."""

    shares: Tensor  # (n_steps + 1,)
    scores: Tensor  # (n_steps + 1, n), the logit at each share
    attributions: Tensor  # (n_steps + 1, n, ...), collected up to each share; 0 at the first


def saliency(model: Model, x: Tensor, target: int | Tensor, *, of: str = "logit") -> Tensor:
    """The signed gradient d logit[target] / d x, of the shape of `x` (n, ...).

    `of="probability"` differentiates the softmax instead, whose gradient vanishes where the model
    is sure.  The model should be in evaluation mode.

    Source: Simonyan, Vedaldi & Zisserman, arXiv:1312.6034.

    Raises:
        ValueError: a model in train mode or without gradient, a target that is not there, nan,
            one example without its batch dimension.
    """
    x = check_inputs(model, x)
    with torch.enable_grad():
        x = x.clone().requires_grad_()
        return input_gradient(class_scores(model, x, target, of), x)


def gradient_times_input(
    model: Model, x: Tensor, target: int | Tensor, *, of: str = "logit"
) -> Tensor:
    """`saliency * x`: the first-order effect of setting each input to 0.

    A blank input gets 0 from every model, trained or not.

    Raises:
        ValueError: as in `saliency`.
    """
    return saliency(model, x, target, of=of) * x.detach()


def integrated_gradients(
    model: Model,
    x: Tensor,
    target: int | Tensor,
    *,
    baseline: Tensor | float | None = None,
    n_steps: int = 50,
    method: str = "gausslegendre",
    batch_size: int | None = None,
) -> Tensor:
    """`(x - baseline) * integral of d logit / d x over the straight way from baseline to x`.

    The baseline is zeros where it is None; a tensor is one for all (its shape that of one example)
    or one for each.  The integral takes `n_steps` gradients: at the nodes of Gauss and Legendre, or
    in the middle of equal steps ("riemann_middle").  `batch_size` is the largest number of rows in
    one call of the model, 256 where it is None.  The attributions (n, ...) sum to the change of the
    logit, up to the error of the integral (`completeness_gap`).

    Source: Sundararajan, Taly & Yan, ICML 2017.

    Raises:
        ValueError: as in `saliency`; a baseline of another shape or equal to the input, an unknown
            method, less than one step.
    """
    x, target = check_inputs(model, x), check_targets(target, len(x))
    baseline = check_baseline(baseline, x)
    shares, weights = _nodes(n_steps, method)
    difference = x - baseline
    if bool((difference == 0).all()):
        raise ValueError(
            "the baseline equals the input, so every attribution would be 0 whatever the model "
            "does: the baseline says what 'absent' looks like (zeros, the mean, another example)"
        )
    mean_gradient = torch.zeros_like(x)
    for examples, steps in _pieces(len(x), n_steps, batch_size):
        way = shares[steps].to(x).view(-1, *[1] * x.ndim)  # (s,) -> (s, 1, ...)
        points = baseline[examples] + way * difference[examples]  # (s, m, ...)
        gradients = _gradients(model, points, rows(target, examples, len(points)))
        weight = weights[steps].to(x)
        mean_gradient[examples] += torch.tensordot(weight, gradients, 1)  # (s, m, ...) -> (m, ...)
    return difference * mean_gradient


def completeness_gap(
    model: Model,
    x: Tensor,
    baseline: Tensor | float | None,
    target: int | Tensor,
    attribution: Tensor,
) -> Tensor:
    """`sum(attribution) - (logit(x) - logit(baseline))` for each example, (n,).

    Raises:
        ValueError: as in `saliency`; a baseline or an attribution of another shape.
    """
    x = check_inputs(model, x)
    baseline = check_baseline(baseline, x)
    if attribution.shape != x.shape:
        raise ValueError(
            f"the attribution has shape {tuple(attribution.shape)}, expected that of x, "
            f"{tuple(x.shape)}: one value for each input"
        )
    with torch.no_grad():
        change = class_scores(model, x, target) - class_scores(model, baseline, target)
    return attribution.detach().flatten(1).sum(1) - change


def path_gradients(
    model: Model,
    x: Tensor,
    target: int | Tensor,
    *,
    baseline: Tensor | float | None = None,
    n_steps: int = 50,
) -> PathGradients:
    """The running sum of integrated gradients, in `n_steps` equal steps with the middle's gradient.

    The last attributions are those of `integrated_gradients(..., method="riemann_middle")`; all
    before say what was collected on the way.

    Raises:
        ValueError: as in `integrated_gradients`; an equal baseline is no error here.
    """
    x, target = check_inputs(model, x), check_targets(target, len(x))
    baseline = check_baseline(baseline, x)
    middles, _ = _nodes(n_steps, "riemann_middle")
    difference = x - baseline
    shares = torch.linspace(0, 1, n_steps + 1, dtype=x.dtype, device=x.device)
    attributions = x.new_zeros(n_steps + 1, *x.shape)
    scores = x.new_zeros(n_steps + 1, len(x))
    for step in range(n_steps + 1):
        with torch.no_grad():
            scores[step] = class_scores(model, baseline + shares[step] * difference, target)
        if step:
            middle = (baseline + middles[step - 1].to(x) * difference)[None]  # (1, n, ...)
            gradient = _gradients(model, middle, target)[0]
            attributions[step] = attributions[step - 1] + difference * gradient / n_steps
    return PathGradients(shares, scores, attributions)


def check_baseline(baseline: Tensor | float | None, x: Tensor) -> Tensor:
    """The baseline of every example, of the shape of `x`.

    Raises:
        ValueError: another shape, or nan.
    """
    if baseline is None:
        return torch.zeros_like(x)
    given = torch.as_tensor(baseline, dtype=x.dtype, device=x.device).detach()
    if given.shape not in (x.shape, x.shape[1:], (1, *x.shape[1:]), ()):
        raise ValueError(
            f"the baseline has shape {tuple(given.shape)}, expected that of x, {tuple(x.shape)}, "
            f"or of one example, {tuple(x.shape[1:])}"
        )
    if not bool(torch.isfinite(given).all()):
        raise ValueError("the baseline holds nan or inf")
    return given.expand_as(x)


def _nodes(n_steps: int, method: str) -> tuple[Tensor, Tensor]:
    """Shares of the way in (0, 1) and their weights, float64 (n_steps,)."""
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(METHODS)}")
    if not isinstance(n_steps, Integral) or n_steps < 1:
        raise ValueError(f"n_steps is {n_steps!r}, expected an integer of at least 1")
    if method == "gausslegendre":
        nodes, weights = np.polynomial.legendre.leggauss(n_steps)  # on (-1, 1), weights sum to 2
        return torch.from_numpy((nodes + 1) / 2), torch.from_numpy(weights / 2)
    middles = (torch.arange(n_steps, dtype=torch.float64) + 0.5) / n_steps
    return middles, torch.full_like(middles, 1 / n_steps)


def _pieces(n: int, n_steps: int, batch_size: int | None) -> list[tuple[slice, slice]]:
    """Slices of the examples and of the steps, whose product stays within the batch size."""
    if batch_size is not None and (not isinstance(batch_size, Integral) or batch_size < 1):
        raise ValueError(f"batch_size is {batch_size!r}, expected an integer of at least 1 or None")
    size = int(batch_size or ROWS_PER_CALL)
    n_examples = min(n, size)
    n_nodes = max(1, size // n_examples)
    return [
        (slice(i, min(i + n_examples, n)), slice(s, min(s + n_nodes, n_steps)))
        for i in range(0, n, n_examples)
        for s in range(0, n_steps, n_nodes)
    ]


def _gradients(model: Model, points: Tensor, target: int | Tensor) -> Tensor:
    """Gradients of the logits at (s, m, ...), of the same shape, in one call of the model."""
    with torch.enable_grad():
        flat = points.flatten(0, 1).requires_grad_()  # (s, m, ...) -> (s * m, ...)
        gradient = input_gradient(class_scores(model, flat, target), flat)
    return gradient.view_as(points)
