"""Chapter 06's longer computations: maps of all digits, a stored tree, soft trees of five seeds."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn

from companion import explanation, models
from companion.data import Dataset, load
from companion.device import seed_everything
from companion.explanation.start import spectral_start
from companion.explanation.tsne import _forces
from companion.training import fit, predict

SEEDS = (0, 1, 2)
SETTINGS: dict[str, Any] = dict(lr=3e-3, batch_size=64, progress=False)
N_QUERIES = 20_000


def maps() -> dict[str, Any]:
    """Trustworthiness and continuity of three kinds of maps of the 1,797 digits."""
    x = load("digits", split="all").inputs.flatten(1)

    def row(seed: int, y: Tensor) -> dict[str, Any]:
        return {
            "seed": seed,
            "trustworthiness": explanation.trustworthiness(x, y),
            "continuity": explanation.continuity(x, y),
        }

    digits = {
        "PCA": [row(0, explanation.pca(x))],
        "t-SNE": [row(seed, explanation.tsne(x, seed=seed)) for seed in SEEDS],
        "UMAP": [row(seed, explanation.umap(x, seed=seed)) for seed in SEEDS],
    }
    return {"seeds": list(SEEDS), "digits": digits}


def digits_net(seed: int) -> tuple[nn.Module, Dataset, Dataset]:
    """The network of chapter 06 on the digits, with its training and test images."""
    train, test = load("digits"), load("digits", split="test")
    seed_everything(seed)
    net = nn.Sequential(nn.Flatten(), *models.mlp(64, 100))
    fit(net, train, epochs=30, seed=seed, **SETTINGS)
    return net, train, test


def queries() -> dict[str, Any]:
    """Fidelity of trees of the network's answers, with and without more questions to it."""
    rows = []
    for seed in SEEDS:
        net, train, test = digits_net(seed)
        x, x_test = train.inputs.flatten(1), test.inputs.flatten(1)
        asked = [(0, "noise"), *((N_QUERIES, kind) for kind in ("noise", "mixture", "marginal"))]
        for n_queries, kind in asked:
            for depth in (3, 5, 8, 12):
                tree = explanation.surrogate_tree(
                    net, x, max_depth=depth, n_queries=n_queries, kind=kind,
                    generator=torch.Generator().manual_seed(seed),
                )  # fmt: skip
                rows.append(
                    {
                        "seed": seed,
                        "n_queries": n_queries,
                        "kind": kind,
                        "depth": depth,
                        "n_leaves": tree.n_leaves,
                        "fidelity": explanation.fidelity(tree, net, x_test),
                    }
                )
    return {"seeds": list(SEEDS), "rows": rows}


def soft() -> dict[str, Any]:
    """Soft trees of depth 4 on the digits: taught by labels and by a network, two ways each."""
    rows = []
    for seed in range(5):
        net, train, test = digits_net(seed)
        x, x_test = train.inputs.flatten(1), test.inputs.flatten(1)
        teachers = {
            "labels": train.targets,
            "distilled": (predict(net, train.inputs) / 4).softmax(1),
        }
        for penalty in (0.0, 0.1):
            row: dict[str, Any] = {"seed": seed, "penalty": penalty}
            for name, targets in teachers.items():
                seed_everything(seed)
                tree = explanation.SoftTree(64, depth=4, n_classes=10)
                explanation.train_soft_tree(tree, x, targets, penalty=penalty, seed=seed)
                with torch.no_grad():
                    row[name] = (tree(x_test).argmax(1) == test.targets).double().mean().item()
            rows.append(row)
    return {"seeds": list(range(5)), "rows": rows}


SIX_FEATURES = [
    "mean radius",
    "mean texture",
    "mean concavity",
    "radius error",
    "worst smoothness",
    "worst symmetry",
]


def tree() -> dict[str, Any]:
    """The tree that chapter 06 draws: three questions about a network on six measurements."""
    names = load_breast_cancer().feature_names.tolist()
    chosen = [names.index(name) for name in SIX_FEATURES]
    raw = load("breast_cancer").map(lambda x: x[:, chosen])
    mean, std = raw.inputs.mean(0), raw.inputs.std(0)
    seed_everything(0)
    net = models.mlp(6, 16, 2)
    scaled = raw.map(lambda x: (x - mean) / std)
    fit(net, scaled, epochs=40, lr=5e-3, weight_decay=4.0, batch_size=32, progress=False)

    def answer(x: Tensor) -> Tensor:
        return predict(net, (x - mean) / std)

    grown = explanation.surrogate_tree(answer, raw.inputs, max_depth=3)
    return {
        "seeds": [0],
        "features": SIX_FEATURES,
        "fidelity": explanation.fidelity(grown, answer, raw.inputs),
        "tree": {name: values.tolist() for name, values in grown.arrays().items()},
    }


JOBS = {"maps": maps, "queries": queries, "soft": soft, "tree": tree}
NET = [digits_net, models.mlp]
TREE = [explanation.surrogate_tree, explanation.queries, explanation.grow_tree]
COVERS: dict[str, list[Any]] = {
    "maps": [
        explanation.pca, explanation.nearest_neighbours, explanation.row_perplexity_search,
        explanation.joint_probabilities, explanation.tsne, _forces, explanation.smooth_knn,
        explanation.fuzzy_graph, explanation.fit_ab, spectral_start, explanation.umap,
        explanation.trustworthiness, explanation.continuity,
    ],
    "queries": [*NET, *TREE, explanation.fidelity],
    "soft": [*NET, explanation.SoftTree, explanation.train_soft_tree],
    "tree": [models.mlp, *TREE, explanation.Tree],
}  # fmt: skip
