"""What an alarm costs: thresholds on one test set, and what they cost on pictures kept fresh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

PER = 1000  # costs are those of so many pictures


@dataclass(frozen=True)
class Stakes:
    """`missed` and `false_alarm` are what each costs, `share` the share of anomalies."""

    missed: float
    false_alarm: float
    share: float

    def cost(self, miss_rate: Tensor, false_alarm_rate: Tensor) -> Tensor:
        """Expected cost of 1,000 pictures, of which `share` are anomalies."""
        missed = self.share * self.missed * miss_rate
        return PER * (missed + (1 - self.share) * self.false_alarm * false_alarm_rate)

    @property
    def without(self) -> float:
        """The cheaper of two desks that look at nothing: never an alarm, always an alarm."""
        return PER * min(self.share * self.missed, (1 - self.share) * self.false_alarm)


@dataclass(frozen=True)
class Draws:
    """Test sets drawn from the pools, one a row, and what is left of the pools, the fresh part.

    `normal` (D, n) and `anomalies` (D, n) are tested; `fresh_normal` (D, N - n) and
    `fresh_anomalies` (D, M - n) are not.  All are scores.
    """

    normal: Tensor
    anomalies: Tensor
    fresh_normal: Tensor
    fresh_anomalies: Tensor


@cache
def orders(n_draws: int, n_pool: int, seed: int) -> Tensor:
    """`n_draws` random orders of a pool: (D, N)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n_draws, n_pool, generator=generator).argsort(1)


def draw_tests(normal: Tensor, anomalies: Tensor, n_test: int, n_draws: int) -> Draws:
    """`n_draws` test sets with `n_test` normal pictures and as many anomalies."""
    first = normal[orders(n_draws, len(normal), 0)]  # (D, N)
    second = anomalies[orders(n_draws, len(anomalies), 1)]  # (D, M)
    return Draws(first[:, :n_test], second[:, :n_test], first[:, n_test:], second[:, n_test:])


def rates(normal: Tensor, anomalies: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of missed anomalies and of false alarms where the alarm is `score > threshold`.

    Scores (D, n) with one threshold a row, (D,), give (D,) each.
    """
    missed = (anomalies <= thresholds[:, None]).double().mean(1)
    false_alarms = (normal > thresholds[:, None]).double().mean(1)
    return missed, false_alarms


def cheapest(draws: Draws, stakes: Stakes) -> tuple[Tensor, Tensor]:
    """Of each test set the threshold that costs least on it, and that cost: (D,) each.

    Thresholds lie halfway between neighbouring scores, and one beyond each end; of several that
    cost the same it takes the strictest.
    """
    n, m = draws.normal.shape[1], draws.anomalies.shape[1]
    merged, order = torch.cat([draws.normal, draws.anomalies], 1).sort(1)  # (D, n + m)
    is_anomaly = (order >= n).double()
    zero = merged.new_zeros(len(merged), 1)
    missed = torch.cat([zero, is_anomaly.cumsum(1)], 1) / m  # (D, n + m + 1)
    passed = torch.cat([zero, (1 - is_anomaly).cumsum(1)], 1) / n
    cost = stakes.cost(missed, 1 - passed)
    between = (merged[:, 1:] + merged[:, :-1]) / 2
    places = torch.cat([merged[:, :1] - 0.1, between, merged[:, -1:] + 0.1], 1)
    is_tie = torch.zeros_like(cost, dtype=torch.bool)
    is_tie[:, 1:-1] = merged[:, 1:] == merged[:, :-1]  # no threshold separates equal scores
    cost = cost.masked_fill(is_tie, torch.inf)
    least = cost.amin(1)  # (D,)
    last = (cost <= least[:, None] + 1e-9).double().cumsum(1).argmax(1)
    return places.gather(1, last[:, None])[:, 0], least


def precision(stakes: Stakes, recall: Tensor, false_alarm_rate: Tensor) -> Tensor:
    """Share of alarms that are right where `share` of the pictures are anomalies; nan without."""
    right = stakes.share * recall
    return right / (right + (1 - stakes.share) * false_alarm_rate)
