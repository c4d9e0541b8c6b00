"""Shapley values: the average worth of a feature over all orders in which features can arrive."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral
from typing import NamedTuple

import torch
from torch import Tensor

from companion.explanation.scores import Model, check_classes, check_inputs, check_targets

MAX_PLAYERS = 15
ROWS_PER_CALL = 65_536
METHODS = ("exact", "sampled")


class ShapleyValues(NamedTuple):
    """`base + values.sum(1)` is the output of the model for each example."""

    values: Tensor  # (n, d)
    base: Tensor  # mean output over the background: (), or (n,) where each has its own target
    standard_error: Tensor | None  # (n, d) where the values were sampled


def exact_shapley(value: Callable[[Tensor], Tensor], n_players: int) -> Tensor:
    """Shapley values of a game, (n_players, ...).

    `value` takes coalitions (2^d, d), bool with True = takes part, and gives their worth
    (2^d, ...).  Player i gets the sum over coalitions S without i of
    `|S|! (d - |S| - 1)! / d! * (value(S + i) - value(S))`; all get `value(everyone) -
    value(nobody)` together.

    Source: Shapley 1953 (from memory, unverified).

    Raises:
        ValueError: more than 15 players, or another number of worths than of coalitions.
    """
    masks = coalitions(n_players)
    worth = value(masks)
    if not isinstance(worth, Tensor) or worth.ndim < 1 or len(worth) != len(masks):
        found = tuple(worth.shape) if isinstance(worth, Tensor) else type(worth).__name__
        raise ValueError(
            f"value(coalitions) gives {found}, expected one worth for each of the {len(masks)} "
            "coalitions: (2^d, ...)"
        )
    weights = _weights(masks).to(worth)  # (d, 2^d)
    return torch.tensordot(weights, worth, 1)  # (d, 2^d) x (2^d, ...) -> (d, ...)


def coalitions(n_players: int) -> Tensor:
    """All subsets of the players, bool (2^d, d); player i takes part where bit i of the row is 1.

    Raises:
        ValueError: no players, or more than 15.
    """
    if not isinstance(n_players, Integral) or n_players < 1:
        raise ValueError(f"n_players is {n_players!r}, expected an integer of at least 1")
    if n_players > MAX_PLAYERS:
        raise ValueError(
            f"{n_players} players have 2^{n_players} = {2**n_players:,} coalitions, too many to "
            f"ask about each (the limit is {MAX_PLAYERS} players): sample orders instead"
        )
    return (torch.arange(2**n_players)[:, None] >> torch.arange(n_players)) % 2 == 1


def shapley_values(
    model: Model,
    x: Tensor,
    background: Tensor,
    *,
    target: int | Tensor | None = None,
    method: str = "exact",
    n_samples: int = 64,
    generator: torch.Generator | None = None,
) -> ShapleyValues:
    """Shapley values of the features of `x` (n, d), for the model's output.

    The worth of a coalition is the mean output over the rows of `background` (b, d), with the
    features of the coalition taken from x: features are cut from one another, so that a row may be
    one that no data hold.  `target` chooses the output; None is for models with one.  "exact" asks
    about all 2^d coalitions.  "sampled" averages over `n_samples` orders, each drawn with its
    reverse, the same ones for all examples, by `generator` (torch's global one where it is None);
    the standard error is that over the pairs.

    Source: Lundberg & Lee, NIPS 2017.

    Raises:
        ValueError: more than 15 features for "exact", an odd number of samples, a background of
            another width, nan, a target that is not there.
    """
    x, background = check_inputs(model, x), check_inputs(model, background, "background")
    if x.ndim != 2 or background.shape[1:] != x.shape[1:]:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and background {tuple(background.shape)}, expected "
            "(n, d) and (b, d)"
        )
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(METHODS)}")
    n, d = x.shape
    if method == "exact":
        _check_cost(d, n, len(background))
        masks = coalitions(d)
        orders = None
    else:
        orders = _draw_orders(d, n_samples, generator)
        masks = _arrivals(orders)
    if target is not None:
        target = check_targets(target, n)
    worths = [
        _worth(
            model,
            row,
            background,
            masks,
            target[i : i + 1] if isinstance(target, Tensor) else target,
        )
        for i, row in enumerate(x)
    ]
    worth = torch.stack(worths, 1)  # (coalitions, n)
    base = (
        worth[0] if isinstance(target, Tensor) else worth[0, 0]
    )  # nobody takes part: background alone
    if orders is None:
        values = torch.tensordot(_weights(masks).to(worth), worth, 1)  # (d, n)
        return ShapleyValues(values.T, base, None)
    values, error = _average(worth.view(len(orders), d + 1, n), orders.to(worth.device))
    return ShapleyValues(values.T, base, error.T)


def _worth(
    model: Model, row: Tensor, background: Tensor, masks: Tensor, target: int | Tensor | None
) -> Tensor:
    """Mean output over the background for each coalition (c, d) of one example: (c,)."""
    found = []
    for part in masks.to(row.device).split(max(1, ROWS_PER_CALL // len(background))):
        mixed = torch.where(part[:, None], row, background)  # (c, 1, d), (b, d) -> (c, b, d)
        with torch.no_grad():
            output = _chosen(model(mixed.flatten(0, 1)), len(part) * len(background), target)
        found.append(output.view(len(part), -1).mean(1))  # (c, b) -> (c,)
    return torch.cat(found)


def _chosen(outputs: Tensor, n: int, target: int | Tensor | None) -> Tensor:
    """The output that is explained, (n,)."""
    if not isinstance(outputs, Tensor) or outputs.ndim not in (1, 2) or len(outputs) != n:
        found = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ValueError(f"the model gives {found} for {n} rows, expected (n, k) or (n,)")
    if target is None:
        if outputs.ndim == 2 and outputs.shape[1] != 1:
            raise ValueError(
                f"the model has {outputs.shape[1]} outputs: target says which one is explained"
            )
        return outputs.reshape(n)
    table = outputs.view(n, -1)
    return table[:, int(check_classes(target, 1, table.shape[1]))]


def _weights(masks: Tensor) -> Tensor:
    """Of each coalition (c, d) in the value of each player: float64 (d, c)."""
    d = masks.shape[1]
    size = masks.sum(1)
    weight = torch.tensor(
        [math.factorial(s) * math.factorial(d - s - 1) / math.factorial(d) for s in range(d)],
        dtype=torch.float64,
    )
    joins = weight[(size - 1).clamp(min=0)]  # what S + i counts for a member i
    stays = weight[size.clamp(max=d - 1)]  # what S counts for one who is not in it
    return torch.where(masks.T, joins, -stays)


def _draw_orders(d: int, n_samples: int, generator: torch.Generator | None) -> Tensor:
    """Orders of the features (n_samples, d); 2i + 1 is 2i from its end."""
    if not isinstance(n_samples, Integral) or n_samples < 4 or n_samples % 2:
        raise ValueError(
            f"n_samples is {n_samples!r}, expected an even integer of at least 4: orders come in "
            "pairs, one the reverse of the other, and the error needs two pairs"
        )
    orders = [torch.randperm(d, generator=generator) for _ in range(n_samples // 2)]
    return torch.stack([order for o in orders for order in (o, o.flip(0))])


def _arrivals(orders: Tensor) -> Tensor:
    """Who is there after 0 ... d arrivals in each order: bool (n_orders * (d + 1), d)."""
    d = orders.shape[1]
    rank = orders.argsort(1)  # (n_orders, d): when each feature arrives
    there = rank[:, None, :] < torch.arange(d + 1)[:, None]  # (n_orders, d + 1, d)
    return there.flatten(0, 1)


def _average(worth: Tensor, orders: Tensor) -> tuple[Tensor, Tensor]:
    """Mean gain of each feature over the orders and its standard error, (d, n) each."""
    gains = worth.diff(dim=1)  # (n_orders, d + 1, n) -> (n_orders, d, n), by time of arrival
    where = orders.argsort(1)[:, :, None].expand_as(gains)
    gains = gains.gather(1, where)  # by feature
    pairs = gains.view(-1, 2, *gains.shape[1:]).mean(1)  # (n_pairs, d, n)
    return pairs.mean(0), pairs.std(0) / math.sqrt(len(pairs))


def _check_cost(d: int, n: int, n_background: int) -> None:
    if d > MAX_PLAYERS:
        raise ValueError(
            f"exact Shapley values of {d} features need 2^{d} x {n_background} = "
            f"{2**d * n_background:,} model calls for each example (the limit is {MAX_PLAYERS} "
            'features): use method="sampled", or explain groups of features'
        )
