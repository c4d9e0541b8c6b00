"""Maps and the numbers that judge them on every device.

Attribution and trees have files of their own.
"""

from __future__ import annotations

import pytest
import torch
from accelerators import check_agrees, check_repeats_itself
from test_on_accelerator import randn

from companion import explanation

pytestmark = pytest.mark.device

CASES = {}  # public name -> (function of a device that returns tensors, tolerance)

X, MAP = randn(60, 8) + 3 * randn(3, 8, seed=1)[torch.arange(60) % 3], randn(60, 2, seed=2)
DISTANCES = (X[:, None] - X).square().sum(-1)


def case(name, tolerance=1e-4):
    def register(function):
        CASES[name] = (function, tolerance)
        return function

    return register


def same_device(found, where):
    assert all(x.device.type == torch.device(where).type for x in found)
    return found


@case("pca")
def _(where):
    return same_device([explanation.pca(X.to(where), n_components=3)], where)


@case("nearest_neighbours")
def _(where):
    return same_device([*explanation.nearest_neighbours(X.to(where), 7)], where)


for name in ("trustworthiness", "continuity"):

    @case(name)
    def _(where, name=name):
        return [torch.tensor([getattr(explanation, name)(X.to(where), MAP.to(where))])]


for name in ("conditional_probabilities", "row_perplexity_search"):

    @case(name, tolerance=1e-3)
    def _(where, name=name):
        return same_device([getattr(explanation, name)(DISTANCES.to(where), 10)], where)


@case("joint_probabilities", tolerance=1e-3)
def _(where):
    return same_device([explanation.joint_probabilities(X.to(where), 10)], where)


@case("kl_divergence")
def _(where):
    p = explanation.joint_probabilities(X, 10).to(where)
    y = MAP.to(where).requires_grad_()
    kl = explanation.kl_divergence(p, y)
    return same_device([kl[None], *torch.autograd.grad(kl, y)], where)


@case("tsne_gradient")
def _(where):
    p = explanation.joint_probabilities(X, 10).to(where)
    return same_device([explanation.tsne_gradient(p, MAP.to(where))], where)


# Few steps from a start that is spread out: many steps turn the last bit of a sum into another map.


@case("tsne", tolerance=1e-2)
def _(where):
    y = explanation.tsne(X.to(where), perplexity=10, n_iterations=5, init=MAP.to(where))
    return same_device([y, explanation.tsne(X.to(where), perplexity=10, n_iterations=5)], where)


@case("smooth_knn", tolerance=1e-3)
def _(where):
    distances = torch.linspace(0, 3, 8).square().expand(4, 8) * torch.arange(1, 5)[:, None]
    return same_device([*explanation.smooth_knn(distances.to(where))], where)


@case("fuzzy_graph", tolerance=1e-3)
def _(where):
    return same_device([*explanation.fuzzy_graph(X.to(where), 10)], where)


@case("fit_ab")
def _(where):
    return [torch.tensor(explanation.fit_ab(0.1))]


@case("umap", tolerance=1e-2)
def _(where):
    y = explanation.umap(X.to(where), n_neighbors=10, n_epochs=5, init=MAP.to(where))
    spectral = explanation.umap(X.to(where), n_neighbors=30, n_epochs=2)
    return same_device([y, spectral], where)


def test_every_public_name_of_the_maps_has_a_case():
    maps = ("fuzzygraph", "neighbours", "pca", "quality", "tsne", "umap")
    home = {name: getattr(explanation, name).__module__ for name in explanation.__all__}
    assert set(CASES) == {name for name, m in home.items() if m.rsplit(".")[-1] in maps}


@pytest.mark.parametrize("name", CASES)
def test_the_case_repeats_itself_on_the_cpu(name):
    check_repeats_itself(CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_the_device_agrees_with_the_cpu(name, accelerator):
    check_agrees(CASES[name][0], accelerator, f"explanation.{name}", CASES[name][1])
