"""Chapter 05's two classic networks as files: pruned, shared, coded; five folds, two seeds."""

from __future__ import annotations

import base64
import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion import models
from companion.compression import (
    Pruner,
    compress,
    gradual_density,
    prunable,
    pruning_masks,
    share_weights,
)
from companion.data import Dataset, load
from companion.device import seed_everything
from companion.training import predict

SEEDS, N_FOLDS, BATCH_SIZE = (0, 1), 5, 100
BIAS_STEPS = 16  # biases are rounded to sixteenths


@dataclass(frozen=True)
class Recipe:
    """How one network is trained: steps before and after the two ways part, and sizes."""

    make: Callable[[], nn.Module]
    shift: int  # pixels, the augmentation of both networks
    lr: float
    n_first: int
    n_second: int
    n_levels: int  # values besides zero
    densities: tuple[float, ...]  # to choose from
    choice_seeds: tuple[int, ...]


LENET_300_100 = Recipe(models.lenet_300_100, 1, 3e-3, 1000, 5000, 8, (0.03, 0.05, 0.07), (7, 8, 9))
LENET5 = Recipe(models.lenet5_caffe, 1, 2e-3, 300, 1500, 4, (0.01, 0.015, 0.025), (7,))


def moved(x: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Images (N, 1, H, W), each moved by up to `most` pixels each way, zeros coming in."""
    n, _, height, width = x.shape
    down, right = torch.randint(0, 2 * most + 1, (2, n), generator=generator)
    padded = F.pad(x, [most] * 4)
    rows = (down[:, None] + torch.arange(height))[:, :, None]  # (N, H, 1)
    columns = (right[:, None] + torch.arange(width))[:, None, :]  # (N, 1, W)
    return padded[torch.arange(n)[:, None, None], 0, rows, columns].unsqueeze(1)


def batches(
    data: Dataset, shift: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        for rows in torch.randperm(len(data), generator=generator).split(BATCH_SIZE):
            yield moved(data.inputs[rows], shift, generator), data.targets[rows]


def cosine(step: int, n_steps: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, step / n_steps))))


def error(model: nn.Module, data: Dataset) -> float:
    """Wrong answers, in percent."""
    return 100 * (predict(model, data.inputs).argmax(1) != data.targets).float().mean().item()


def both(
    recipe: Recipe, train: Dataset, densities: tuple[float, ...], seed: int
) -> tuple[nn.Module, dict[float, nn.Module]]:
    """The dense network and the small ones: a common start, then equally many steps each."""
    seed_everything(seed)
    model, generator = recipe.make(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=0.05)
    stream = batches(train, recipe.shift, generator)
    for _ in range(recipe.n_first):
        _step(model, optimizer, *next(stream))

    def copies() -> tuple[nn.Module, torch.optim.Optimizer, Iterator[tuple[Tensor, Tensor]]]:
        twin = copy.deepcopy(model)
        its_optimizer = torch.optim.AdamW(twin.parameters(), lr=recipe.lr, weight_decay=0.05)
        its_optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        own = torch.Generator().manual_seed(seed + 1000)
        return twin, its_optimizer, batches(train, recipe.shift, own)

    dense, its_optimizer, stream = copies()
    for step in range(recipe.n_second):
        its_optimizer.param_groups[0]["lr"] = recipe.lr * cosine(step, recipe.n_second)
        _step(dense, its_optimizer, *next(stream))
    small = {density: _small(recipe, density, *copies()) for density in densities}
    return dense, small


def _small(
    recipe: Recipe,
    density: float,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    stream: Iterator[tuple[Tensor, Tensor]],
) -> nn.Module:
    """Prunes for two fifths of the steps, repairs for two fifths, shares for the last."""
    n_steps = recipe.n_second
    n_prune, n_share = 2 * n_steps // 5, n_steps // 5
    pruner = Pruner(model, pruning_masks(model, 1.0, scope="global"))
    pruner.attach(optimizer)
    for step in range(n_steps - n_share):
        if step % 20 == 0 and step <= n_prune:
            now = gradual_density(step, n_prune, density)
            pruner.update(pruning_masks(model, now, scope="global"))
        part = cosine(step - n_prune, n_steps - n_share - n_prune)
        optimizer.param_groups[0]["lr"] = recipe.lr * (0.05 + 0.95 * part)
        _step(model, optimizer, *next(stream))
    return _shared(recipe, model, stream, n_share)


def _shared(
    recipe: Recipe, model: nn.Module, stream: Iterator[tuple[Tensor, Tensor]], n_steps: int
) -> nn.Module:
    """Few values a layer: assigned once by k-means, then the values themselves are trained.

    Biases are rounded first and stay; the values end in half precision.
    """
    biases = {n: p for n, p in model.named_parameters() if n.endswith("bias")}
    with torch.no_grad():
        for bias in biases.values():
            bias.copy_((bias * BIAS_STEPS).round() / BIAS_STEPS)
    shared = {
        name: share_weights(weight, recipe.n_levels + 1, keep_zero=True)
        for name, weight in prunable(model).items()
    }
    books = {name: s.codebook.clone().requires_grad_() for name, s in shared.items()}
    is_free = {name: (s.codebook != 0).float() for name, s in shared.items()}
    optimizer = torch.optim.Adam(list(books.values()))

    def weights() -> dict[str, Tensor]:
        return {f"{n}.weight": (books[n] * is_free[n])[s.codes] for n, s in shared.items()}

    for step in range(n_steps):
        optimizer.param_groups[0]["lr"] = 0.15 * recipe.lr * cosine(step, n_steps)
        x, targets = next(stream)
        logits = torch.func.functional_call(model, weights(), (x,))
        optimizer.zero_grad()
        F.cross_entropy(logits, targets).backward()
        optimizer.step()
    with torch.no_grad():
        for name, weight in prunable(model).items():
            weight.copy_(weights()[f"{name}.weight"].half().float())
    return model


def _step(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, targets: Tensor) -> None:
    loss = F.cross_entropy(model(x), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def choose(recipe: Recipe) -> dict[str, Any]:
    """The smallest density that is surely good enough on held-out images.

    Its errors, paired with the dense network's, may be 0.2 points more in the mean, one standard
    error included.  Settled on 600 of the first fold's training images, with seeds that are not
    used again.
    """
    train, _ = fold(0)
    rest, held_out = train.hold_out(600, torch.Generator().manual_seed(7))
    rows = []
    for seed in recipe.choice_seeds:
        dense, small = both(recipe, rest, recipe.densities, seed)
        its_errors = {str(d): error(model, held_out) for d, model in small.items()}
        rows.append({"dense": error(dense, held_out), **its_errors})
    return {"errors": rows, "density": smallest(recipe, rows)}


def smallest(recipe: Recipe, rows: list[dict[str, float]]) -> float:
    def most(density: float) -> float:
        more = [row[str(density)] - row["dense"] for row in rows]
        return mean(more) + (stdev(more) / len(more) ** 0.5 if len(more) > 1 else 0.0)

    fit = [density for density in recipe.densities if most(density) <= 0.2]
    return min(fit, default=max(recipe.densities))


def fold(i: int) -> tuple[Dataset, Dataset]:
    """Training and test part of fold i of all 5,000 images."""
    data = load("mnist", split="all")
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(99))
    parts = order.chunk(N_FOLDS)
    rest = torch.cat([part for j, part in enumerate(parts) if j != i])
    return data.subset(rest), data.subset(parts[i])


def fold_row(recipe: Recipe, density: float, i: int, seed: int) -> tuple[dict[str, Any], bytes]:
    train, test = fold(i)
    dense, small = both(recipe, train, (density,), seed)
    blob = compress(small[density])
    row = {
        "fold": i,
        "seed": seed,
        "dense_error": error(dense, test),
        "small_error": error(small[density], test),
        "n_bytes": len(blob),
        "ratio": 4 * models.n_parameters(dense) / len(blob),
    }
    return row, blob


def folds(recipe: Recipe) -> dict[str, Any]:
    """Errors of both networks on each fold, and the first file itself."""
    choice = choose(recipe)
    done = [fold_row(recipe, choice["density"], i, seed) for seed in SEEDS for i in range(N_FOLDS)]
    return together(choice, [row for row, _ in done], done[0][1])


def together(choice: dict[str, Any], rows: list[dict[str, Any]], blob: bytes) -> dict[str, Any]:
    file = base64.b64encode(blob).decode()
    return {"seeds": list(SEEDS), "choice": choice, "rows": rows, "file": file}


def lenet_300_100() -> dict[str, Any]:
    return folds(LENET_300_100)


def choose_by_size(recipe: Recipe, densities: tuple[float, ...], least: float) -> dict[str, Any]:
    """The largest density whose file is still `least` times smaller; errors are not looked at.

    Settled on the training images that `choose` keeps, with a seed that is not used again.
    """
    train, _ = fold(0)
    rest, _ = train.hold_out(600, torch.Generator().manual_seed(7))
    dense, small = both(recipe, rest, densities, seed=7)
    n_bytes = {density: len(compress(model)) for density, model in small.items()}
    ratios = {density: 4 * models.n_parameters(dense) / n for density, n in n_bytes.items()}
    fit = [density for density, ratio in ratios.items() if ratio >= least]
    return {"ratios": {str(d): r for d, r in ratios.items()}, "density": max(fit)}


def lenet_300_100_by_size() -> dict[str, Any]:
    """The same network with its size settled first: a sixtieth."""
    choice = choose_by_size(LENET_300_100, (0.07, 0.08, 0.09), least=60)
    density = choice["density"]
    done = [fold_row(LENET_300_100, density, i, seed) for seed in SEEDS for i in range(N_FOLDS)]
    return together(choice, [row for row, _ in done], done[0][1])


def lenet5() -> dict[str, Any]:
    return folds(LENET5)


JOBS = {
    "lenet_300_100": lenet_300_100,
    "lenet_300_100_by_size": lenet_300_100_by_size,
    "lenet5": lenet5,
}
PARTS = [
    Recipe, moved, batches, cosine, error, both, _small, _shared, _step, choose, smallest, fold,
    fold_row, folds, together, compress, share_weights, pruning_masks, Pruner, gradual_density,
    "mnist.npz",
]  # fmt: skip
COVERS = {
    "lenet_300_100": [*PARTS, models.lenet_300_100],
    "lenet_300_100_by_size": [*PARTS, choose_by_size, models.lenet_300_100],
    "lenet5": [*PARTS, models.lenet5_caffe],
}
