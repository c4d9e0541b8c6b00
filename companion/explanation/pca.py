"""The flat shadow with the largest variance."""

from __future__ import annotations

import torch
from torch import Tensor

from companion.explanation.points import checked_count, checked_points


def pca(x: Tensor, *, n_components: int = 2) -> Tensor:
    """Scores (n, n_components) of the points x (n, d): (x - mean) V, the largest variance first.

    V holds the first right singular vectors of x - mean.  A singular vector has no sign of its
    own: here the largest loading of each (by absolute value, the first among equals) is positive.

    Source: Pearson, Philosophical Magazine 2:559-572, 1901 (from memory, unverified).

    Raises:
        ValueError: x is no (n, d) of finite floats, or n_components is outside 1 ... min(n, d).
    """
    x = checked_points(x)
    n_components = checked_count(n_components, "n_components", low=1, high=min(x.shape))
    centred = x - x.mean(0)
    _, _, vt = torch.linalg.svd(centred, full_matrices=False)
    loadings = vt[:n_components]  # (n_components, d)
    largest = loadings.gather(1, loadings.abs().argmax(1, keepdim=True))  # (n_components, 1)
    return centred @ (loadings * largest.sign()).T  # (n, n_components)
