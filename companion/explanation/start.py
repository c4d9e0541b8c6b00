"""Where a map is before its first step."""

from __future__ import annotations

import torch
from torch import Tensor

from companion.explanation.fuzzygraph import Edges
from companion.explanation.pca import pca
from companion.explanation.points import checked_points


def start_of_map(
    x: Tensor, init: str | Tensor, n_components: int, seed: int, *, spread: float
) -> Tensor:
    """The map (n, n_components) before its first step; `spread` is the deviation along its axis.

    Raises:
        ValueError: init is not "pca", "random" or a finite (n, n_components).
    """
    shape = (len(x), n_components)
    if isinstance(init, Tensor):
        if init.shape != shape:
            raise ValueError(f"init has the shape {tuple(init.shape)}, expected {shape}")
        return checked_points(init, name="init").to(x, copy=True)
    if init not in ("pca", "random"):
        raise ValueError(f'init is {init!r}, expected "pca", "random" or a tensor {shape}')
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(x)
    if init == "random":
        return spread * noise
    scores = pca(x, n_components=min(n_components, *x.shape))
    scores = torch.nn.functional.pad(scores, (0, n_components - scores.shape[1]))
    # Without the jitter a map of points on a line could never leave its line.
    return spread * (scores / scores[:, 0].std() + 0.01 * noise)


def spectral_start(edges: Edges, n: int, n_components: int, seed: int) -> Tensor | None:
    """The next eigenvectors (n, n_components) of D^-1/2 W D^-1/2 after the first, up to 10 in size.

    W is the table of the edges and D its row sums.  What the graph ties together lies together.
    The largest entry of each vector is positive; `seed` draws jitter of 1e-4.  None where this is
    no start: the graph is in several pieces (each would be one point), has too few points, or the
    search for the eigenvectors fails.
    """
    import numpy as np  # SciPy takes a third of a second, which only this start needs
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import ArpackError, eigsh

    rows, columns, weights = (e.cpu().numpy() for e in edges)
    degree = np.bincount(rows, weights, minlength=n)
    if n_components + 1 >= n or (degree == 0).any():
        return None
    scaled = weights / np.sqrt(degree[rows] * degree[columns])
    graph = coo_array((scaled, (rows, columns)), shape=(n, n)).tocsr()
    if connected_components(graph, directed=False)[0] > 1:
        return None
    first = np.random.default_rng(0).standard_normal(n)
    try:
        values, vectors = eigsh(graph, n_components + 1, which="LA", v0=first, tol=1e-4)
    except ArpackError:
        return None
    vectors = torch.from_numpy(vectors[:, np.argsort(-values)[1:]].copy())  # (n, n_components)
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))  # (1, n_components)
    noise = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(seed))
    y = vectors * largest.sign() * (10 / largest.abs().max()) + 1e-4 * noise
    return y.to(edges[2])
