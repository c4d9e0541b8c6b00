"""UMAP: a map on which the edges of a graph pull and random other points push."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real

import torch
from torch import Tensor

from companion.explanation.fuzzygraph import fuzzy_graph
from companion.explanation.points import checked_count, checked_points
from companion.explanation.start import spectral_start, start_of_map

Callback = Callable[[int, Tensor], object]
PUSH_LIMIT = 4.0  # the largest push of one point on another, per axis, as in umap-learn


def fit_ab(min_dist: float, spread: float = 1.0) -> tuple[float, float]:
    """a and b of 1 / (1 + a d^2b) nearest to exp(-(d - min_dist) / spread), 1 below min_dist.

    Least squares on 300 distances from 0 to 3 spread, by Levenberg's damped Gauss-Newton steps.

    Source: McInnes, Healy & Melville, arXiv:1802.03426, 2018; the grid is umap-learn's.

    Raises:
        ValueError: spread is not above 0, or min_dist is outside 0 ... spread.
    """
    if not isinstance(spread, Real) or not 0 < spread < math.inf:
        raise ValueError(f"spread is {spread!r}, expected a positive number")
    if not isinstance(min_dist, Real) or not 0 <= min_dist <= spread:
        raise ValueError(
            f"min_dist is {min_dist!r}, expected 0 to spread = {spread:g}: it is the distance at "
            "which neighbours may lie in the map, whose clumps are about `spread` wide"
        )
    d = torch.linspace(0, 3 * spread, 300, dtype=torch.float64)
    wanted = torch.exp(-(d - min_dist).clamp_min(0) / spread)
    logs = d.clamp_min(1e-300).log()
    damping, squares = 1e-3, math.inf
    best = step = torch.zeros(2, dtype=torch.float64)  # log a, b - 1
    for _ in range(100):
        log_a, b = best + step + torch.tensor([0.0, 1.0])
        curve = torch.sigmoid(-(log_a + 2 * b * logs))  # 1 / (1 + a d^2b)
        now = (wanted - curve).square().sum().item()
        if now <= squares:
            best, gain, squares = best + step, squares - now, now
            slope = -curve * (1 - curve)
            jacobian = torch.stack([slope, slope * 2 * logs], 1)  # (300, 2)
            residual, damping = wanted - curve, damping / 10
            if gain < 1e-15 and damping < 1e-9:
                break
        else:
            damping *= 10
        normal = jacobian.T @ jacobian
        normal.diagonal().mul_(1 + damping)
        step = torch.linalg.solve(normal, jacobian.T @ residual)
    return best[0].exp().item(), 1 + best[1].item()


def umap(
    x: Tensor,
    *,
    n_components: int = 2,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    n_epochs: int | None = None,
    negative_samples: int = 5,
    init: str | Tensor = "spectral",
    seed: int = 0,
    callback: Callback | None = None,
) -> Tensor:
    """A map y (n, n_components) of the points x (n, d): its near points are those of a fuzzy graph.

    In each epoch every edge is drawn with its weight (over the largest) as the chance.  A drawn
    edge pulls its two ends together, downhill on -log w(d) with w(d) = 1 / (1 + a d^2b), and each
    end is pushed off `negative_samples` points drawn at random, downhill on -log(1 - w(d)).  The
    rate falls from 1 to 0 along a line.

    The paper moves edge after edge.  Here all edges of an epoch act on the same positions, so that
    one point may be pulled by many at once, far past all of them.  Therefore the step of a point
    is divided by 1 + 2 rate * stiffness, its stiffness being the sum of pull / distance over its
    edges: two points that only pull each other come nearer and never change sides.  Where pull and
    push balance does not change.  The epochs run in float32.

    n_neighbors: near points of each point, itself among them.
    n_epochs: None is 500 below 10,000 points, else 200.
    init: "spectral" (`spectral_start`; "pca" where the graph is in several pieces), "pca" and
        "random" (a deviation of 10 / 3 along the first axis), or a tensor used as it is.
    callback: called as callback(epoch, y) after every 50 epochs.

    Source: McInnes, Healy & Melville, arXiv:1802.03426, 2018, algorithm 5; the limit on a push is
    that of their umap-learn.

    Raises:
        ValueError: x is no (n, d) of finite floats with n >= 5, all rows are equal, or another
            argument is out of range.
    """
    x = checked_points(x, at_least=5)
    n = len(x)
    checked_count(n_components, "n_components", low=1)
    checked_count(negative_samples, "negative_samples", low=1)
    if n_epochs is None:
        n_epochs = 500 if n < 10_000 else 200
    checked_count(n_epochs, "n_epochs", low=1)
    a, b = fit_ab(min_dist)
    rows, columns, weights = edges = fuzzy_graph(x, n_neighbors)
    start = spectral_start(edges, n, n_components, seed) if init == "spectral" else None
    if start is None:
        start = start_of_map(
            x, "pca" if init == "spectral" else init, n_components, seed, spread=10 / 3
        )
    y = start.float().T.contiguous()  # (m, n): one axis after the other is faster
    once = rows < columns  # every edge in one direction
    head, tail, chance = rows[once], columns[once], (weights[once] / weights.max()).float()
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(n_epochs):
        rate = 1 - epoch / n_epochs
        drawn = torch.rand(len(chance), generator=generator).to(x.device) < chance
        i, j = head[drawn], tail[drawn]
        force, stiffness = _pull(y, i, j, a, b)
        ends = torch.cat([i, j])
        push = y.new_zeros(n_components, len(ends))
        for _ in range(negative_samples):
            others = torch.randint(n, (len(ends),), generator=generator).to(x.device)
            push += _push(y, ends, others, a, b)
        force.index_add_(1, ends, push)
        y += force * (rate / (1 + 2 * rate * stiffness))
        if callback is not None and (epoch + 1) % 50 == 0:
            callback(epoch + 1, y.T.to(x.dtype, copy=True))
    return y.T.to(x.dtype).contiguous()


def _pull(y: Tensor, i: Tensor, j: Tensor, a: float, b: float) -> tuple[Tensor, Tensor]:
    """The pull (m, n) of the edges i - j on the points y (m, n), and the stiffness (n,) of each.

    Every edge pulls twice, once in each direction, as both are in the graph.
    """
    delta, square, power = _apart(y, i, j, b)
    strength = 4 * a * b * power / (square * (1 + a * power))  # (e,), pull / distance
    delta *= strength
    force, stiffness = torch.zeros_like(y), torch.zeros_like(y[0])
    force.index_add_(1, j, delta).index_add_(1, i, delta, alpha=-1)
    stiffness.index_add_(0, i, strength).index_add_(0, j, strength)
    return force, stiffness


def _push(y: Tensor, i: Tensor, j: Tensor, a: float, b: float) -> Tensor:
    """The push (m, e) of the points j on the points i, at most `PUSH_LIMIT` along each axis."""
    delta, square, power = _apart(y, i, j, b)
    delta *= 2 * b / ((square + 1e-3) * (1 + a * power))
    return delta.clamp_(-PUSH_LIMIT, PUSH_LIMIT)


def _apart(y: Tensor, i: Tensor, j: Tensor, b: float) -> tuple[Tensor, Tensor, Tensor]:
    """y_i - y_j (m, e), its square length d^2 (e,), kept above 0, and d^2b (e,)."""
    delta = y.index_select(1, i) - y.index_select(1, j)
    square = delta.square().sum(0).clamp_min_(1e-12)
    return delta, square, square.log().mul_(b).exp_()
