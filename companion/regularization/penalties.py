"""Prices on weights, as penalties, limits and code lengths, and which weights pay them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from companion.training import Callback, State


def l2_penalty(parameters: Iterable[Tensor], coefficient: float) -> Tensor:
    """`coefficient / 2` times the sum of all squared weights: a scalar to add to a loss.

    Source: Krogh & Hertz, NIPS 4, 1991; in regression Hoerl & Kennard, Technometrics 12(1), 1970.

    Raises:
        ValueError: the coefficient is negative or nan, or there are no parameters.
    """
    check_at_least_0("coefficient", coefficient)
    return coefficient / 2 * sum(p.square().sum() for p in _tensors(parameters))


def l1_penalty(parameters: Iterable[Tensor], coefficient: float) -> Tensor:
    """`coefficient` times the sum of all absolute weights: a scalar to add to a loss.

    Its gradient at a weight of exactly zero is zero, as in torch.

    Source: Tibshirani, JRSS-B 58, 1996.

    Raises:
        ValueError: the coefficient is negative or nan, or there are no parameters.
    """
    check_at_least_0("coefficient", coefficient)
    return coefficient * sum(p.abs().sum() for p in _tensors(parameters))


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The trainable parameters in groups for an optimizer: matrices and kernels decay, others not.

    Biases and the gains of normalization layers, all that have one dimension or are called `bias`,
    get `weight_decay` 0.  A group without parameters is left out.

    Raises:
        ValueError: the coefficient is negative or nan, or nothing is trainable.
    """
    check_at_least_0("weight_decay", weight_decay)
    decayed, kept = [], []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_bias = name.rpartition(".")[2] == "bias"
            (kept if is_bias or parameter.ndim <= 1 else decayed).append(parameter)
    if not decayed and not kept:
        raise ValueError(
            "the model has no trainable parameters: layers kept in a plain Python list are not "
            "registered (use nn.ModuleList), or everything was frozen"
        )
    groups = [
        {"params": decayed, "weight_decay": float(weight_decay)},
        {"params": kept, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


@torch.no_grad()
def max_norm_(weight: Tensor, limit: float) -> Tensor:
    """Shortens, in place, each unit's incoming weights `weight[k]` to the length `limit`.

    `weight` is (out, in) or (out, in, ...); rows that are short enough stay as they are.

    Source: Srivastava et al., JMLR 15, 2014.

    Raises:
        ValueError: `limit` is not above zero, or the weight has no rows (a bias?).
    """
    if not limit > 0:  # nan as well
        raise ValueError(f"limit is {limit}, expected a length above zero")
    if weight.ndim < 2:
        raise ValueError(
            f"the weight has shape {tuple(weight.shape)}, expected (out, in, ...): the limit is on "
            "the weights that come into a unit, and a bias is not one of them"
        )
    lengths = weight.flatten(1).norm(dim=1)  # (out,)
    scale = (limit / lengths).clamp(max=1).view(-1, *[1] * (weight.ndim - 1))
    return weight.mul_(scale)


class MaxNorm(Callback):
    """Applies `max_norm_` to every weight with two or more dimensions after each step of `fit`."""

    def __init__(self, limit: float) -> None:
        max_norm_(torch.ones(1, 1), limit)  # refuses a bad limit before training
        self.limit = limit

    def after_step(self, state: State) -> None:
        for parameter in state.model.parameters():
            if parameter.ndim >= 2:
                max_norm_(parameter, self.limit)


def ridge(x: Tensor, y: Tensor, coefficient: float) -> Tensor:
    """The w that minimizes `||x w - y||^2 + coefficient ||w||^2`: `(x'x + c I)^-1 x'y`.

    x (N, D), y (N,) or (N, K); returns (D,) or (D, K).  There is no intercept: centre `x` and `y`
    first, and it stays outside the penalty.  With coefficient 0 returns the shortest of the
    least-squares solutions, the limit of small coefficients.

    Source: Tikhonov 1963; Hoerl & Kennard, Technometrics 12(1), 1970.

    Raises:
        ValueError: shapes or dtypes do not fit, or the coefficient is negative or nan.
    """
    check_at_least_0("coefficient", coefficient)
    if x.ndim != 2 or y.ndim not in (1, 2) or len(x) != len(y) or len(x) == 0:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and y {tuple(y.shape)}, expected (N, D) and (N,) or "
            "(N, K) with one row for each of N > 0 examples"
        )
    if x.dtype != y.dtype or not x.is_floating_point():
        raise ValueError(
            f"x is {x.dtype} and y {y.dtype}, expected one floating-point dtype: best float64, "
            "since x'x squares the condition of x"
        )
    if coefficient == 0:
        return torch.linalg.pinv(x) @ y
    identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return torch.linalg.solve(x.T @ x + coefficient * identity, x.T @ y)


def gaussian_bits(values: Tensor, *, step: float, std: float) -> float:
    """Bits to send `values` rounded to multiples of `step`, by the code of a normal of width `std`.

    A value costs `-log2` of the normal's probability between the two halfway points around it,
    for small steps `log2(std / step) + 1.33 + 0.72 (value / std)^2`: an L2 penalty in bits.

    Source: Hinton & van Camp, COLT 1993 (known from texts that quote it).

    Raises:
        ValueError: `step` or `std` is not above zero, or a value is not finite.
    """
    for name, number in (("step", step), ("std", std)):
        if not 0 < number < math.inf:
            raise ValueError(f"{name} is {number}, expected a finite number above zero")
    if not torch.isfinite(values).all():
        raise ValueError("a value is nan or inf: no code has a word for it")
    place = -(values.detach().cpu().double() / step).round().abs()  # the left half is exact far out
    upper = torch.special.log_ndtr((place + 0.5) * step / std)
    lower = torch.special.log_ndtr((place - 0.5) * step / std)
    nats = -(upper + torch.log1p(-torch.exp(lower - upper)))  # -ln(Phi(upper) - Phi(lower))
    return nats.sum().item() / math.log(2)


def check_at_least_0(name: str, value: float) -> None:
    """Refuses coefficients that are negative, infinite or nan."""
    if not isinstance(value, Real) or not 0 <= value < math.inf:
        raise ValueError(
            f"{name} is {value!r}, expected a finite number of at least 0: a negative one would "
            "reward large weights without end"
        )


def _tensors(parameters: Iterable[Tensor]) -> list[Tensor]:
    tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not tensors:
        raise ValueError(
            "no parameters to penalize: an iterator such as model.parameters() is empty once it "
            "has been used (make a list of it, or call it again)"
        )
    return tensors
