"""Chapter 01's long computations, with the chapter's own recipe."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion import codelength, foundations, models, training
from companion.codelength import prequential_bits, uniform_bits
from companion.data import Dataset, load
from companion.device import seed_everything
from companion.training import evaluate, fit, predict

SEEDS = (0, 1, 2)
BLOCKS = (32, 64, 125, 250, 500, 1000, 2000, 4000)


def two_layers() -> nn.Sequential:
    return nn.Sequential(nn.Linear(40, 100), nn.ReLU(), nn.Linear(100, 10))


def fit_by_hand(model: nn.Module, past: Dataset, seed: int) -> None:
    """Trains the chapter's own network, without autograd, and copies its numbers into `model`."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [40, *(len(p) for p in model.parameters() if p.ndim == 2)]
    net, adam = foundations.MLP(sizes, generator=generator), foundations.Adam(3e-3)
    for _ in range(max(300, 30 * math.ceil(len(past) / 64))):
        rows = torch.randint(len(past), (64,), generator=generator)
        batch = past.inputs[rows], past.targets[rows]
        _, gradients = net.loss_and_gradients_by_hand(*batch)
        adam.step(net.parameters, gradients)
    with torch.no_grad():
        for theirs, ours in zip(model.parameters(), net.parameters, strict=True):
            theirs.copy_(ours)


def prequential() -> dict[str, Any]:
    """Block by block, the bits of the 4,000 labels, coded by networks trained without autograd."""
    train = load("mnist1d")
    curves = {}
    for name, make in {"logistic": models.logistic, "MLP": two_layers}.items():
        curves[name] = []
        for seed in SEEDS:
            code = prequential_bits(make, train, blocks=BLOCKS, fit=fit_by_hand, seed=seed)
            curves[name].append([round(b, 1) for b in code.block_bits])
        print(name, [round(sum(bits)) for bits in curves[name]], flush=True)
    return {
        "seeds": list(SEEDS),
        "ends": list(BLOCKS),
        "uniform": round(uniform_bits(4000, 10), 1),
        "block_bits": curves,
    }


def squared_error(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """Squared distance between the network's raw outputs and the one-hot label."""
    return (model(inputs) - F.one_hot(labels, 10)).square().mean()


def squared_error_of_probabilities(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    return (model(inputs).softmax(1) - F.one_hot(labels, 10)).square().mean()


LOSSES = {
    "cross-entropy": training.cross_entropy,
    "squared error": squared_error,
    "squared error after softmax": squared_error_of_probabilities,
}
RECIPES = {
    "constant": {"epochs": 10, "lr": 3e-3, "batch_size": 64, "optimizer": "adam"},
    "one cycle": {"epochs": 10, "lr": 1e-2, "batch_size": 64, "optimizer": "adam",
                  "schedule": "one_cycle"},
}  # fmt: skip


def losses() -> dict[str, Any]:
    """Accuracy and bits per label after training with each loss: network x loss x recipe.

    A tenth of the training data is held back, and the temperature that codes it best is used for
    the bits of the test labels.
    """
    whole, test = load("mnist1d"), load("mnist1d", split="test")
    train, held_back = whole.subset(slice(0, 3600)), whole.subset(slice(3600, None))
    rows = []
    for network, make in {"MLP": models.mlp, "CNN": models.cnn1d}.items():
        for loss in LOSSES:
            for recipe, settings in RECIPES.items():
                for seed in SEEDS:
                    seed_everything(seed)
                    model = make()
                    fit(model, train, loss=LOSSES[loss], seed=seed, progress=False, **settings)
                    rows.append(
                        {
                            "network": network,
                            "loss": loss,
                            "recipe": recipe,
                            "seed": seed,
                            "train_accuracy": round(evaluate(model, train).accuracy, 4),
                            "accuracy": round(evaluate(model, test).accuracy, 4),
                            "bits": round(bits_per_label(model, held_back, test), 3),
                        }
                    )
                    print(rows[-1], flush=True)
    return {"seeds": list(SEEDS), "rows": rows}


def bits_per_label(model: nn.Module, held_back: Dataset, data: Dataset) -> float:
    logits, candidates = predict(model, held_back.inputs), torch.logspace(-6, 3, 37, base=2)
    best = min(candidates, key=lambda t: codelength.data_bits(logits / t, held_back.targets))
    return codelength.data_bits(predict(model, data.inputs) / best, data.targets) / len(data)


JOBS = {"losses": losses, "prequential": prequential}

LOOP = (
    "mnist1d.npz",
    training._run_epoch,
    training._make_optimizer,
    training._make_schedule,
    Dataset.batches,
)
CODE = (codelength._coded, codelength._temperature)
OURS = (
    fit_by_hand,
    two_layers,
    foundations.MLP,
    foundations.Adam,
    foundations.linear,
    foundations.relu,
    foundations.softmax,
    foundations.cross_entropy,
    foundations.log_sum_exp,
    foundations.he_,
)
COVERS = {
    "losses": (
        *LOOP,
        squared_error,
        squared_error_of_probabilities,
        bits_per_label,
        models.mlp,
        models.cnn1d,
    ),
    "prequential": ("mnist1d.npz", *OURS, *CODE, models.logistic),
}
