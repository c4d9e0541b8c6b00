"""How much of the neighbourhoods a map keeps: two numbers, one for each way of lying."""

from __future__ import annotations

import torch
from torch import Tensor

from companion.explanation.neighbours import BLOCK, nearest_neighbours
from companion.explanation.points import checked_count, checked_points, distances


def trustworthiness(x: Tensor, y: Tensor, *, k: int = 5) -> float:
    """1 - 2 / (n k (2n - 3k - 1)) * sum of how far false neighbours really are, in [0, 1].

    For each point i of the map y (n, m) and each of its k nearest j there, r(i, j) is the rank of j
    among the neighbours of i in x (n, d); a false neighbour adds r(i, j) - k.  1: what is near in
    the map is near in the data.  About 0.5: the map was drawn at random.

    Source: Venna & Kaski, ICANN 2001 (from memory, unverified).

    Raises:
        ValueError: not the same number of points, nan or inf, or k outside 1 ... (n - 1) / 2.
    """
    x, y = checked_points(x), checked_points(y, name="y")
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} points and the map y has {len(y)}, expected equally many")
    k = checked_count(k, "k", low=1, high=(len(x) - 1) // 2)
    _, near = nearest_neighbours(y, k)  # (n, k)
    excess = sum(
        (_ranks(x, near[start : start + BLOCK], start) - k).clamp_min(0).sum().item()
        for start in range(0, len(x), BLOCK)
    )
    n = len(x)
    return 1 - 2 * excess / (n * k * (2 * n - 3 * k - 1))


def continuity(x: Tensor, y: Tensor, *, k: int = 5) -> float:
    """Trustworthiness with the roles swapped: 1 where what is near in the data is near in the map.

    It falls where the map tears neighbours apart, as trustworthiness falls where it puts strangers
    together.  Shapes, source and errors as there.
    """
    return trustworthiness(y, x, k=k)


def _ranks(x: Tensor, others: Tensor, start: int) -> Tensor:
    """Ranks (block, k) of the points `others` (block, k) seen from the rows start, start + 1, ...

    The nearest has rank 1; among equal distances the smaller row number comes first.
    """
    every = torch.arange(len(x), device=x.device)
    rows = every[start : start + len(others)]
    lengths = distances(x[rows], x)  # (block, n)
    lengths[rows - start, rows] = torch.inf
    ranks = torch.empty_like(others)
    for column, other in enumerate(others.T):  # (block,)
        own = lengths.gather(1, other[:, None])  # (block, 1)
        before = (lengths < own) | ((lengths == own) & (every < other[:, None]))
        ranks[:, column] = before.sum(1) + 1
    return ranks
