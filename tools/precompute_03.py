"""Chapter 03's long computations: what each regularizer gives, in accuracy and in bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from companion import codelength, models, regularization, training
from companion.codelength import data_bits, prequential_bits, uniform_bits
from companion.data import Dataset, load
from companion.device import seed_everything
from companion.regularization import (
    EarlyStopping,
    MaxNorm,
    l2_penalty,
    label_smoothing,
    random_shifts,
    spatial_dropout,
)
from companion.training import cross_entropy, evaluate, fit, predict

SEEDS, FIVE_SEEDS = (0, 1, 2), (0, 1, 2, 3, 4)
BLOCKS = (32, 64, 125, 250, 500, 1000, 2000, 4000)
Augment = Callable[[Tensor, torch.Generator], Tensor]


# ---- what is compared ----------------------------------------------------------------------------


class ChannelDropout(nn.Module):
    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return spatial_dropout(x, self.p, training=self.training)


def cnn_with(layer: Callable[[], nn.Module]) -> nn.Sequential:
    """The CNN with one more layer after each ReLU."""
    layers: list[nn.Module] = []
    for old in models.cnn1d():
        layers += [old, layer()] if isinstance(old, nn.ReLU) else [old]
    return nn.Sequential(*layers)


def four_convolutions() -> nn.Sequential:
    """The CNN with a fourth convolution, from 25 to 25 channels, before the last one."""
    layers = list(models.cnn1d())
    return nn.Sequential(*layers[:5], nn.Conv1d(25, 25, 5, padding=2), nn.ReLU(), *layers[5:])


def batch_norm_cnn(p: float = 0.0) -> nn.Sequential:
    """The CNN with batch norm, with dropout before its last layer where `p` is above 0."""
    *layers, last = models.cnn1d(batch_norm=True)
    return nn.Sequential(*layers, *([nn.Dropout(p)] if p else []), last)


def image_mlp(p_inputs: float = 0.0, p_hidden: float = 0.0) -> nn.Sequential:
    """Two hidden layers of 300 for 28 x 28 images; dropout on the inputs and on both layers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Dropout(p_inputs),
        nn.Linear(784, 300),
        nn.ReLU(),
        nn.Dropout(p_hidden),
        nn.Linear(300, 300),
        nn.ReLU(),
        nn.Dropout(p_hidden),
        nn.Linear(300, 10),
    )


def with_l2(coefficient: float) -> training.Loss:
    def loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        weights = [p for p in model.parameters() if p.ndim > 1]
        return cross_entropy(model, inputs, targets) + l2_penalty(weights, coefficient)

    return loss


def smoothed(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return label_smoothing(model(inputs), targets, 0.1)


def noise(std: float) -> Augment:
    return lambda x, generator: x + std * torch.randn(x.shape, generator=generator)


def shifts(limit: int) -> Augment:
    return lambda x, generator: random_shifts(x, limit, generator)


def shifts_and_scale(x: Tensor, generator: torch.Generator) -> Tensor:
    """Moved by up to six points, and larger or smaller by about a tenth."""
    scale = 1 + 0.1 * torch.randn(len(x), 1, generator=generator)
    return random_shifts(x, 6, generator) * scale


# ---- weight decay in two algorithms --------------------------------------------------------------


def decay() -> dict[str, Any]:
    """Test accuracy of a CNN under Adam with L2 and under AdamW, same coefficients."""
    train, test = load("mnist1d"), load("mnist1d", split="test")
    makers = {"three": models.cnn1d, "four": four_convolutions}
    cases = [("four", decay) for decay in (0.001, 0.01, 0.1, 1.0)] + [("three", 0.1)]
    rows = []
    for network, weight_decay in cases:
        for optimizer in ("adam", "adamw"):
            for seed in SEEDS:
                seed_everything(seed)
                model = makers[network]()
                fit(
                    model, train, epochs=10, lr=1e-2, schedule="one_cycle", batch_size=64,
                    optimizer=optimizer, weight_decay=weight_decay, seed=seed, progress=False,
                )  # fmt: skip
                rows.append(
                    {
                        "convolutions": network,
                        "optimizer": optimizer,
                        "weight_decay": weight_decay,
                        "seed": seed,
                        "accuracy": round(evaluate(model, test).accuracy, 4),
                    }
                )
            print(network, optimizer, weight_decay, [r["accuracy"] for r in rows[-3:]], flush=True)
    return {"seeds": list(SEEDS), "rows": rows}


# ---- 200 labels ----------------------------------------------------------------------------------


def few_variants() -> dict[str, Any]:
    """What is changed, by name: the network, or arguments of `fit_few`."""
    return {
        "nothing": {},
        "weight decay 0.1": {"weight_decay": 0.1},
        "weight decay 1": {"weight_decay": 1.0},
        "L2 in the loss 0.01": {"loss": with_l2(0.01)},
        "max-norm 1": {"callbacks": lambda: [MaxNorm(1.0)]},
        "dropout 0.2": {"make": lambda: cnn_with(lambda: nn.Dropout(0.2))},
        "dropout 0.5": {"make": lambda: cnn_with(lambda: nn.Dropout(0.5))},
        "channel dropout 0.2": {"make": lambda: cnn_with(lambda: ChannelDropout(0.2))},
        "noise 0.2": {"augment": noise(0.2)},
        "noise 0.5": {"augment": noise(0.5)},
        "label smoothing 0.1": {"loss": smoothed},
        "batches of 8": {"batch_size": 8, "lr": 4e-3},
        "early stopping": {"stops_early": True},
        "shifts 5": {"augment": shifts(5)},
        "shifts 5, dropout 0.2": {
            "augment": shifts(5),
            "make": lambda: cnn_with(lambda: nn.Dropout(0.2)),
        },
    }


def fit_few(model: nn.Module, data: Dataset, seed: int, **changes: Any) -> None:
    """A hundred passes over few labels, one cycle up to a learning rate of 0.01.

    Early stopping has to take its validation labels from the same few: a fifth of them.
    """
    changes = {k: v for k, v in changes.items() if k != "make"}
    callbacks = changes.pop("callbacks", list)()
    if changes.pop("stops_early", False):
        generator = torch.Generator().manual_seed(seed)
        data, validation = data.hold_out(len(data) // 5, generator)
        changes["validation"] = validation
        callbacks = [EarlyStopping(20)]
    settings = {"lr": 1e-2, "batch_size": 50, "schedule": "one_cycle"} | changes
    fit(model, data, epochs=100, seed=seed, progress=False, callbacks=callbacks, **settings)


def calibrated_bits(model: nn.Module, held_out: Dataset, test: Dataset) -> float:
    """Bits per test label at the one temperature that codes the held-out labels best."""
    logits = predict(model, held_out.inputs)
    candidates = torch.logspace(-1, 4, 41, base=2).tolist()
    scale = min(candidates, key=lambda t: data_bits(logits / t, held_out.targets))
    return data_bits(predict(model, test.inputs) / scale, test.targets) / len(test)


def few_labels() -> dict[str, Any]:
    """Test accuracy and bits per test label after training on 200 labels; 5 draws of the labels."""
    train, test = load("mnist1d"), load("mnist1d", split="test")
    rows = []
    for name, changes in few_variants().items():
        for seed in FIVE_SEEDS:
            order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
            few, held_out = train.subset(order[:200]), train.subset(order[200:600])
            seed_everything(seed)
            model = changes.get("make", models.cnn1d)()
            fit_few(model, few, seed, **changes)
            scores = evaluate(model, test)
            rows.append(
                {
                    "variant": name,
                    "seed": seed,
                    "accuracy": round(scores.accuracy, 4),
                    "bits": round(calibrated_bits(model, held_out, test), 4),
                    "raw_bits": round(scores.loss / math.log(2), 4),
                }
            )
        print(name, [(r["accuracy"], r["bits"]) for r in rows[-5:]], flush=True)
    return {"seeds": list(FIVE_SEEDS), "n_labels": 200, "rows": rows}


# ---- prequential codes ---------------------------------------------------------------------------


def code_variants() -> dict[str, Any]:
    """What is changed, by name: the network, or arguments of `coder`."""
    return {
        "nothing": {"weight_decay": 0.0},
        "weight decay 0.1": {},
        "dropout 0.5": {"make": lambda: batch_norm_cnn(0.5)},
        "label smoothing 0.1": {"loss": smoothed},
        "noise 0.2": {"augment": noise(0.2)},
        "shifts 6": {"augment": shifts(6)},
        "shifts 6, scale": {"augment": shifts_and_scale},
        "shifts 6, scale, longer, 40 channels": {
            "augment": shifts_and_scale,
            "make": lambda: models.cnn1d(40, batch_norm=True),
            "epochs": 40,
            "min_steps": 600,
        },
    }


def coder(**changes: Any) -> Callable[[nn.Module, Dataset, int], Any]:
    """The course's recipe (`standard_fit`), weight decay 0.1 included, with changes."""
    changes = {"weight_decay": 0.1} | {k: v for k, v in changes.items() if k != "make"}
    epochs, min_steps = changes.pop("epochs", 30), changes.pop("min_steps", 300)

    def fit_one(model: nn.Module, past: Dataset, seed: int) -> Any:
        passes = max(epochs, math.ceil(min_steps / math.ceil(len(past) / 64)))
        return fit(
            model, past, epochs=passes, lr=1e-2, schedule="one_cycle", batch_size=64, seed=seed,
            progress=False, **changes,
        )  # fmt: skip

    return fit_one


def prequential() -> dict[str, Any]:
    """Block by block, the bits of the 4,000 labels: CNN with batch norm x regularizer."""
    train, curves = load("mnist1d"), {}
    for name, changes in code_variants().items():
        make = changes.get("make", batch_norm_cnn)
        bits = []
        for seed in SEEDS:
            code = prequential_bits(
                make, train, blocks=BLOCKS, fit=coder(**changes), seed=seed
            )  # fmt: skip
            bits.append([round(b, 1) for b in code.block_bits])
        curves[name] = {"block_bits": bits}
        print(name, [round(sum(b)) for b in bits], flush=True)
    return {
        "seeds": list(SEEDS),
        "ends": list(BLOCKS),
        "uniform": round(uniform_bits(4000, 10), 1),
        "curves": curves,
    }


# ---- a classic table -----------------------------------------------------------------------------


def image_methods() -> dict[str, Any]:
    """Candidates for the one number of each method."""
    return {
        "nothing": (0.0,),
        "L2": (1e-4, 1e-3, 1e-2),
        "max-norm": (1.0, 2.0, 3.0),
        "dropout": (0.3, 0.5, 0.7),
        "dropout, L2": (1e-5, 1e-4, 1e-3),
        "dropout, max-norm": (1.0, 2.0, 3.0),
        "shifts": (1.0, 2.0, 3.0),
    }


def fit_images(data: Dataset, method: str, number: float, seed: int) -> nn.Module:
    """The MLP for images under one method; `number` is its coefficient, limit or probability."""
    settings: dict[str, Any] = {}
    p_hidden = 0.5 if method.startswith("dropout,") else number if method == "dropout" else 0.0
    if method.endswith("L2"):
        settings["loss"] = with_l2(number)
    if method.endswith("max-norm"):
        settings["callbacks"] = [MaxNorm(number)]
    if method == "shifts":
        settings["augment"] = shifts(int(number))
    seed_everything(seed)
    model = image_mlp(0.2 if p_hidden else 0.0, p_hidden)
    fit(
        model, data, epochs=60, lr=3e-3, schedule="one_cycle", batch_size=100, seed=seed,
        progress=False, **settings,
    )  # fmt: skip
    return model


def mnist() -> dict[str, Any]:
    """Test accuracy on 4,000 MNIST images; each method's number is chosen on 500 held out."""
    train, test = load("mnist"), load("mnist", split="test")
    rest, held_out = train.hold_out(500, torch.Generator().manual_seed(0))
    chosen, rows = {}, []
    for method, candidates in image_methods().items():
        scores = {}
        for number in candidates:
            if len(candidates) > 1:
                scores[number] = evaluate(fit_images(rest, method, number, 0), held_out).accuracy
        chosen[method] = max(scores, key=scores.__getitem__) if scores else candidates[0]
        for seed in FIVE_SEEDS:
            found = evaluate(fit_images(train, method, chosen[method], seed), test)
            rows.append(
                {
                    "method": method,
                    "seed": seed,
                    "accuracy": round(found.accuracy, 4),
                    "raw_bits": round(found.loss / math.log(2), 4),
                }
            )
        print(method, scores, chosen[method], [r["accuracy"] for r in rows[-5:]], flush=True)
    return {"seeds": list(FIVE_SEEDS), "chosen": chosen, "rows": rows}


JOBS = {"decay": decay, "few_labels": few_labels, "mnist": mnist, "prequential": prequential}

TRAINING = (
    training._run_epoch,
    training._make_optimizer,
    training._make_schedule,
    Dataset.batches,
)
NOISE = (regularization.random_shifts, regularization.label_smoothing, noise, shifts, smoothed)
PENALTIES = (regularization.l2_penalty, regularization.MaxNorm, regularization.max_norm_, with_l2)
COVERS = {
    "decay": ("mnist1d.npz", *TRAINING, models.cnn1d, four_convolutions),
    "few_labels": (
        "mnist1d.npz", *TRAINING, *NOISE, *PENALTIES, models.cnn1d, cnn_with, ChannelDropout,
        few_variants, regularization.spatial_dropout, regularization.EarlyStopping, fit_few,
        calibrated_bits,
    ),
    "mnist": (
        "mnist.npz", "splits.npz", *TRAINING, *NOISE, *PENALTIES, image_mlp, fit_images,
        image_methods,
    ),
    "prequential": (
        "mnist1d.npz", *TRAINING, *NOISE, codelength._coded, codelength._temperature,
        models.cnn1d, batch_norm_cnn, shifts_and_scale, coder, code_variants,
    ),
}  # fmt: skip
