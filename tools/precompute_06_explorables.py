"""What chapter 06's explorables show: a grid of t-SNE maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from companion.data import load
from companion.explanation import nearest_neighbours, trustworthiness, tsne
from companion.explorables import map_store
from companion.explorables.map_store import packed_bytes, packed_points

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
        neighbours[name] = packed_bytes(nearest_neighbours(x, map_store.N_NEIGHBOURS)[1])
        for perplexity in PERPLEXITIES:
            for start, settings in STARTS.items():
                for n_iterations in ITERATIONS:
                    y = tsne(
                        x, perplexity=perplexity, n_iterations=n_iterations,
                        early_exaggeration=EARLY_EXAGGERATION, **settings,
                    )  # fmt: skip
                    key = f"{name}|{perplexity}|{start}|{n_iterations}"
                    positions[key] = packed_points(y)
                    trust[key] = round(trustworthiness(x, y, k=map_store.N_NEIGHBOURS), 3)
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


JOBS = {"map_honesty": map_honesty}
COVERS = {
    "map_honesty": (clouds, packed_points, packed_bytes, tsne, trustworthiness, nearest_neighbours),
}
