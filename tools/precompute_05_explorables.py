"""What chapter 05's explorables show: the grid of the two-part dial, the grid of the rank knob."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from companion import codelength, models, training
from companion.codelength import data_bits
from companion.compression import (
    Pruner,
    arithmetic,
    codebook,
    compress,
    factorize_linear,
    fileformat,
    huffman,
    lowrank,
    matrixcode,
    mixing,
    plaincode,
    pruning,
    pruning_masks,
    share_weights,
    sharing,
    size_report,
    tensorcode,
)
from companion.data import Dataset, load
from companion.device import seed_everything
from companion.explorables.dropout_committee import split_mnist
from companion.training import Callback, fit, predict

SEEDS = (0,)
DIAL_SEEDS = (0, 1, 2)

# ---- the two-part dial --------------------------------------------------------------------------

N_CHANNELS = 10
DENSITIES = (1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.12, 0.07)
N_LEVELS = (2, 4, 8, 16, 32)  # values that a number which is not zero may take
CODERS = ("raw", "huffman", "arithmetic")
PARTS = ("positions", "values", "codebooks", "raw", "header")
N_EPOCHS, N_TUNING = 30, 10


class Shared(nn.Module):
    """A network whose numbers, where kept, take the values of one codebook.

    The numbers that are trained lie behind: each is sent as the level nearest to it, and its
    gradient is that of the level (straight through).  The levels are trained as well.
    """

    def __init__(self, network: nn.Module, masks: Mapping[str, Tensor], n_levels: int) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        named = dict(self.network.named_parameters())
        self.is_kept = torch.cat(
            [
                masks.get(
                    name.removesuffix(".weight"), torch.ones_like(p, dtype=torch.bool)
                ).flatten()
                for name, p in named.items()
            ]
        )  # (P,); biases are all kept
        numbers = self._numbers().detach()[self.is_kept]
        self.levels = nn.Parameter(share_weights(numbers, n_levels, init="density").codebook)

    def _numbers(self) -> Tensor:
        return torch.cat([p.flatten() for p in self.network.parameters()])  # (P,)

    def values(self) -> dict[str, Tensor]:
        """Each parameter as it is sent."""
        numbers, levels = self._numbers(), self.levels.sort().values
        middles = (levels[1:] + levels[:-1]).detach() / 2
        nearest = levels[torch.searchsorted(middles, numbers.detach())]
        sent = torch.where(self.is_kept, nearest + (numbers - numbers.detach()), 0)
        named = dict(self.network.named_parameters())
        parts = sent.split([p.numel() for p in named.values()])
        return {name: part.view_as(p) for (name, p), part in zip(named.items(), parts, strict=True)}

    def forward(self, x: Tensor) -> Tensor:
        return functional_call(self.network, self.values(), (x,))

    @torch.no_grad()
    def settled(self) -> nn.Module:
        """The network as it is sent, its levels rounded to half precision."""
        self.levels.copy_(self.levels.half().float())
        settled = copy.deepcopy(self.network)
        settled.load_state_dict(self.values())
        return settled


def labelled(labels: str) -> tuple[Dataset, Dataset]:
    """The 4,000 series whose labels are sent, and the test split; labels "true" or "random"."""
    train, test = load("mnist1d"), load("mnist1d", split="test")
    if labels == "random":
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
        train = replace(train, targets=train.targets[order])
    return train, test


def tuned(model: nn.Module, train: Dataset, lr: float, seed: int, pruner: Pruner | None = None):
    """`N_TUNING` passes, with the pruned weights held at zero."""

    def make(params: list[Tensor]) -> torch.optim.Optimizer:
        optimizer = torch.optim.Adam(params, lr=lr)
        return optimizer if pruner is None else pruner.attach(optimizer)

    fit(
        model, train, epochs=N_TUNING, optimizer=make, schedule="one_cycle", batch_size=64,
        seed=seed, progress=False,
    )  # fmt: skip
    return model


def sent(model: nn.Module, train: Dataset, test: Dataset) -> dict[str, Any]:
    """Bits of the model's file by each coder, part by part, bits of the labels, test accuracy."""
    files = {}
    for coder in CODERS:
        rows = size_report(model, compress(model, coder=coder))
        files[coder] = [sum(row.bits for row in rows if row.part == part) for part in PARTS]
    is_right = predict(model, test.inputs).argmax(1) == test.targets
    return {
        "files": files,
        "data_bits": round(data_bits(predict(model, train.inputs), train.targets)),
        "accuracy": round(is_right.float().mean().item(), 3),
    }


def grid(labels: str, seed: int) -> dict[str, dict[str, Any]]:
    """Every place of the dial for one seed: "density|levels" -> `sent`; levels 0: not shared.

    The trained network is pruned to one density after the other, by the size of its weights over
    all layers, and trained on after each cut.  What it is at a density is then shared.
    """
    train, test = labelled(labels)
    seed_everything(seed)
    model = models.cnn1d(N_CHANNELS)
    fit(
        model, train, epochs=N_EPOCHS, lr=1e-2, schedule="one_cycle", batch_size=64, seed=seed,
        progress=False,
    )  # fmt: skip
    found = {}
    for density in DENSITIES:
        masks = pruning_masks(model, density, scope="global")
        pruner = Pruner(model, masks)
        tuned(model, train, 1e-2, seed, pruner)
        pruner.detach()
        found[f"{density}|0"] = sent(model, train, test)
        for n_levels in N_LEVELS:
            shared = tuned(Shared(model, masks, n_levels), train, 5e-3, seed)
            found[f"{density}|{n_levels}"] = sent(shared.settled(), train, test)
    return found


def dial() -> dict[str, Any]:
    """Labels x density x levels x coder: what network and labels cost, and how good it is.

    Parts of a file are means over the seeds.
    """
    grids = {}
    for labels in ("true", "random"):
        found = [grid(labels, seed) for seed in DIAL_SEEDS]
        grids[labels] = {key: _together([places[key] for places in found]) for key in found[0]}
        least = min(
            (sum(row["files"]["arithmetic"]) + fmean(row["data_bits"]), key)
            for key, row in grids[labels].items()
        )
        print(labels, least, flush=True)
    return {
        "seeds": list(DIAL_SEEDS),
        "densities": list(DENSITIES),
        "levels": [*N_LEVELS, 0],
        "coders": list(CODERS),
        "parts": list(PARTS),
        "n_parameters": models.n_parameters(models.cnn1d(N_CHANNELS)),
        "n_labels": len(labelled("true")[0]),
        "grids": grids,
    }


def _together(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The seeds of one place: parts as means, the file's length, labels and accuracy as lists."""
    return {
        "files": {
            coder: [
                round(fmean(part)) for part in zip(*(r["files"][coder] for r in rows), strict=True)
            ]
            for coder in CODERS
        },
        "model_bits": {coder: [sum(r["files"][coder]) for r in rows] for coder in CODERS},
        "data_bits": [r["data_bits"] for r in rows],
        "accuracy": [r["accuracy"] for r in rows],
    }


# ---- the rank knob ------------------------------------------------------------------------------

RANKS = {"1": (1, 2, 4, 8, 16, 32, 64, 128, 216, 300), "3": (1, 2, 4, 8, 16, 32, 74, 100)}
N_RANK_EPOCHS, N_FINE_TUNING = 20, 3


class Recorder(Callback):
    """Held-out accuracy after each epoch."""

    def __init__(self, held_out: Dataset) -> None:
        self.held_out, self.accuracies = held_out, []

    def after_epoch(self, state: training.State) -> None:
        self.accuracies.append(right(state.model, self.held_out))


def right(model: nn.Module, data: Dataset) -> float:
    """Share of right answers."""
    is_right = predict(model, data.inputs).argmax(1) == data.targets
    return round(is_right.float().mean().item(), 4)


def cut(model: nn.Sequential, ranks: Mapping[str, int]) -> nn.Sequential:
    """A copy with the named layers as two factors; a full rank leaves the layer whole."""
    layers = dict(copy.deepcopy(model).named_children())
    for name, r in ranks.items():
        if r < min(layers[name].weight.shape):
            layers[name] = factorize_linear(layers[name], r)
    return nn.Sequential(*layers.values())


def rank() -> dict[str, Any]:
    """LeNet-300-100 with its two large layers cut to each pair of ranks, and trained on.

    Held-out accuracy before fine-tuning and after each epoch of it.  The learning rate is the same
    at each rank, and the whole network is trained on as well.
    """
    train, held_out = split_mnist()
    seed_everything(SEEDS[0])
    model = models.lenet_300_100()
    fit(
        model, train, epochs=N_RANK_EPOCHS, lr=2e-3, schedule="one_cycle", batch_size=128,
        seed=SEEDS[0], progress=False,
    )  # fmt: skip
    grid = {}
    for first in RANKS["1"]:
        for second in RANKS["3"]:
            small = cut(model, {"1": first, "3": second})
            before, recorder = right(small, held_out), Recorder(held_out)
            fit(
                small, train, epochs=N_FINE_TUNING, lr=1e-3, batch_size=128, seed=SEEDS[0],
                callbacks=[recorder], progress=False,
            )  # fmt: skip
            grid[f"{first}|{second}"] = [before, *recorder.accuracies]
        print(first, grid[f"{first}|{RANKS['3'][-1]}"], flush=True)
    return {
        "seeds": list(SEEDS),
        "ranks": {name: list(ranks) for name, ranks in RANKS.items()},
        "shapes": {name: list(model.get_submodule(name).weight.shape) for name in ("1", "3", "5")},
        "spectra": {name: spectrum(model.get_submodule(name).weight) for name in RANKS},
        "n_held_out": len(held_out),
        "grid": grid,
    }


def spectrum(weight: Tensor) -> list[float]:
    """The singular values, largest first, four significant digits."""
    values = torch.linalg.svdvals(weight.detach().double())
    return [float(f"{value:.4g}") for value in values.tolist()]


JOBS = {"dial": dial, "rank": rank}

LOOP = (
    training._run_epoch,
    training._make_optimizer,
    training._make_schedule,
    Dataset.batches,
)
FILE = (
    fileformat.compress,
    fileformat.size_report,
    tensorcode.TensorCode,
    codebook.Codebook,
    codebook.common_step,
    matrixcode.MatrixCode,
    matrixcode.IntegerCode,
    mixing.Mixer,
    plaincode.code_equal,
    plaincode.code_positions_by_gaps,
    plaincode.code_values_by_words,
    huffman.huffman_code,
    arithmetic.Encoder,
)
COVERS = {
    "dial": (
        "mnist1d.npz",
        *LOOP,
        models.cnn1d,
        *FILE,
        Shared,
        labelled,
        tuned,
        sent,
        grid,
        _together,
        sharing.share_weights,
        sharing._levels,
        pruning.pruning_masks,
        pruning.Pruner,
        codelength.data_bits,
    ),
    "rank": (
        "mnist.npz",
        *LOOP,
        split_mnist,
        models.lenet_300_100,
        Recorder,
        right,
        cut,
        spectrum,
        lowrank.factorize_linear,
        lowrank._factors,
        lowrank._filled,
    ),
}
