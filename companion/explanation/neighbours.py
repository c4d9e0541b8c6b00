"""The nearest points of each point, found by looking at all of them."""

from __future__ import annotations

import torch
from torch import Tensor

from companion.explanation.points import checked_count, checked_points, distances

BLOCK = 256  # rows at a time, so that memory is BLOCK * n and not n^2


def nearest_neighbours(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Euclidean distances (n, k) and row numbers (n, k) of the k other points nearest to each.

    Exact; nearest first, and among equal distances the smaller row number first.  A copy of a
    point is its neighbour at distance 0; the point itself is not.

    Raises:
        ValueError: x is no (n, d) of finite floats, or k is outside 1 ... n - 1.
    """
    x = checked_points(x)
    k = checked_count(k, "k, the number of neighbours,", low=1, high=len(x) - 1)
    found = [_nearest(x, start, k) for start in range(0, len(x), BLOCK)]
    lengths, indices = zip(*found, strict=True)
    return torch.cat(lengths), torch.cat(indices)


def _nearest(x: Tensor, start: int, k: int) -> tuple[Tensor, Tensor]:
    rows = torch.arange(start, min(start + BLOCK, len(x)), device=x.device)
    lengths = distances(x[rows], x)  # (block, n)
    lengths[rows - start, rows] = torch.inf
    # topk leaves open which of several equal distances it takes: take all nearer than the k-th,
    # then the first ones that equal it.
    last = lengths.topk(k, largest=False).values[:, -1:]  # (block, 1)
    nearer = lengths < last
    equal = lengths == last
    wanted = nearer | (equal & (equal.cumsum(1) <= k - nearer.sum(1, keepdim=True)))
    indices = wanted.nonzero()[:, 1].view(-1, k)  # row numbers upward
    lengths, order = lengths.gather(1, indices).sort(dim=1, stable=True)
    return lengths, indices.gather(1, order)
