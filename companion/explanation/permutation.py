"""Permutation importance: what is lost when a column keeps its values but not its order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import torch
from torch import Tensor

from companion.explanation.scores import Model, check_inputs

ROWS_PER_CALL = 16_384


class Importance(NamedTuple):
    """The score on the data as they are, and how much of it each permutation cost."""

    baseline: float
    drops: Tensor  # (n_groups, n_repeats), float64

    @property
    def mean(self) -> Tensor:
        """Mean drop of each group, (n_groups,)."""
        return self.drops.mean(1)

    @property
    def std(self) -> Tensor:
        """Standard deviation over the repeats, dividing by their number, (n_groups,)."""
        return self.drops.std(1, correction=0)


def permutation_importance(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    metric: Callable[[Any, Tensor], float],
    n_repeats: int = 5,
    groups: Sequence[Sequence[int]] | None = None,
    generator: torch.Generator | None = None,
    permutations: Tensor | None = None,
) -> Importance:
    """`metric(model(x), y)` minus the same with the rows of one group of columns permuted.

    `x` is (n, d); higher metrics are better.  The columns of a group move together; without
    `groups` each column is one.  `permutations` (n_groups, n_repeats, n) are used as they are:
    row i of the group's columns comes from row `permutations[group, repeat, i]`; otherwise
    `generator` draws them (torch's global one where it is None).  Give data that the model was not
    trained on: on training data a feature that was learned by heart looks important.

    Source: Breiman, Machine Learning 45, 2001; Fisher, Rudin & Dominici, JMLR 20(177), 2019.

    Raises:
        ValueError: fewer than two rows, nan, columns that are not there, permutations of another
            shape or with repeated rows, a metric that is no finite number.
    """
    x = check_inputs(model, x)
    if x.ndim != 2 or len(x) < 2 or len(y) != len(x):
        raise ValueError(
            f"x has shape {tuple(x.shape)} and y {len(y)} labels, expected (n, d) and n of at "
            "least 2: one row has nothing to be exchanged with"
        )
    n, d = x.shape
    groups = [[j] for j in range(d)] if groups is None else _checked_groups(groups, d)
    if permutations is None:
        permutations = _draw(len(groups), n_repeats, n, generator)
    else:
        _check_permutations(permutations, len(groups), n)
    with torch.no_grad():
        baseline = _score(metric, model(x), y)
        scores = [
            [_score(metric, output, y) for output in _outputs(model, x, columns, orders)]
            for columns, orders in zip(groups, permutations.to(x.device), strict=True)
        ]
    return Importance(baseline, baseline - torch.tensor(scores, dtype=torch.float64))


def _outputs(model: Model, x: Tensor, columns: list[int], orders: Tensor) -> list[Any]:
    """The model's outputs for each order (n_repeats, n) of the columns, several in one call."""
    n, found = len(x), []
    for part in orders.split(max(1, ROWS_PER_CALL // n)):
        moved = x.repeat(len(part), 1)  # (n, d) -> (repeats * n, d)
        moved[:, columns] = x[:, columns][part.flatten()]
        output = model(moved)
        found += [output[i * n : (i + 1) * n] for i in range(len(part))]
    return found


def _draw(n_groups: int, n_repeats: int, n: int, generator: torch.Generator | None) -> Tensor:
    if not isinstance(n_repeats, Integral) or n_repeats < 1:
        raise ValueError(f"n_repeats is {n_repeats!r}, expected an integer of at least 1")
    orders = [torch.randperm(n, generator=generator) for _ in range(n_groups * n_repeats)]
    return torch.stack(orders).view(n_groups, n_repeats, n)


def _checked_groups(groups: Sequence[Sequence[int]], d: int) -> list[list[int]]:
    checked = [list(group) for group in groups if not isinstance(group, (int, str))]
    if not groups or len(checked) < len(groups) or not all(checked):
        raise ValueError("groups is a list of lists of columns, none empty: [[0], [1, 2]]")
    for column in (column for group in checked for column in group):
        if not isinstance(column, Integral) or not 0 <= column < d:
            raise ValueError(f"no column {column!r}: x has {d}, numbered 0 ... {d - 1}")
    return checked


def _check_permutations(permutations: Tensor, n_groups: int, n: int) -> None:
    shape = tuple(permutations.shape)
    if permutations.ndim != 3 or shape[0] != n_groups or shape[1] < 1 or shape[2] != n:
        raise ValueError(
            f"permutations have shape {shape}, expected (n_groups, n_repeats, n) with "
            f"{n_groups} groups and {n} rows"
        )
    if not bool((permutations.sort(-1).values == torch.arange(n).to(permutations)).all()):
        raise ValueError(
            "permutations must hold each row 0 ... n - 1 once: drawing with replacement would "
            "change the distribution of the column as well"
        )


def _score(metric: Callable[[Any, Tensor], float], output: Any, y: Tensor) -> float:
    score = float(metric(output, y))
    if score != score or score in (float("inf"), float("-inf")):
        raise ValueError(f"metric(model(x), y) is {score}, expected a finite number")
    return score
