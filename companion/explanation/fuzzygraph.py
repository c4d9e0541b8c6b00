"""The graph that UMAP draws: who is near whom, each point measuring with a ruler of its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from companion.explanation.neighbours import nearest_neighbours
from companion.explanation.points import checked_count, checked_points

Edges = tuple[Tensor, Tensor, Tensor]


def smooth_knn(distances: Tensor) -> tuple[Tensor, Tensor]:
    """rho (n,) and sigma (n,) with sum over j of exp(-max(0, d_ij - rho_i) / sigma_i) = log2(k).

    `distances` is (n, k): of each point its k nearest, upward, the point itself first (0) and left
    out of the sum.  rho_i is the least distance above 0, so that each point has a neighbour of
    weight 1; halving finds sigma_i, which is at least a thousandth of the mean distance.

    Source: McInnes, Healy & Melville, arXiv:1802.03426, 2018, algorithm 3.

    Raises:
        ValueError: no (n, k) of finite floats with k >= 2, a first column that is not 0, or all 0.
    """
    d = checked_points(distances, name="distances", at_least=1)
    if d.shape[1] < 2 or d[:, 0].any() or (d < 0).any():
        raise ValueError(
            f"distances has the shape {tuple(d.shape)} and starts with {d[0, 0]:g}, expected "
            "(n, k) with k of at least 2 and the point itself first, at distance 0"
        )
    if not d.any():
        raise ValueError("all distances are 0: all points are copies of their neighbours")
    above = d.masked_fill(d == 0, torch.inf).amin(1)  # (n,)
    rho = above.masked_fill(above.isinf(), 0)
    excess = (d[:, 1:] - rho[:, None]).clamp_min(0)  # (n, k - 1)
    target = math.log2(d.shape[1])
    low, high = torch.zeros_like(rho), torch.full_like(rho, torch.inf)
    sigma = torch.ones_like(rho)
    for _ in range(64):
        error = torch.exp(-excess / sigma[:, None]).sum(1) - target
        if (error.abs() < 1e-5).all():
            break
        low, high = torch.where(error < 0, sigma, low), torch.where(error < 0, high, sigma)
        sigma = torch.where(high.isinf(), 2 * sigma, (low + high) / 2)
    mean = torch.where(rho > 0, d.mean(1), d.mean())
    return rho, torch.maximum(sigma, 1e-3 * mean)


def fuzzy_graph(x: Tensor, n_neighbors: int) -> Edges:
    """Rows (e,), columns (e,), weights (e,) in (0, 1]: the edges of the points x (n, d).

    Point i gives its neighbour j the weight a = exp(-max(0, d_ij - rho_i) / sigma_i), and j gives
    b to i: the edge has the weight a + b - a b, as "or" of independent chances.  Every edge is
    there in both directions; rows upward, then columns.  `n_neighbors` counts the point itself,
    as umap-learn does.

    Source: McInnes, Healy & Melville, arXiv:1802.03426, 2018, algorithms 1 and 2.

    Raises:
        ValueError: x is no (n, d) of finite floats, n_neighbors is outside 2 ... n, or all rows
            are equal.
    """
    x = checked_points(x, at_least=2)
    n = len(x)
    n_neighbors = checked_count(n_neighbors, "n_neighbors", low=2, high=n)
    if not (x != x[0]).any():
        raise ValueError("all rows are equal, so there is nothing to map")
    lengths, others = nearest_neighbours(x, n_neighbors - 1)  # (n, n_neighbors - 1)
    rho, sigma = smooth_knn(torch.nn.functional.pad(lengths, (1, 0)))
    weights = torch.exp(-(lengths - rho[:, None]).clamp_min(0) / sigma[:, None]).flatten()
    keys, order = (torch.arange(n, device=x.device)[:, None] * n + others).flatten().sort()
    weights = weights[order]
    reverse = keys % n * n + keys // n  # the same edge, seen from its other end
    place = torch.searchsorted(keys, reverse).clamp_max(len(keys) - 1)
    is_mutual = keys[place] == reverse
    back = torch.where(is_mutual, weights[place], 0)
    weights = weights + back - weights * back
    keys, order = torch.cat([keys, reverse[~is_mutual]]).sort()
    weights = torch.cat([weights, weights[~is_mutual]])[order]
    kept = weights > 0  # a very far neighbour's weight is 0 in floating point
    return keys[kept] // n, keys[kept] % n, weights[kept]
