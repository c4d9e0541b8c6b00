"""Compares a gradient with finite differences, and says where they part."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from companion.foundations.engine import Node


@dataclass(frozen=True, eq=False)
class GradCheck:
    """Where a gradient and finite differences differ most, and whether that is too much.

    The largest error is at `inputs[input][index]`; `name` is what f calls that input.  `errors`
    holds one tensor for each input, `|analytic - numeric| / max(1, |analytic|, |numeric|)`.
    A report is true where no error is above `tolerance`.
    """

    input: int
    name: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    error: float
    tolerance: float
    errors: tuple[Tensor, ...]

    @property
    def n_entries(self) -> int:
        return sum(e.numel() for e in self.errors)

    @property
    def n_wrong(self) -> int:
        return sum(int((~(e <= self.tolerance)).sum()) for e in self.errors)  # nan is wrong

    @property
    def passed(self) -> bool:
        return self.n_wrong == 0

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        place = f"input {self.input} ({self.name}) at {list(self.index)}"
        values = f"analytic {self.analytic:.6g}, numeric {self.numeric:.6g}"
        if self.passed:
            return f"all {self.n_entries} gradients agree; largest error {self.error:.1e}, {place}"
        return (
            f"{self.n_wrong} of {self.n_entries} gradients differ, most {place}: {values}, "
            f"error {self.error:.1e} > {self.tolerance:.1e}"
        )


def grad_check(
    f: Callable[..., Any],
    inputs: Sequence[Tensor | Node],
    *,
    eps: float = 1e-6,
    tolerance: float = 1e-6,
) -> GradCheck:
    """Compares the gradients of `f(*inputs)`, one number, with central differences.

    `(f(x + eps) - f(x - eps)) / (2 eps)`, one entry of one input at a time.  Which gradients are
    checked follows from what `f` returns:

    - `(value, gradients)`, one gradient for each input: the ones written by hand.
    - `value`: the engine's.  `f` then computes with nodes as well as with tensors; if `inputs` are
      nodes, with nodes only.

    Inputs are float64.  Within eps of them f must be smooth: a ReLU at 0 is not.

    Raises:
        ValueError: an input is not float64, the value is not one number, gradients do not have the
            shapes of the inputs, or f gives two values for the same inputs.
    """
    if not eps > 0:
        raise ValueError(f"eps is {eps}, expected a small positive number such as 1e-6")
    inputs = [inputs] if isinstance(inputs, Tensor | Node) else list(inputs)
    takes_nodes = any(isinstance(x, Node) for x in inputs)
    points = [_float64(i, x) for i, x in enumerate(inputs)]

    def value_at(points: Sequence[Tensor]) -> float:
        copies = [p.clone() for p in points]
        return _number(f(*(map(Node, copies) if takes_nodes else copies)))

    if value_at(points) != value_at(points):
        raise ValueError(
            "f gave two values for the same inputs: fix what it draws at random (a generator made "
            "inside f), and let it change nothing outside"
        )
    analytic = _analytic(f, points, takes_nodes)
    numeric = [_numeric(value_at, points, i, eps) for i in range(len(points))]
    errors = tuple(
        (a - n).abs() / torch.maximum(a.abs(), n.abs()).clamp(min=1)
        for a, n in zip(analytic, numeric, strict=True)
    )
    worst = [float(e.nan_to_num(torch.inf).max()) for e in errors]
    i = worst.index(max(worst))
    place = int(errors[i].nan_to_num(torch.inf).argmax())
    index = tuple(int(k) for k in torch.unravel_index(torch.tensor(place), errors[i].shape))
    return GradCheck(
        input=i,
        name=_names(f, len(points))[i],
        index=index,
        analytic=float(analytic[i][index]),
        numeric=float(numeric[i][index]),
        error=worst[i],
        tolerance=tolerance,
        errors=errors,
    )


def _float64(i: int, x: Any) -> Tensor:
    tensor = x.value if isinstance(x, Node) else x
    kind = tensor.dtype if isinstance(tensor, Tensor) else type(x).__name__
    if kind != torch.float64:
        raise ValueError(
            f"input {i} is {kind}, expected torch.float64: with fewer digits a small difference "
            "drowns in rounding (use x.double(); labels belong inside f)"
        )
    if tensor.numel() == 0:
        raise ValueError(f"input {i} has shape {tuple(tensor.shape)}, expected at least one value")
    return tensor.detach()


def _number(outcome: Any) -> float:
    value = outcome[0] if isinstance(outcome, tuple) else outcome
    value = value.value if isinstance(value, Node) else value
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(
            f"f gave a value of shape {tuple(value.shape)}, expected one number: reduce it "
            "with .sum() or .mean(), or weight it first, (y * c).sum(), so that nothing cancels"
        )
    if not math.isfinite(value):
        raise ValueError(
            f"f gave {float(value)} at or within eps of the inputs, expected a finite number: "
            "usually a log, a root or a division at its edge"
        )
    return float(value)


def _analytic(f: Callable[..., Any], points: list[Tensor], takes_nodes: bool) -> list[Tensor]:
    """The gradients that f returns, or the engine's."""
    outcome = None if takes_nodes else f(*[p.clone() for p in points])
    if isinstance(outcome, tuple):
        gradients = outcome[1]
        gradients = [gradients] if isinstance(gradients, Tensor) else list(gradients)
    else:
        nodes = [Node(p.clone()) for p in points]
        value = f(*nodes)
        if not isinstance(value, Node):
            raise ValueError(
                f"f gave a {type(value).__name__} for nodes, expected a Node: something left the "
                "graph (.value does); or return (value, gradients) to check gradients of your own"
            )
        value.backward()
        gradients = [torch.zeros_like(n.value) if n.grad is None else n.grad for n in nodes]
    got, expected = [tuple(g.shape) for g in gradients], [tuple(p.shape) for p in points]
    if got != expected:
        raise ValueError(
            f"the gradients have shapes {got}, expected {expected} as the inputs: one for each, "
            "in their order (a transposed product, or a sum over the batch that is missing)"
        )
    return [g.detach().double() for g in gradients]


def _numeric(
    value_at: Callable[[Sequence[Tensor]], float], points: list[Tensor], i: int, eps: float
) -> Tensor:
    """Central differences for every entry of input `i`, in its shape."""
    slopes = []
    for k in range(points[i].numel()):
        step = torch.zeros(points[i].numel(), dtype=torch.float64, device=points[i].device)
        step[k] = eps
        step = step.reshape(points[i].shape)
        above = [*points[:i], points[i] + step, *points[i + 1 :]]
        below = [*points[:i], points[i] - step, *points[i + 1 :]]
        slopes.append((value_at(above) - value_at(below)) / (2 * eps))
    return torch.tensor(slopes, dtype=torch.float64).to(points[i]).reshape(points[i].shape)


def _names(f: Callable[..., Any], n: int) -> list[str]:
    """What f calls its inputs, where it says so."""
    is_plain = inspect.isfunction(f) or inspect.ismethod(f)
    parameters = inspect.signature(f).parameters.values() if is_plain else ()
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return names if len(names) >= n else [f"inputs[{i}]" for i in range(n)]
