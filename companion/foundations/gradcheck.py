"""Compares a gradient with finite differences, and says where they part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from companion.foundations.engine import Node


@dataclass(frozen=True)
class GradCheck:
    """Where a gradient and finite differences differ most, and whether that is too much.

    `error` is `|analytic - numeric| / max(1, |analytic|, |numeric|)` at `inputs[input][index]`;
    `n_wrong` of `n_entries` are above `tolerance`.  True where none is.
    """

    input: int
    index: tuple[int, ...]
    analytic: float
    numeric: float
    error: float
    tolerance: float
    n_wrong: int
    n_entries: int

    @property
    def passed(self) -> bool:
        return self.n_wrong == 0

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        where = f"input {self.input} at {list(self.index)}"
        values = f"analytic {self.analytic:.6g}, numeric {self.numeric:.6g}"
        if self.passed:
            return (
                f"gradients agree: {self.n_entries} entries, largest error {self.error:.1e} "
                f"({where}: {values})"
            )
        return (
            f"gradients differ: {self.n_wrong} of {self.n_entries} entries, most at {where}: "
            f"{values}, error {self.error:.1e} > {self.tolerance:.1e}"
        )


def grad_check(
    f: Callable[..., Any],
    inputs: Sequence[Tensor | Node],
    *,
    eps: float = 1e-6,
    tolerance: float = 1e-6,
) -> GradCheck:
    """Compares the gradients of `f(*inputs)`, a scalar, with central differences.

    `(f(x + eps) - f(x - eps)) / (2 eps)`, one entry of one input at a time.  Where the gradient
    comes from depends on what `f` returns:

    - `(value, gradients)`, one gradient for each input: these are checked.
    - a value alone: the engine's gradient is checked, so `f` is also called with nodes.
      If `inputs` are nodes, `f` is never called with plain tensors.

    Inputs are float64; f must be smooth within eps of them (no ReLU at zero).

    Raises:
        ValueError: an input is not float64, the value is not one number, gradients do not fit
            the inputs, or f is not a function (two values for the same inputs).
    """
    takes_nodes = any(isinstance(x, Node) for x in inputs)
    tensors = [(x.value if isinstance(x, Node) else x).detach() for x in inputs]
    for i, x in enumerate(tensors):
        if x.dtype != torch.float64:
            raise ValueError(
                f"input {i} is {x.dtype}, expected torch.float64: a difference over {eps:g} "
                "drowns in the rounding of fewer digits (use x.double())"
            )

    def value_at(points: Sequence[Tensor]) -> float:
        y = f(*([Node(p) for p in points] if takes_nodes else points))
        y = y[0] if isinstance(y, tuple) else y
        return float(y.value if isinstance(y, Node) else y)

    gradients = _analytic(f, tensors, takes_nodes)
    worst: tuple = (-1.0,)
    n_wrong = n_entries = 0
    for i, gradient in enumerate(gradients):
        for index in _indices(tensors[i].shape):
            points = [x.clone() for x in tensors]
            points[i][index] += eps
            above = value_at(points)
            points = [x.clone() for x in tensors]
            points[i][index] -= eps
            numeric = (above - value_at(points)) / (2 * eps)
            analytic = float(gradient[index])
            error = abs(analytic - numeric) / max(1.0, abs(analytic), abs(numeric))
            n_entries += 1
            n_wrong += not error <= tolerance
            if not error <= worst[0]:
                worst = (error, i, index, analytic, numeric)
    error, i, index, analytic, numeric = worst
    return GradCheck(i, index, analytic, numeric, error, tolerance, n_wrong, n_entries)


def _indices(shape: Sequence[int]) -> list[tuple[int, ...]]:
    return [tuple(i) for i in torch.ones(tuple(shape)).nonzero().tolist()]


def _analytic(f: Callable, tensors: Sequence[Tensor], takes_nodes: bool) -> list[Tensor]:
    if not takes_nodes:
        outcome = f(*[x.clone() for x in tensors])
        if isinstance(outcome, tuple):
            gradients = outcome[1]
            return [gradients] if isinstance(gradients, Tensor) else list(gradients)
    nodes = [Node(x.clone()) for x in tensors]
    f(*nodes).backward()
    return [torch.zeros_like(n.value) if n.grad is None else n.grad for n in nodes]
