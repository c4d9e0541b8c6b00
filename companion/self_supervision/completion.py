"""Three baselines that fill gaps without a network: the mean, the neighbours, the plane.

All take `x` (N, ...), a bool mask that fits it (True = hidden), and complete examples `train`
(M, ...).  What is visible stays exactly as it is; what stands in a gap of `x` is never read.
"""

from __future__ import annotations

import torch
from torch import Tensor

from companion.self_supervision.inputs import check_inputs
from companion.self_supervision.masks import check_mask
from companion.self_supervision.neighbours import nearest
from companion.self_supervision.pca import PCA


def fill_mean(x: Tensor, mask: Tensor, train: Tensor) -> Tensor:
    """Fills each gap with the mean of `train` at that place.

    Raises:
        ValueError: shapes that do not fit, or a mask that hides everything.
    """
    hidden = _check(x, mask, train)
    return torch.where(hidden, train.mean(0), x)


def fill_knn(x: Tensor, mask: Tensor, train: Tensor, *, k: int = 5) -> Tensor:
    """Fills each gap with the mean of the `k` training examples nearest by what is visible.

    Distances are Euclidean: standardize a table first, or its largest column decides alone.

    Raises:
        ValueError: shapes that do not fit, a mask that hides everything, or k outside 1 ... M.
    """
    hidden = _check(x, mask, train)
    visible = (~hidden).flatten(1).to(x.dtype)
    index = nearest(x.masked_fill(hidden, 0.0).flatten(1), train.flatten(1), k, visible=visible)
    mean = torch.zeros_like(x)
    for j in range(k):
        mean += train[index[:, j]] / k
    return torch.where(hidden, mean, x)


def fill_pca(
    x: Tensor, mask: Tensor, train: Tensor, *, n_components: int, ridge: float | None = None
) -> Tensor:
    """Fills each gap from the point of the PCA plane that fits the visible values best.

    The coordinates c minimize `sum over visible (x - mean - c @ components)^2 + ridge * sum_k
    c_k^2 / variance_k`: least squares, held near the mean where little is visible.  `ridge` is a
    variance of noise; by default the one that the plane leaves out.  This is the expected value of
    the hidden part under the Gaussian with these components and this noise.

    Raises:
        ValueError: shapes that do not fit, a mask that hides everything, too many components, or
            a ridge that is not above zero.
    """
    if ridge is not None and not ridge > 0:
        raise ValueError(f"ridge is {ridge}, expected a variance above zero")
    hidden = _check(x, mask, train)
    plane = PCA(n_components).fit(train)
    noise = ridge or max(plane.noise_variance, 1e-6 * float(plane.variances.mean()), 1e-12)
    scaled = plane.components * plane.variances.sqrt()[:, None]  # (K, D); c = z * std
    identity = torch.eye(n_components, dtype=x.dtype, device=x.device)
    visible = (~hidden).flatten(1).to(x.dtype)  # (N, D)
    flat = x.masked_fill(hidden, 0.0).flatten(1)
    filled = []
    for rows, seen in zip(flat.split(64), visible.split(64), strict=True):
        part = scaled * seen[:, None]  # (n, K, D)
        right = part @ (rows - plane.mean)[:, :, None]  # (n, K, 1)
        z = torch.linalg.solve(part @ scaled.T + noise * identity, right)[:, :, 0]
        filled.append(plane.mean + z @ scaled)
    return torch.where(hidden, torch.cat(filled).view_as(x), x)


def _check(x: Tensor, mask: Tensor, train: Tensor) -> Tensor:
    check_inputs(x, "x")
    check_inputs(train, "train")
    if x.shape[1:] != train.shape[1:]:
        raise ValueError(
            f"x has examples of shape {tuple(x.shape[1:])}, train of {tuple(train.shape[1:])}: "
            "gaps are filled from complete examples of the same kind"
        )
    return check_mask(mask, x)
