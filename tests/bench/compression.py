"""Weight sharing against scikit-learn's k-means, from the same start and at equal distortion."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.cluster import KMeans

from companion.compression import share_weights
from tools.bench import Comparison, Timed

N_WEIGHTS, N_LEVELS = 100_000, 16


def sharing() -> tuple[Timed, Timed]:
    """100,000 normal weights and 16 levels that start evenly between the extremes."""
    weight = torch.randn(N_WEIGHTS, generator=torch.Generator().manual_seed(0))
    start = np.linspace(weight.min().item(), weight.max().item(), N_LEVELS)[:, None]

    def ours() -> object:
        return share_weights(weight, N_LEVELS)

    def scikit_learn() -> object:
        peer = KMeans(N_LEVELS, init=start, n_init=1, max_iter=1000, tol=0)
        return peer.fit(weight.double().numpy()[:, None])

    distortion = (ours().values() - weight).double().square().sum().item()
    if not abs(distortion / scikit_learn().inertia_ - 1) < 0.01:
        raise ValueError("the two are compared at equal distortion, within a hundredth")
    return ours, scikit_learn


ENTRIES = [
    Comparison(
        name="share_weights", chapter="05", prepare=sharing, peer_name="sklearn.KMeans",
        n_repeats=3, bar=0.1,
    ),
]  # fmt: skip
