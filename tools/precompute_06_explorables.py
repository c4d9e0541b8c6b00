"""What chapter 06's explorables show: t-SNE maps, trees of a network's answers, a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from companion import models, training
from companion.data import Dataset, load
from companion.device import seed_everything
from companion.explanation import (
    answers,
    grow_tree,
    nearest_neighbours,
    queries,
    surrogate_tree,
    trustworthiness,
    tsne,
)
from companion.explorables import healing, tree_store, walks
from companion.explorables.dropout_committee import split_mnist
from companion.explorables.map_store import N_NEIGHBOURS, packed_bytes, packed_points
from companion.explorables.tree_store import as_rows, grown, packed_tree

# ---- the map honesty bench ----------------------------------------------------------------------

N_POINTS, N_DIMENSIONS = 250, 64
PERPLEXITIES = (2, 5, 15, 30, 80)
ITERATIONS = (10, 30, 100, 250, 750)
STARTS: dict[str, dict[str, Any]] = {
    "pca": {"init": "pca", "seed": 0},
    "0": {"init": "random", "seed": 0},
    "1": {"init": "random", "seed": 1},
}
# So few points collapse onto each other when attraction counts twelve times as much.
EARLY_EXAGGERATION = 2.0
BLOB_WIDTHS, BLOB_DISTANCE = (1.0, 5.0), 60.0


def clouds() -> dict[str, tuple[Tensor, Tensor]]:
    """What is mapped: points (250, 64) and their labels, of digits, noise and two blobs."""
    digits = load("digits", split="all")
    generator = torch.Generator().manual_seed(0)
    some = torch.randperm(len(digits), generator=generator)[:N_POINTS]
    noise, blobs = (torch.randn(N_POINTS, N_DIMENSIONS, generator=generator) for _ in range(2))
    which = torch.arange(N_POINTS) % 2
    blobs = blobs * torch.tensor(BLOB_WIDTHS)[which, None]
    blobs[:, 0] += BLOB_DISTANCE * which
    return {
        "digits": (digits.inputs[some].flatten(1), digits.targets[some]),
        "noise": (noise, torch.zeros_like(which)),
        "blobs": (blobs, which),
    }


def map_honesty() -> dict[str, Any]:
    """Every map of the bench: data x perplexity x start x iterations, and how far to trust it."""
    positions, trust, labels, neighbours = {}, {}, {}, {}
    for name, (x, label) in clouds().items():
        labels[name] = "".join(map(str, label.tolist()))
        neighbours[name] = packed_bytes(nearest_neighbours(x, N_NEIGHBOURS)[1])
        for perplexity in PERPLEXITIES:
            for start, settings in STARTS.items():
                for n_iterations in ITERATIONS:
                    y = tsne(
                        x, perplexity=perplexity, n_iterations=n_iterations,
                        early_exaggeration=EARLY_EXAGGERATION, **settings,
                    )  # fmt: skip
                    key = f"{name}|{perplexity}|{start}|{n_iterations}"
                    positions[key] = packed_points(y)
                    trust[key] = round(trustworthiness(x, y, k=N_NEIGHBOURS), 3)
                ends = [trust[f"{name}|{perplexity}|{start}|{n}"] for n in ITERATIONS]
                print(name, perplexity, start, ends, flush=True)
    return {
        "seeds": [0, 1],
        "n_points": N_POINTS,
        "perplexities": list(PERPLEXITIES),
        "iterations": list(ITERATIONS),
        "starts": list(STARTS),
        "labels": labels,
        "neighbours": neighbours,
        "trustworthiness": trust,
        "positions": positions,
    }


# ---- the tree surgeon ---------------------------------------------------------------------------

SEED = 0
N_QUERIES = (0, 2_000, 20_000)
MOST_QUESTIONS = 12
GREY = 1 / 16  # the digits have seventeen levels of grey


def digits_network() -> nn.Module:
    """The network of chapter 06 that reads the digits of 8 x 8 pixels."""
    seed_everything(SEED)
    network = nn.Sequential(nn.Flatten(), *models.mlp(64, 100))
    training.fit(
        network, load("digits"), epochs=30, lr=3e-3, batch_size=64, seed=SEED, progress=False
    )
    return network


def tree_surgeon() -> dict[str, Any]:
    """Trees of twelve questions from a network's answers, with and without more questions to it."""
    network, train, test = digits_network(), load("digits"), load("digits", split="test")
    x, said = as_rows(test.inputs), answers(network, test.inputs).numpy()
    trees, fidelity = {}, {}
    for n_queries in N_QUERIES:
        tree = surrogate_tree(
            network, train.inputs.flatten(1), max_depth=MOST_QUESTIONS, n_queries=n_queries,
            step=GREY, generator=torch.Generator().manual_seed(SEED),
        )  # fmt: skip
        kept = grown(tree)
        is_same = kept.label[kept.trace(x, MOST_QUESTIONS)] == said  # (13, 360)
        trees[str(n_queries)] = packed_tree(kept)
        fidelity[str(n_queries)] = [round(float(row.mean()), 3) for row in is_same]
        print(n_queries, tree.n_leaves, fidelity[str(n_queries)], flush=True)
    return {
        "seeds": [SEED],
        "n_queries": list(N_QUERIES),
        "fidelity": fidelity,
        "networks": {"answers": "".join(map(str, said.tolist())), "trees": trees},
    }


# ---- the lie detector ---------------------------------------------------------------------------


def lie_detector() -> dict[str, Any]:
    """The network that is explained, as base64 of float16, and how often it is right."""
    train, held_out = split_mnist()
    seed_everything(SEED)
    model = walks.small_network()
    training.fit(
        model, train, epochs=12, lr=2e-3, schedule="one_cycle", batch_size=64, seed=SEED,
        progress=False,
    )  # fmt: skip
    is_right = training.predict(model, held_out.inputs).argmax(1) == held_out.targets
    accuracy = round(is_right.float().mean().item(), 3)
    print(models.n_parameters(model), accuracy, flush=True)
    return {
        "seeds": [SEED],
        "n_parameters": models.n_parameters(model),
        "accuracy": accuracy,
        "networks": {"trained": healing.packed(model)},
    }


JOBS = {"lie_detector": lie_detector, "map_honesty": map_honesty, "tree_surgeon": tree_surgeon}
COVERS = {
    "lie_detector": (
        "mnist.npz",
        split_mnist,
        walks.small_network,
        healing.packed,
        training._run_epoch,
        training._make_optimizer,
        training._make_schedule,
        Dataset.batches,
    ),
    "map_honesty": (clouds, packed_points, packed_bytes, tsne, trustworthiness, nearest_neighbours),
    "tree_surgeon": (
        digits_network,
        training._run_epoch,
        training._make_optimizer,
        Dataset.batches,
        models.mlp,
        surrogate_tree,
        queries,
        grow_tree,
        packed_tree,
        grown,
        tree_store.Grown,
    ),
}
