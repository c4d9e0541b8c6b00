"""Choosing a coefficient: folds, rules, and the table that the choice was made from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from companion.regularization.penalties import check_at_least_0

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RULES = ("best", "one_standard_error", "description_length")


def k_fold(
    n: int, k: int, generator: torch.Generator, *, targets: Tensor | None = None
) -> list[tuple[Tensor, Tensor]]:
    """Deals `n` examples at random into `k` parts; returns k pairs `(train, held_out)` of indices.

    Each example is held out once; sizes differ by at most one, larger parts first, and indices
    rise, as in scikit-learn.  With `targets` (n,), class labels, each class is dealt out by
    itself, so that every part has its share of it.

    Source: Stone, JRSS-B 36, 1974 (from memory, unverified).

    Raises:
        ValueError: `k` is not in 2 ... n, a class has fewer examples than there are parts, or
            there is no generator.
    """
    if not isinstance(n, Integral) or not isinstance(k, Integral) or not 2 <= k <= n:
        raise ValueError(
            f"cannot deal n={n!r} examples into k={k!r} parts: expected an integer k from 2 to n "
            "(with k = n, each example is held out alone)"
        )
    if not isinstance(generator, torch.Generator):
        raise ValueError(
            f"generator is {generator!r}, expected a torch.Generator: data often stand in order "
            "of their class, so the folds are drawn (torch.Generator().manual_seed(0))"
        )
    order = torch.randperm(n, generator=generator)
    if targets is not None:
        order = order[_by_class(targets, n, k)[order].argsort(stable=True)]
        parts = [order[i::k] for i in range(k)]  # dealt like cards, one class after the other
    else:
        parts = torch.tensor_split(order, k)
    part_of = torch.empty(n, dtype=torch.int64)
    for i, part in enumerate(parts):
        part_of[part] = i
    return [((part_of != i).nonzero()[:, 0], (part_of == i).nonzero()[:, 0]) for i in range(k)]


def _by_class(targets: Tensor, n: int, k: int) -> Tensor:
    if targets.shape != (n,) or targets.is_floating_point():
        raise ValueError(
            f"targets are {targets.dtype} of shape {tuple(targets.shape)}, expected one class "
            f"label for each of {n} examples"
        )
    labels, counts = targets.cpu().unique(return_counts=True)
    if counts.min() < k:
        rarest = labels[counts.argmin()].item()
        raise ValueError(
            f"class {rarest} has {counts.min()} examples, fewer than the {k} folds: some fold "
            "would hold none of them, and its score would say nothing about that class (take "
            "fewer folds, or more examples)"
        )
    return targets.cpu()


@dataclass(frozen=True)
class Choice:
    """A chosen `coefficient` and the table that it was chosen from, in rising coefficients.

    `values` are mean scores, or total bits under the rule "description_length"; `standard_errors`
    belong to the means (nan where there is one score alone).
    """

    coefficient: float
    rule: str
    coefficients: tuple[float, ...]
    scores: tuple[tuple[float, ...], ...]
    values: tuple[float, ...]
    standard_errors: tuple[float, ...]

    def figure(
        self, *, ylabel: str = "", title: str = "", parts: Sequence[str] = ("model", "labels")
    ) -> Figure:
        """Scores against the coefficient, the chosen one ringed; `parts` name those of a code."""
        from companion import plotting

        figure, ax = plotting.panels(size=(4.6, 2.9), titles=[title], xlabel="coefficient")
        x, place = self.coefficients, self.coefficients.index(self.coefficient)
        n_scores, is_code = len(self.scores[0]), self.rule == "description_length"
        ax.set_ylabel(ylabel or ("bits" if is_code else "mean score (lower is better)"))
        ax.errorbar(x, self.values, yerr=self.standard_errors if n_scores > 1 and not is_code
                    else None, marker="o", markersize=4, capsize=2, color=plotting.COLORS[0],
                    label="total" if is_code else "mean")  # fmt: skip
        if is_code and n_scores == len(parts):
            for i, name in enumerate(parts):
                style = {"color": plotting.COLORS[i + 1], "linestyle": plotting.LINES[i + 1]}
                ax.plot(x, [score[i] for score in self.scores], label=name, **style)
        if self.rule == "one_standard_error":
            best = self.values.index(min(self.values))
            limit = self.values[best] + self.standard_errors[best]
            ax.axhline(limit, color="0.35", linestyle=":", label="lowest + one standard error")
        ax.plot(x[place], self.values[place], "o", markersize=11, fillstyle="none",
                color=plotting.COLORS[1], label="chosen")  # fmt: skip
        if any(x):
            ax.set_xscale("symlog", linthresh=min(c for c in x if c > 0))
        ax.legend()
        return figure


def choose_coefficient(
    candidates: Sequence[float],
    fit_and_score: Callable[[float], Any],
    *,
    rule: str = "best",
) -> Choice:
    """Calls `fit_and_score(coefficient)` for each candidate and chooses one by its scores.

    A score is a loss: lower is better (give `1 - accuracy`, not accuracy).  `fit_and_score` returns
    one number or several, one for each fold or seed; "best" takes the lowest mean.
    "one_standard_error" takes the largest coefficient whose mean is within one standard error of
    the lowest: what the data cannot tell apart is decided for the simpler model.
    "description_length" adds the numbers up instead, as the parts of a code in bits (model,
    labels), and takes the shortest code.  Ties go to the larger coefficient.

    Source: one standard error: Breiman et al. 1984 (from memory, unverified); shortest code:
    Rissanen, Automatica 14(5), 1978.

    Raises:
        ValueError: no candidates, negative or equal ones, an unknown rule, scores that are not
            finite or not equally many, or a single score where an error is needed.
    """
    if rule not in RULES:
        raise ValueError(f"no rule {rule!r}: expected one of {', '.join(RULES)}")
    coefficients = sorted(float(c) for c in candidates)
    if not coefficients or len(set(coefficients)) < len(coefficients):
        raise ValueError(
            f"candidates are {list(candidates)}, expected at least one and all different"
        )
    for coefficient in coefficients:
        check_at_least_0("a candidate", coefficient)
    scores = [_scores(c, fit_and_score(c)) for c in coefficients]
    counts = {len(s) for s in scores}
    if len(counts) > 1:
        raise ValueError(
            f"candidates got {sorted(counts)} scores, expected equally many for each: compare "
            "coefficients on the same folds"
        )
    table = torch.tensor(scores, dtype=torch.float64)  # (candidates, scores)
    n = table.shape[1]
    if rule == "one_standard_error" and n < 2:
        raise ValueError("one score has no standard error: return one for each of several folds")
    values = table.sum(1) if rule == "description_length" else table.mean(1)
    errors = table.std(1) / math.sqrt(n) if n > 1 else torch.full_like(values, math.nan)
    lowest = values.argmin()
    limit = values[lowest] + (errors[lowest] if rule == "one_standard_error" else 0.0)
    chosen = int((values <= limit).nonzero().max())
    return Choice(
        coefficients[chosen], rule, tuple(coefficients), tuple(scores),
        tuple(values.tolist()), tuple(errors.tolist()),
    )  # fmt: skip


def _scores(coefficient: float, found: Any) -> tuple[float, ...]:
    numbers = torch.as_tensor(found, dtype=torch.float64).reshape(-1).tolist()
    bad = [x for x in numbers if not math.isfinite(x)]
    if bad or not numbers:
        raise ValueError(
            f"the scores of coefficient {coefficient:g} are {numbers}, expected finite numbers: "
            "a comparison with nan is always false, so such a candidate would win or lose by its "
            "place in the list (did training diverge, or is a fold empty?)"
        )
    return tuple(numbers)
