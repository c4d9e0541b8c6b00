"""PCA, t-SNE, UMAP and the two numbers that judge a map: oracles, laws, bad input."""

from __future__ import annotations

import importlib
import math

import numpy as np
import openTSNE.affinity
import pytest
import torch
import umap.umap_ as umap_learn
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


# ---- UMAP --------------------------------------------------------------------------------------

umap_module = importlib.import_module("companion.explanation.umap")  # the package has the function


@given(n=st.integers(2, 30), seed=seeds, data=st.data())
def test_each_point_has_its_ruler(n, seed, data):
    k = data.draw(st.integers(2, n))
    # A grid, so that some distances are 0: copies.
    x = randn(n, 3, seed=seed).mul(3).round()
    if not (x != x[0]).any():
        return
    lengths = torch.cat([torch.zeros(n, 1), E.nearest_neighbours(x, k - 1)[0]], 1)
    if not lengths.any():
        return
    rho, sigma = E.smooth_knn(lengths)
    theirs, nearest = umap_learn.smooth_knn_dist.py_func(lengths.float().numpy(), float(k))
    assert np.abs(rho.numpy() - nearest).max() < 1e-5
    # Where copies alone reach the target any small sigma does: the weights are the same.
    excess = (lengths[:, 1:] - rho[:, None]).clamp_min(0)
    weights, expected = (torch.exp(-excess / s[:, None]) for s in (sigma, torch.tensor(theirs)))
    assert (weights - expected).abs().max() < 1e-3


@given(n=st.integers(6, 40), seed=seeds, data=st.data())
def test_the_graph_is_that_of_umap_learn(n, seed, data):
    k = data.draw(st.integers(3, n))
    x = randn(n, 4, seed=seed)
    rows, columns, weights = E.fuzzy_graph(x, k)
    lengths, indices = E.nearest_neighbours(x, k - 1)
    full = torch.cat([torch.zeros(n, 1), lengths], 1).float().numpy()
    numbers = torch.cat([torch.arange(n)[:, None], indices], 1).numpy()
    sigma, rho = umap_learn.smooth_knn_dist.py_func(full, float(k))
    found = umap_learn.compute_membership_strengths.py_func(numbers, full, sigma, rho)
    one_way = np.zeros((n, n))
    one_way[found[0], found[1]] = found[2]
    theirs = one_way + one_way.T - one_way * one_way.T
    table = torch.zeros(n, n, dtype=x.dtype)
    table[rows, columns] = weights
    assert np.abs(table.numpy() - theirs).max() < 1e-3
    assert torch.equal(table, table.T) and (table.diagonal() == 0).all()
    assert (table.amax(1) > 0.999).all()  # the nearest neighbour has weight 1
    assert (rows * n + columns).diff().gt(0).all() and weights.gt(0).all() and weights.max() <= 1


@given(seed=seeds, factor=st.floats(0.1, 10))
def test_the_graph_does_not_see_scale_place_or_order(seed, factor):
    x, order = randn(30, 4, seed=seed), permutation(30, seed)
    for changed, back in ((factor * x + 3, torch.arange(30)), (x[order], order)):
        rows, columns, weights = E.fuzzy_graph(changed, 6)
        found, expected = torch.zeros(30, 30).double(), torch.zeros(30, 30).double()
        found[back[rows], back[columns]] = weights
        rows, columns, weights = E.fuzzy_graph(x, 6)
        expected[rows, columns] = weights
        assert (found - expected).abs().max() < 1e-3


@pytest.mark.parametrize("spread", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 1.0])
def test_a_and_b_are_those_of_umap_learn(share, spread):
    found = E.fit_ab(share * spread, spread)
    assert found == pytest.approx(umap_learn.find_ab_params(spread, share * spread), rel=1e-4)


@given(seed=seeds, m=st.integers(1, 3), min_dist=st.sampled_from([0.0, 0.1, 0.9]))
def test_pull_and_push_run_downhill(seed, m, min_dist):
    a, b = E.fit_ab(min_dist)
    y = randn(m, 9, seed=seed).mul(2).requires_grad_()
    i, j = permutation(9, seed)[:8].view(2, 4)
    d = (y[:, i] - y[:, j]).square().sum(0)
    w = 1 / (1 + a * d**b)
    pull, stiffness = umap_module._pull(y.detach(), i, j, a, b)
    downhill = -torch.autograd.grad(-2 * w.log().sum(), y, retain_graph=True)[0]
    assert (pull - downhill).abs().max() < 1e-9 * (1 + downhill.abs().max())
    expected = pull[:, i].norm(dim=0) / d.detach().sqrt()
    assert torch.allclose(stiffness[i], expected) and torch.allclose(stiffness[j], expected)
    push = umap_module._push(y.detach(), i, j, a, b)
    downhill = -torch.autograd.grad(-(1 - w).log().sum(), y)[0][:, i]
    # The push has a thousandth added to d^2, and an upper limit.
    expected = (downhill * (d / (d + 1e-3)).detach()).clamp(-4, 4)
    assert (push - expected).abs().max() < 1e-6


@given(seed=seeds, rate=st.floats(0.01, 1))
def test_no_pull_overshoots(seed, rate):
    # With the strengths held fixed, a step of all edges at once lowers the energy of the springs.
    a, b = E.fit_ab(0.1)
    y, pairs = randn(2, 12, seed=seed), torch.combinations(torch.arange(12)).T
    i, j = pairs[:, permutation(66, seed)[:40]]
    pull, stiffness = umap_module._pull(y, i, j, a, b)
    strength = umap_module._pull(
        y[:, torch.cat([i, j])], torch.arange(40), torch.arange(40, 80), a, b
    )[1]
    after = y + pull * (rate / (1 + 2 * rate * stiffness))
    energies = [(strength[:40] * (z[:, i] - z[:, j]).square().sum(0)).sum() for z in (y, after)]
    assert energies[1] < energies[0]
    pair = randn(2, 2, seed=seed)
    pull, stiffness = umap_module._pull(pair, torch.tensor([0]), torch.tensor([1]), a, b)
    after = pair + pull * (rate / (1 + 2 * rate * stiffness))
    assert ((after[:, 0] - after[:, 1]) * (pair[:, 0] - pair[:, 1]) > 0).all()


def test_umap_of_digits_keeps_neighbours():
    x, seen = digits(), []
    y = E.umap(x, callback=lambda *state: seen.append(state))
    assert y.shape == (300, 2) and y.dtype == x.dtype and torch.isfinite(y).all()
    assert [epoch for epoch, _ in seen] == list(range(50, 501, 50))
    assert torch.equal(seen[-1][1], y) and not torch.equal(seen[0][1], y)
    assert E.trustworthiness(x, y) > 0.98 > 0.93 > E.trustworthiness(x, E.pca(x))
    assert E.continuity(x, y) > 0.98


@pytest.mark.full  # umap-learn compiles for twenty seconds
def test_umap_keeps_as_much_as_umap_learn():
    x = digits()
    peer = umap_learn.UMAP(random_state=0, n_jobs=1)
    y, theirs = E.umap(x), torch.from_numpy(peer.fit_transform(x.numpy()))
    assert E.trustworthiness(x, y) > E.trustworthiness(x, theirs) - 0.005
    assert E.continuity(x, y) > E.continuity(x, theirs) - 0.005


def test_umap_is_decided_by_its_seed():
    x = digits(100)
    state = torch.get_rng_state()
    one, again, other = (E.umap(x, n_epochs=20, seed=s) for s in (0, 0, 1))
    assert torch.equal(one, again) and not torch.allclose(one, other)
    assert torch.equal(torch.get_rng_state(), state)
    start = randn(100, 3, dtype=torch.float32)
    kept = start.clone()
    assert E.umap(x, n_components=3, n_epochs=2, init=start).shape == (100, 3)
    assert torch.equal(start, kept)


def test_min_dist_is_kept():
    x = digits(200)
    near = [E.nearest_neighbours(E.umap(x, min_dist=m), 1)[0].median() for m in (0.0, 0.3, 0.9)]
    assert near[0] < 0.5 * near[1] < 0.5 * near[2]


def test_the_spectral_start_is_that_of_a_full_decomposition():
    start = importlib.import_module("companion.explanation.start")
    x = digits(200).double()
    rows, columns, weights = edges = E.fuzzy_graph(x, 15)
    table = torch.zeros(200, 200).double()
    table[rows, columns] = weights
    root = table.sum(1).sqrt()
    _, vectors = torch.linalg.eigh(table / root / root[:, None])
    y = start.spectral_start(edges, 200, 2, 0)
    for axis, vector in zip(y.T, vectors.T.flip(0)[1:3], strict=True):
        assert abs(float(torch.cosine_similarity(axis, vector, dim=0))) > 0.9999
    assert y.abs().max() == pytest.approx(10, abs=1e-2)
    assert all(axis[axis.abs().argmax()] > 0 for axis in y.T)
    apart = torch.cat([x[:100], x[100:] + 100])  # two pieces: no start, and the map does without
    assert start.spectral_start(E.fuzzy_graph(apart, 5), 200, 2, 0) is None
    y = E.umap(apart, n_neighbors=5, n_epochs=50)
    assert torch.isfinite(y).all() and E.trustworthiness(apart, y) > 0.9


def test_umap_of_copies_constants_and_lines():
    x = digits(60)
    y = E.umap(torch.cat([x, x]), n_epochs=200)
    apart = (y[:60] - y[60:]).norm(dim=1)
    assert torch.isfinite(y).all() and apart.median() < 0.2 * torch.cdist(y, y).median()
    line = torch.cat([torch.linspace(0, 1, 50)[:, None], torch.ones(50, 2)], 1)
    assert E.trustworthiness(line, E.umap(line, n_neighbors=5, n_epochs=200)) > 0.95
    assert E.umap(line[:6, :1], n_neighbors=3, n_epochs=5).shape == (6, 2)


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
    "umap of nan": (lambda: E.umap(NAN), "the first is row 7"),
    "umap of one sample": (lambda: E.umap(X[:1]), "has 1 row, expected at least 5"),
    "umap of equal rows": (lambda: E.umap(torch.ones(30, 4)), "all rows are equal"),
    "umap of integers": (lambda: E.umap(X.long()), r"x\.float\(\)"),
    "too many neighbours": (lambda: E.umap(X[:10]), "n_neighbors is 15, expected .* 2 to 10"),
    "min_dist above spread": (lambda: E.umap(X, min_dist=1.5), "expected 0 to spread = 1"),
    "negative min_dist": (lambda: E.fit_ab(-0.1), "min_dist is -0.1"),
    "spread": (lambda: E.fit_ab(0.1, 0), "spread is 0"),
    "epochs": (lambda: E.umap(X, n_epochs=0), "n_epochs is 0"),
    "negative samples": (lambda: E.umap(X, negative_samples=0), "negative_samples is 0"),
    "init of umap": (lambda: E.umap(X, init="tsne"), "init is 'tsne', expected"),
    "not itself first": (lambda: E.smooth_knn(X.abs()), "the point itself first"),
    "no distance above 0": (lambda: E.smooth_knn(torch.zeros(3, 2)), "copies of their neighbours"),
    "another number of points": (lambda: E.trustworthiness(X, X[1:]), "30 points .* 29"),
    "k too large": (lambda: E.trustworthiness(X, X, k=15), "k is 15, expected .* 1 to 14"),
    "neighbours too many": (lambda: E.nearest_neighbours(X, 30), "is 30, expected .* 1 to 29"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_words(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()
