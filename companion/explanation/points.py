"""Points as the rows of a matrix: what every map asks of them, and their distances."""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor


def checked_points(x: Tensor, *, name: str = "x", at_least: int = 2) -> Tensor:
    """`x` (n, d) itself, detached, if each row can be a point.

    Raises:
        ValueError: no matrix, integers, too few rows, no column, nan or inf.
    """
    if not isinstance(x, Tensor):
        raise ValueError(f"{name} is a {type(x).__name__}, expected a tensor (points, features)")
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(
            f"{name} has the shape {tuple(x.shape)}, expected (points, features): "
            "images are flattened first, x.flatten(1), and one point alone is x[None]"
        )
    if not x.is_floating_point():
        raise ValueError(
            f"{name} holds {x.dtype}, expected floating point: integers cannot hold distances; "
            "use x.float()"
        )
    if len(x) < at_least:
        raise ValueError(
            f"{name} has {len(x)} row{'s' * (len(x) != 1)}, expected at least {at_least}: "
            "a map shows how points lie to one another"
        )
    if not torch.isfinite(x).all():
        rows = (~torch.isfinite(x)).any(1).nonzero()[:, 0].tolist()
        raise ValueError(
            f"{name} holds nan or inf in {len(rows)} of {len(x)} rows, the first is row {rows[0]}: "
            "one such value spoils all distances of its row; drop the row or fill it in"
        )
    return x.detach()


def table(x: Tensor) -> Tensor:
    """`x` (N, ...) as float32 rows (N, D), detached.

    Raises:
        ValueError: no tensor, or one without a dimension beside that of the examples.
    """
    if not isinstance(x, Tensor) or x.ndim < 2:
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"x is {shape}, expected a tensor (N, ...): one row for each example")
    return x.detach().flatten(1).float()


def checked_count(value: int, name: str, *, low: int, high: int | None = None) -> int:
    """`value` as an int in [low, high].

    Raises:
        ValueError: no integer, or outside.
    """
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_integer or value < low or (high is not None and value > high):
        limits = f"at least {low}" if high is None else f"{low} to {high}"
        raise ValueError(f"{name} is {value!r}, expected an integer, {limits}")
    return int(value)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances (n, m) of the rows of `a` (n, d) from those of `b` (m, d).

    By differences: |a|^2 + |b|^2 - 2 a b would be faster, but copies of a point would not be at
    distance 0.
    """
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
