"""Weight sharing is k-means on a line: nearest level, mean of its weights, nothing moves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from companion.compression import share_weights

seeds = st.integers(0, 99)
inits = st.sampled_from(["linear", "density", "random"])


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def lloyd(x, levels):
    """k-means with plain loops; a level without weights moves to the weight worst served."""
    groups = None
    while True:
        middles = [(a + b) / 2 for a, b in zip(levels, levels[1:], strict=False)]
        found = [sum(v >= m for m in middles) for v in x]
        if found == groups:
            return levels
        members = [[v for v, g in zip(x, found, strict=True) if g == k] for k in range(len(levels))]
        used = [math.fsum(group) / len(group) for group in members if group]
        by_distance = sorted(x, key=lambda v: -min(abs(v - level) for level in used))
        levels = sorted(used + by_distance[: len(levels) - len(used)])
        groups = found if all(members) else None


@given(seed=seeds, n=st.integers(2, 40), k=st.integers(1, 8))
def test_plain_loops_find_the_same_levels(seed, n, k):
    x = randn(n, seed=seed).double()
    found = share_weights(x, k)
    if k >= n:
        assert torch.equal(found.values(), x)
        return
    expected = lloyd(x.tolist(), np.linspace(x.min().item(), x.max().item(), k).tolist())
    assert found.codebook.tolist() == pytest.approx(expected, abs=1e-12)


@given(seed=seeds, k=st.integers(1, 20), init=inits, keep_zero=st.booleans(), n=st.integers(1, 99))
def test_each_weight_has_its_nearest_level_and_each_level_is_a_mean(seed, k, init, keep_zero, n):
    x = randn(n, seed=seed) * (randn(n, seed=seed + 100) > -0.5)
    keep_zero = keep_zero and k > 1
    found = share_weights(x, k, init=init, keep_zero=keep_zero, generator=seeded(seed))
    book = found.codebook
    assert found.codes.shape == x.shape and found.codes.dtype == torch.int64
    assert book.dtype == x.dtype and 1 <= len(book) <= k
    assert torch.equal(book, book.unique())  # sorted, no repeats
    assert set(found.codes.tolist()) == set(range(len(book)))  # no level without weights
    values = found.values()
    if keep_zero:
        assert torch.equal(values == 0, x == 0)
        x, values, book = x[x != 0], values[x != 0], book[book != 0]
    if len(x):
        best = (x[:, None] - book).abs().min(1).values
        assert torch.allclose((x - values).abs(), best, atol=1e-6)
        for level in book:
            assert x[values == level].mean().item() == pytest.approx(level.item(), abs=1e-5)


@pytest.mark.parametrize("k", [4, 16])
def test_the_distortion_is_scikit_learns(k):
    """The same start and as many steps on 10^5 weights."""
    x = randn(100_000)
    found = share_weights(x, k, max_iter=100)
    start = np.linspace(x.min().item(), x.max().item(), k)[:, None]
    peer = KMeans(k, init=start, n_init=1, max_iter=100, tol=0).fit(x.double().numpy()[:, None])
    distortion = (found.values() - x).double().square().sum().item()
    assert distortion == pytest.approx(peer.inertia_, rel=0.01)


def test_steps_lower_the_distortion_and_the_start_matters():
    x = randn(5000) * randn(5000, seed=1).abs()

    def distortion(init, **kwargs):
        found = share_weights(x, 8, init=init, generator=seeded(), **kwargs)
        return (found.values() - x).square().mean().item()

    assert distortion("linear") < 0.5 * distortion("linear", max_iter=1)
    starts = {init: share_weights(x, 8, init=init, generator=seeded(), max_iter=1).codebook
              for init in ("linear", "density", "random")}  # fmt: skip
    assert starts["linear"].max() > 1.5 * starts["density"].max()  # levels for the large weights
    assert not torch.equal(starts["random"], starts["density"])
    again = share_weights(x, 8, init="random", generator=seeded(1), max_iter=1).codebook
    assert not torch.equal(again, starts["random"])


@given(seed=seeds, n_distinct=st.integers(1, 9))
def test_few_distinct_values_are_kept_exactly(seed, n_distinct):
    levels = randn(n_distinct, seed=seed)
    x = levels[torch.arange(50).view(5, 10) % n_distinct]
    found = share_weights(x, 9)
    assert torch.equal(found.values(), x) and torch.equal(found.codebook, levels.sort().values)


def test_zeros():
    zeros = share_weights(torch.zeros(3, 4), 5, keep_zero=True)
    assert zeros.codebook.tolist() == [0] and not zeros.codes.any()
    x = torch.tensor([-2.0, -0.0, 0.0, 1e-3, 1.0, 2.0])
    found = share_weights(x, 3, keep_zero=True)
    assert found.values()[1:3].tolist() == [0, 0] and (found.values() != 0).sum() == 4
    assert share_weights(torch.tensor([1.0, 2.0]), 1, keep_zero=True).codebook.tolist() == [1.5]
    level_at_zero = share_weights(torch.tensor([-1.0, 0.0, 1.0]), 2, keep_zero=True)
    assert level_at_zero.codebook.tolist() == [0] and not level_at_zero.codes.any()
    with pytest.raises(ValueError, match="n_levels=1 with keep_zero leaves no level for the 4"):
        share_weights(x, 1, keep_zero=True)


def test_levels_that_lose_their_weights_are_put_to_use():
    x = torch.cat([torch.linspace(0, 1, 50), torch.linspace(99, 100, 50)])
    found = share_weights(x, 10)  # eight of ten start where nothing is
    assert len(found.codebook) == 10 and (found.values() - x).abs().max() < 0.3
    repeated = torch.cat([torch.zeros(1000), torch.linspace(1, 2, 7)])
    for init in ("linear", "density", "random"):
        found = share_weights(repeated, 5, init=init, generator=seeded())
        assert len(found.codebook) == 5 and (found.values() - repeated).abs().max() < 0.4


def test_half_precision_weights_keep_their_dtype():
    x = randn(100).half()
    found = share_weights(x, 4)
    assert found.codebook.dtype == torch.float16
    assert torch.allclose(found.codebook, share_weights(x.float(), 4).codebook.half())


def test_sharing_refuses():
    x = randn(10)
    for says, call in (
        (r"weight has shape \(0, 3\): nothing", lambda: share_weights(x[:0].view(0, 3), 2)),
        ("dtype torch.int64, expected floating", lambda: share_weights(torch.arange(4), 2)),
        ("2 of 3 weights are nan or inf",
         lambda: share_weights(torch.tensor([1.0, math.nan, math.inf]), 2)),
        ("n_levels must be an integer of at least 1, got 0", lambda: share_weights(x, 0)),
        ("n_levels must be .* got 2.5", lambda: share_weights(x, 2.5)),
        ("n_levels must be .* got True", lambda: share_weights(x, True)),
        ("max_iter must be .* got 0", lambda: share_weights(x, 2, max_iter=0)),
        ("init must be .* got 'kmeans'", lambda: share_weights(x, 2, init="kmeans")),
        ("pass generator=", lambda: share_weights(x, 2, init="random")),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=says):
            call()
