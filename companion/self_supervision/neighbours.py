"""The nearest examples, by the values that can be seen."""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor


def nearest(x: Tensor, train: Tensor, k: int, *, visible: Tensor | None = None) -> Tensor:
    """Indices (N, k) of the rows of `train` (M, D) nearest to each row of `x` (N, D).

    Nearest first; Euclidean distances, over the values where `visible` (N, D) is 1.
    """
    if not isinstance(k, Integral) or not 1 <= k <= len(train):
        raise ValueError(
            f"k is {k!r}, expected an integer from 1 to {len(train)}, the number of examples to "
            "find neighbours among"
        )
    centre = train.mean(0)  # near zero, a difference of squares loses fewer digits
    train, x = train - centre, x - centre
    found = []
    for i in range(0, len(x), 500):
        rows = x[i : i + 500]
        if visible is None:
            distance = train.square().sum(1) - 2 * rows @ train.T  # (n, M), without |x|^2
        else:
            seen = visible[i : i + 500]
            distance = seen @ train.square().T - 2 * (rows * seen) @ train.T
        found.append(distance.topk(k, dim=1, largest=False).indices)
    return torch.cat(found)  # (N, k)
