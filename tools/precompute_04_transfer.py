"""Chapter 04's long computations with labels: what pretraining wins, in accuracy and in bits."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from companion import codelength, models, training
from companion.codelength import prequential_bits, uniform_bits
from companion.data import Dataset, load
from companion.device import seed_everything
from companion.regularization import random_shifts
from companion.self_supervision import (
    Classifier,
    ConvAutoencoder,
    add_noise,
    conv_encoder,
    few_labels,
    fine_tune,
    label_efficiency_curve,
    linear_probe,
    nt_xent,
    pretrain,
    pretraining,
    projector,
    warp,
)
from companion.training import fit

SEEDS, FIVE_SEEDS = (0, 1, 2), (0, 1, 2, 3, 4)
LABELS = (1, 3, 10, 30, 100)
BLOCKS = (32, 64, 125, 250, 500, 1000, 2000, 4000)


# ---- digits, with few labels ---------------------------------------------------------------------

# Settings were chosen at pretraining seed 1000 and label draws 100 to 102, on images held out.
TASKS = ("reconstruct", "denoise", "contrastive")


def fresh_encoder() -> nn.Sequential:
    return conv_encoder(256, 24)


def warped(x: Tensor, generator: torch.Generator) -> Tensor:
    return warp(x, generator, shift=4.0, rotate=25.0, scale=0.25, shear=0.35)


def moved(x: Tensor, generator: torch.Generator) -> Tensor:
    return random_shifts(x, 3, generator)


def pretrained(task: str, inputs: Tensor, seed: int) -> nn.Module:
    """The encoder after as many steps of `task` as in every other task, on `inputs` alone."""
    seed_everything(seed)
    settings: dict[str, Any] = {"epochs": 50, "batch_size": 256, "lr": 3e-3, "progress": False}
    if task == "contrastive":
        encoder = fresh_encoder()
        model: nn.Module = nn.Sequential(encoder, nn.ReLU(), projector(256, 64, 32))
        settings |= {"temperature": 0.2, "augment": warped}
    else:
        model = ConvAutoencoder(24, 256)
        encoder = model.encoder
        settings |= {"amount": 0.5}
    pretrain(model, inputs, task=task, seed=seed, **settings)
    return encoder


def tuned(encoder: nn.Module, few: Dataset, seed: int, **changes: Any) -> nn.Module:
    return fine_tune(encoder, few, seed=seed, n_steps=150, **changes)


def from_scratch(few: Dataset, seed: int, **changes: Any) -> nn.Module:
    seed_everything(seed)
    return tuned(fresh_encoder(), few, seed, **changes)


def probed_then_tuned(encoder: nn.Module, few: Dataset, seed: int, **changes: Any) -> nn.Module:
    """Starts from the head of a linear probe, with steps so small that little is forgotten."""
    return tuned(encoder, few, seed, head=linear_probe(encoder, few).head, lr=3e-4, **changes)


def contestants(encoders: dict[str, nn.Module]) -> dict[str, Callable[[Dataset, int], nn.Module]]:
    """Methods `(few, seed) -> classifier`; all take the same number of steps on the labels."""
    views = encoders["contrastive"]
    return {
        "scratch": from_scratch,
        "scratch, shifts": lambda few, seed: from_scratch(few, seed, augment=moved),
        "scratch, warps": lambda few, seed: from_scratch(few, seed, augment=warped),
        "reconstruct, tuned": lambda few, seed: tuned(encoders["reconstruct"], few, seed),
        "denoise, tuned": lambda few, seed: tuned(encoders["denoise"], few, seed),
        "contrastive, probe": lambda few, seed: linear_probe(views, few),
        "contrastive, tuned": lambda few, seed: probed_then_tuned(views, few, seed),
        "contrastive, tuned, shifts": lambda few, seed: probed_then_tuned(
            views, few, seed, augment=moved
        ),
        "contrastive, tuned, warps": lambda few, seed: tuned(
            views, few, seed, augment=warped, freeze="batch_norm"
        ),
    }


def transfer(seeds: tuple[int, ...] = FIVE_SEEDS) -> dict[str, Any]:
    """Test accuracy by method and number of labels for each digit; draws are paired."""
    train, test = load("mnist"), load("mnist", split="test")
    curves: dict[str, dict[str, list[float]]] = {}
    for seed in seeds:
        encoders = {task: pretrained(task, train.inputs, seed) for task in TASKS}
        found = label_efficiency_curve(
            contestants(encoders), train, test, labels_per_class=LABELS, seeds=[seed]
        )
        for method, by_size in found.items():
            for n, (accuracy,) in by_size.items():
                curves.setdefault(method, {}).setdefault(str(n), []).append(round(accuracy, 4))
            print(seed, method, [round(a[0], 3) for a in by_size.values()], flush=True)
    return {"seeds": list(seeds), "labels_per_class": list(LABELS), "curves": curves}


# ---- another data set, and frozen batch norm -----------------------------------------------------


def fashion(seeds: tuple[int, ...] = SEEDS) -> dict[str, Any]:
    """Garments with few labels: encoders from digits, from garments, or fresh."""
    train, test = load("fashion_mnist"), load("fashion_mnist", split="test")
    curves: dict[str, dict[str, list[float]]] = {}
    for seed in seeds:
        from_digits = pretrained("contrastive", load("mnist").inputs, seed)
        from_garments = pretrained("contrastive", train.inputs, seed)
        methods: dict[str, Callable[[Dataset, int], nn.Module]] = {
            "scratch": from_scratch,
            "digits, probe": lambda few, seed, e=from_digits: linear_probe(e, few),
            "garments, probe": lambda few, seed, e=from_garments: linear_probe(e, few),
        }
        for freeze in ("none", "batch_norm"):
            methods[f"digits, tuned, frozen: {freeze}"] = (
                lambda few, seed, e=from_digits, f=freeze: tuned(e, few, seed, freeze=f)
            )
        found = label_efficiency_curve(
            methods, train, test, labels_per_class=LABELS[::2], seeds=[seed]
        )
        for method, by_size in found.items():
            for n, (accuracy,) in by_size.items():
                curves.setdefault(method, {}).setdefault(str(n), []).append(round(accuracy, 4))
            print(seed, method, [round(a[0], 3) for a in by_size.values()], flush=True)
    return {"seeds": list(seeds), "labels_per_class": list(LABELS[::2]), "curves": curves}


# ---- prequential codes ---------------------------------------------------------------------------


def rolled(x: Tensor, generator: torch.Generator) -> Tensor:
    """Moved by up to six points, larger or smaller by about a tenth."""
    scale = 1 + 0.1 * torch.randn(len(x), 1, generator=generator)
    return random_shifts(x, 6, generator) * scale


def series_network() -> nn.Sequential:
    return models.cnn1d(batch_norm=True)


def pretrained_series(seed: int) -> nn.Sequential:
    """The network of the ledger, its body pretrained on the 4,000 series without labels."""
    seed_everything(seed)
    network = series_network()
    *body, last = network
    model = nn.Sequential(*body, projector(last.in_features, 64, 32))
    pretrain(
        model, load("mnist1d").inputs, task="contrastive", augment=rolled, temperature=0.2,
        epochs=60, batch_size=256, lr=3e-3, seed=seed, progress=False,
    )  # fmt: skip
    return network


def code_variants() -> dict[str, dict[str, Any]]:
    """What the labels do to the pretrained body; without pretraining see chapter 03."""
    return {
        "pretrained, frozen": {"is_frozen": True},
        "pretrained, tuned": {},
        "pretrained, tuned, shifts and scale": {"augment": rolled},
    }


def coder(**changes: Any) -> Callable[[nn.Module, Dataset, int], Any]:
    """The course's recipe (`standard_fit`), or a linear probe where the body is frozen."""

    def fit_one(model: nn.Module, past: Dataset, seed: int) -> Any:
        if changes.get("is_frozen"):
            probe = linear_probe(model[:-1], past)
            return model[-1].load_state_dict(probe.head.state_dict())
        passes = max(30, math.ceil(300 / math.ceil(len(past) / 64)))
        return fit(
            model, past, epochs=passes, lr=1e-2, schedule="one_cycle", batch_size=64,
            weight_decay=0.1, augment=changes.get("augment"), seed=seed, progress=False,
        )  # fmt: skip

    return fit_one


def prequential(seeds: tuple[int, ...] = SEEDS) -> dict[str, Any]:
    """Block by block, the bits of the 4,000 MNIST-1D labels, with and without pretraining."""
    train = load("mnist1d")
    curves: dict[str, dict[str, Any]] = {name: {"block_bits": []} for name in code_variants()}
    for seed in seeds:
        start = pretrained_series(seed)
        for name, changes in code_variants().items():
            code = prequential_bits(
                lambda start=start: copy.deepcopy(start), train, blocks=BLOCKS,
                fit=coder(**changes), seed=seed,
            )  # fmt: skip
            curves[name]["block_bits"].append([round(b, 1) for b in code.block_bits])
            print(seed, name, round(code.total_bits), flush=True)
    return {
        "seeds": list(seeds),
        "ends": list(BLOCKS),
        "uniform": round(uniform_bits(4000, 10), 1),
        "n_parameters": models.n_parameters(series_network()[:-1]),
        "curves": curves,
    }


JOBS = {"transfer": transfer, "fashion": fashion, "prequential": prequential}

TRAINING = (
    training._run_epoch,
    training._make_optimizer,
    training._make_schedule,
    Dataset.batches,
)
IMAGES = ("mnist.npz", "splits.npz", *TRAINING)
TASKS_OF = (
    pretraining.pretrain, pretraining._reconstruct, pretraining._denoise, pretraining._contrastive,
    pretraining._outputs, add_noise, nt_xent, warp, projector,
)  # fmt: skip
TUNING = (
    conv_encoder, ConvAutoencoder, Classifier, linear_probe, fine_tune, few_labels,
    label_efficiency_curve, fresh_encoder, warped, pretrained, tuned, from_scratch,
)  # fmt: skip
COVERS = {
    "transfer": (
        *IMAGES, *TASKS_OF, *TUNING, random_shifts, moved, probed_then_tuned, contestants,
    ),
    "fashion": (*IMAGES, "fashion_mnist.npz", *TASKS_OF, *TUNING),
    "prequential": (
        "mnist1d.npz", *TRAINING, *TASKS_OF, codelength._coded, codelength._temperature,
        models.cnn1d, linear_probe, random_shifts, rolled, series_network, pretrained_series,
        code_variants, coder,
    ),
}  # fmt: skip
