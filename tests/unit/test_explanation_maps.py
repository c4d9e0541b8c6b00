"""PCA, t-SNE, UMAP and the two numbers that judge a map: oracles, laws, bad input."""

from __future__ import annotations

import math

import numpy as np
import openTSNE.affinity
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, _t_sne
from sklearn.manifold import trustworthiness as sklearn_trustworthiness
from sklearn.neighbors import NearestNeighbors

from companion import explanation as E
from companion.data import load

seeds = st.integers(0, 99)


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def permutation(n, seed):
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def squares(x):
    return (x[:, None] - x).square().sum(-1)


def digits(n=300):
    return load("digits", split="all").inputs[:n].flatten(1)


def perplexities(p):
    return 2 ** -torch.xlogy(p, p).sum(1).div(math.log(2))


# ---- PCA ---------------------------------------------------------------------------------------


@given(n=st.integers(2, 12), d=st.integers(1, 9), seed=seeds, data=st.data())
def test_pca_is_that_of_scikit_learn_up_to_signs(n, d, seed, data):
    k = data.draw(st.integers(1, min(n - 1, d)))
    x = randn(n, d, seed=seed) + 5
    found, peer = E.pca(x, n_components=k), PCA(k, svd_solver="full").fit(x.numpy())
    scores = torch.from_numpy(peer.transform(x.numpy()))
    largest = np.take_along_axis(
        peer.components_, np.abs(peer.components_).argmax(1)[:, None], 1
    )  # the sign is that of the largest loading
    assert torch.allclose(found, scores * torch.from_numpy(np.sign(largest[:, 0])), atol=1e-10)


@given(seed=seeds, shift=st.floats(-100, 100))
def test_pca_does_not_see_where_the_points_are_nor_their_order(seed, shift):
    x, order = randn(20, 5, seed=seed), permutation(20, seed)
    y = E.pca(x)
    assert torch.allclose(E.pca(x + shift), y, atol=1e-9)
    assert torch.allclose(E.pca(x[order]), y[order], atol=1e-9)
    assert torch.allclose(E.pca(3 * x), 3 * y, atol=1e-9)
    assert y.mean(0).abs().max() < 1e-12 and y[:, 0].var() >= y[:, 1].var()


def test_a_constant_feature_changes_nothing():
    x = randn(20, 5)
    wider = torch.cat([x, torch.full((20, 1), 7.0)], 1)
    assert torch.allclose(E.pca(wider), E.pca(x), atol=1e-10)
    p, q = E.joint_probabilities(wider, 5), E.joint_probabilities(x, 5)
    assert torch.allclose(p, q, atol=1e-12)


# ---- neighbours and quality --------------------------------------------------------------------


@given(n=st.integers(2, 40), seed=seeds, data=st.data())
def test_neighbours_are_those_of_a_full_sort(n, seed, data):
    k = data.draw(st.integers(1, n - 1))
    # A coarse grid, so that many distances are equal, and copies.
    x = randn(n, 2, seed=seed).mul(2).round()
    lengths, indices = E.nearest_neighbours(x, k)
    for i in range(n):
        order = sorted((squares(x)[i, j].item(), j) for j in range(n) if j != i)[:k]
        assert indices[i].tolist() == [j for _, j in order]
        assert torch.allclose(lengths[i].square(), torch.tensor([d for d, _ in order]).double())


def test_neighbours_over_several_blocks_are_those_of_scikit_learn():
    x = randn(600, 7)
    lengths, indices = E.nearest_neighbours(x, 9)
    peer = NearestNeighbors(n_neighbors=9).fit(x.numpy())
    theirs, numbers = peer.kneighbors()
    assert (indices.numpy() == numbers).all()
    assert np.abs(lengths.numpy() - theirs).max() < 1e-10


@given(n=st.integers(5, 40), seed=seeds, data=st.data())
def test_trustworthiness_is_that_of_scikit_learn(n, seed, data):
    k = data.draw(st.integers(1, (n - 1) // 2))
    x, y = randn(n, 5, seed=seed), randn(n, 2, seed=seed + 1)
    for found, (a, b) in (
        (E.trustworthiness(x, y, k=k), (x, y)),
        (E.continuity(x, y, k=k), (y, x)),
    ):
        assert found == pytest.approx(sklearn_trustworthiness(a, b, n_neighbors=k), abs=1e-12)


def test_trustworthiness_over_several_blocks():
    x, y = randn(600, 7), randn(600, 2, seed=1)
    expected = sklearn_trustworthiness(x, y, n_neighbors=5)
    assert E.trustworthiness(x, y) == pytest.approx(expected, abs=1e-12)
    assert abs(expected - 0.5) < 0.02  # a map drawn at random


@given(n=st.integers(6, 30), seed=seeds, factor=st.floats(0.1, 10))
def test_a_map_that_moves_turns_or_grows_is_as_good(n, seed, factor):
    x, y, order = randn(n, 2, seed=seed), randn(n, 2, seed=seed + 1), permutation(n, seed)
    turn, _ = torch.linalg.qr(randn(2, 2, seed=seed))
    kept = E.trustworthiness(x, y, k=2)
    assert E.trustworthiness(x, factor * y @ turn + 3, k=2) == kept
    assert E.trustworthiness(x[order], y[order], k=2) == pytest.approx(kept, abs=1e-12)
    assert E.trustworthiness(x, x @ turn, k=2) == E.continuity(x, x @ turn, k=2) == 1
    assert 0 <= kept <= 1


def test_each_number_sees_its_own_lie():
    # A ring flattened onto a line puts strangers together; a ring cut open tears neighbours apart.
    angle = torch.linspace(0, 2 * math.pi, 101)[:-1].double()
    ring = torch.stack([angle.cos(), 0.9 * angle.sin()], 1)
    flat, cut = ring[:, :1] + 1e-3 * angle[:, None], angle[:, None]
    assert E.trustworthiness(ring, flat) < 0.8 < 0.95 < E.continuity(ring, flat)
    assert E.continuity(ring, cut) < 0.98 < 0.998 < E.trustworthiness(ring, cut)


# ---- t-SNE: probabilities ----------------------------------------------------------------------


@given(n=st.integers(5, 40), seed=seeds, data=st.data())
def test_every_row_has_its_perplexity(n, seed, data):
    perplexity = data.draw(st.floats(1.01, n / 3 - 0.01))
    d = squares(randn(n, 3, seed=seed))
    p = E.conditional_probabilities(d, perplexity)
    assert torch.allclose(p.sum(1), torch.ones(n).double())
    assert (p.diagonal() == 0).all() and (p >= 0).all()
    assert (perplexities(p) / perplexity - 1).abs().max() < 1e-4
    b = E.row_perplexity_search(d, perplexity)
    i, j, k = permutation(n, seed)[:3]
    if min(p[i, j], p[i, k]) > 1e-12:  # the definition: log-odds are differences of distances
        assert (p[i, j] / p[i, k]).log() == pytest.approx(
            float(b[i] * (d[i, k] - d[i, j])), abs=1e-6
        )


@given(seed=seeds, perplexity=st.sampled_from([2.0, 5.0, 15.0]))
def test_probabilities_are_those_of_scikit_learn(seed, perplexity):
    x = randn(60, 5, seed=seed)
    p = E.joint_probabilities(x, perplexity)
    theirs = _t_sne._joint_probabilities(squares(x).numpy().astype(np.float32), perplexity, 0)
    i, j = np.triu_indices(60, 1)
    assert torch.equal(p, p.T) and p.sum().item() == pytest.approx(1)
    assert np.abs(p.numpy()[i, j] - theirs).max() < 2e-5 * p.max()


def test_probabilities_are_those_of_opentsne():
    x = randn(60, 5)
    kept = openTSNE.affinity.PerplexityBasedNN(  # of 3 x perplexity neighbours: all but one
        x.numpy(), perplexity=19.6, method="exact", symmetrize=True
    ).P.toarray()
    assert np.abs(E.joint_probabilities(x, 19.6).numpy() - kept).max() < 2e-3 * kept.max()


@given(seed=seeds, factor=st.floats(0.01, 100), shift=st.floats(-5, 5))
def test_probabilities_do_not_see_scale_place_or_order(seed, factor, shift):
    x, order = randn(30, 4, seed=seed), permutation(30, seed)
    p = E.joint_probabilities(x, 6)
    assert torch.allclose(E.joint_probabilities(factor * x + shift, 6), p, atol=1e-6)
    assert torch.allclose(E.joint_probabilities(x[order], 6), p[order][:, order], atol=1e-12)


# ---- t-SNE: gradient ---------------------------------------------------------------------------


@given(n=st.integers(5, 30), m=st.integers(1, 3), seed=seeds)
def test_the_gradient_is_that_of_the_divergence(n, m, seed):
    p = E.joint_probabilities(randn(n, 4, seed=seed), 1.5)
    y = randn(n, m, seed=seed + 1).requires_grad_()
    kl = E.kl_divergence(p, y)
    expected = torch.autograd.grad(kl, y)[0]
    found = E.tsne_gradient(p, y)
    assert (found - expected).abs().max() < 1e-10
    assert found.sum(0).abs().max() < 1e-10  # what one point is pulled, the others are
    w = 1 / (1 + squares(y.detach()))
    q = w.fill_diagonal_(0) / w.sum()
    assert kl.item() == pytest.approx(torch.xlogy(p, p / q.clamp_min(1e-300)).sum().item())
    assert kl >= 0


def test_the_gradient_over_several_blocks_is_that_of_scikit_learn():
    x, y = randn(300, 6), randn(300, 2, seed=1)
    p = E.joint_probabilities(x, 20)
    i, j = np.triu_indices(300, 1)
    kl, gradient = _t_sne._kl_divergence(y.numpy().ravel(), p.numpy()[i, j], 1, 300, 2)
    assert np.abs(E.tsne_gradient(p, y).numpy() - gradient.reshape(300, 2)).max() < 1e-10
    assert E.kl_divergence(p, y).item() == pytest.approx(kl)


# ---- t-SNE: the map ----------------------------------------------------------------------------


def test_the_map_of_digits_keeps_neighbours_and_the_divergence_falls():
    x, seen = digits(), []
    y = E.tsne(x, callback=lambda *state: seen.append(state))
    assert y.shape == (300, 2) and y.dtype == x.dtype and torch.isfinite(y).all()
    assert [i for i, _, _ in seen] == list(range(50, 751, 50))
    assert torch.equal(seen[-1][1], y) and not torch.equal(seen[0][1], y)
    kl = [value for _, _, value in seen]
    assert kl[-1] == pytest.approx(
        E.kl_divergence(E.joint_probabilities(x, 30), y).item(), rel=1e-3
    )
    assert all(late < kl[4] for late in kl[5:]) and kl[-1] < kl[6] < kl[5]
    assert E.trustworthiness(x, y) > 0.98 > 0.93 > E.trustworthiness(x, E.pca(x))
    theirs = torch.from_numpy(TSNE(random_state=0, max_iter=750).fit_transform(x.numpy()))
    assert kl[-1] < 1.02 * E.kl_divergence(E.joint_probabilities(x, 30), theirs)


def test_the_seed_decides_and_nothing_else():
    x = digits(100)
    state = torch.get_rng_state()
    one, again, other = (
        E.tsne(x, perplexity=10, n_iterations=60, init="random", seed=s) for s in (0, 0, 1)
    )
    assert torch.equal(one, again) and not torch.allclose(one, other)
    assert torch.equal(torch.get_rng_state(), state)
    start = randn(100, 3, dtype=torch.float32)
    kept = start.clone()
    y = E.tsne(x, n_components=3, perplexity=10, n_iterations=10, init=start)
    assert y.shape == (100, 3) and torch.equal(start, kept)


def test_copies_constants_and_lines_have_maps():
    x = digits(60).double()
    doubled = torch.cat([x, x])
    y = E.tsne(doubled, perplexity=10)
    assert torch.isfinite(y).all() and y.dtype == torch.float64
    apart = (y[:60] - y[60:]).norm(dim=1)
    assert apart.median() < 0.2 * torch.cdist(y, y).median()
    line = torch.cat([torch.linspace(0, 1, 50)[:, None], torch.ones(50, 2)], 1)
    y = E.tsne(line, perplexity=5)
    assert torch.isfinite(y).all() and (y.std(0) > 1e-2).all()
    assert E.trustworthiness(line, y) > 0.99
    assert E.tsne(line[:, :1], perplexity=5, n_iterations=5).shape == (50, 2)


def test_a_perplexity_out_of_reach_is_said():
    x = torch.cat([torch.zeros(20, 3), digits(20)[:, 20:23] + 1])
    with pytest.warns(UserWarning, match=r"cannot be reached in 20 of 40 rows: row 0 has 19 near"):
        p = E.conditional_probabilities(squares(x), 5)
    assert torch.allclose(p[0, 1:20], torch.full((19,), 1 / 19))
    assert (perplexities(p)[20:] - 5).abs().max() < 1e-2


# ---- bad input ---------------------------------------------------------------------------------

X = randn(30, 4, dtype=torch.float32)
NAN = X.clone()
NAN[7, 2] = torch.nan
BAD = {
    "perplexity from n / 3 on": (lambda: E.tsne(X, perplexity=10), r"less than n / 3 = 10"),
    "the default with few points": (lambda: E.tsne(X), "perplexity is 30 for 30 points"),
    "perplexity below 1": (lambda: E.tsne(X, perplexity=0.5), "at least 1"),
    "perplexity inf": (lambda: E.tsne(X, perplexity=math.inf), "finite"),
    "perplexity nan": (lambda: E.joint_probabilities(X, math.nan), "finite"),
    "nan": (lambda: E.tsne(NAN, perplexity=5), "in 1 of 30 rows, the first is row 7"),
    "nan for pca": (lambda: E.pca(NAN), "the first is row 7"),
    "nan in the map": (lambda: E.trustworthiness(X, NAN), "y holds nan"),
    "one sample": (lambda: E.tsne(X[:1], perplexity=5), "has 1 row, expected at least 5"),
    "one sample for pca": (lambda: E.pca(X[:1]), "has 1 row, expected at least 2"),
    "no batch": (lambda: E.tsne(X[0], perplexity=5), r"one point alone is x\[None\]"),
    "images": (lambda: E.pca(torch.zeros(3, 1, 8, 8)), "flattened first"),
    "integers": (lambda: E.tsne(X.long(), perplexity=5), r"x\.float\(\)"),
    "an array": (lambda: E.pca(X.numpy()), "is a ndarray, expected a tensor"),
    "all rows equal": (lambda: E.tsne(torch.ones(30, 4), perplexity=5), "all rows are equal"),
    "init of another shape": (lambda: E.tsne(X, perplexity=5, init=X), r"expected \(30, 2\)"),
    "init unknown": (lambda: E.tsne(X, perplexity=5, init="spectral"), '"pca", "random" or a'),
    "rate": (lambda: E.tsne(X, perplexity=5, learning_rate=0), "learning_rate is 0"),
    "rate in words": (lambda: E.tsne(X, perplexity=5, learning_rate="fast"), "positive number"),
    "iterations": (lambda: E.tsne(X, perplexity=5, n_iterations=0), "n_iterations is 0"),
    "components of pca": (lambda: E.pca(X, n_components=5), "is 5, expected .* 1 to 4"),
    "a table of no distances": (lambda: E.conditional_probabilities(X.abs(), 5), "square matrix"),
    "negative distances": (lambda: E.conditional_probabilities(X @ X.T, 5), "negative"),
    "another number of points": (lambda: E.trustworthiness(X, X[1:]), "30 points .* 29"),
    "k too large": (lambda: E.trustworthiness(X, X, k=15), "k is 15, expected .* 1 to 14"),
    "neighbours too many": (lambda: E.nearest_neighbours(X, 30), "is 30, expected .* 1 to 29"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_words(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()
