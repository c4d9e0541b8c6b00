"""Chapter 02's long computations, with the chapter's own recipe."""

from __future__ import annotations

import time
from typing import Any

import torch

from companion import codelength, models, training
from companion.codelength import prequential_bits, uniform_bits
from companion.data import Dataset, load
from companion.device import seed_everything
from companion.training import evaluate, standard_fit

SEEDS = (0, 1, 2)
BLOCKS = (32, 64, 125, 250, 500, 1000, 2000, 4000)
MAKERS = {
    "logistic": models.logistic,
    "MLP": models.mlp,
    "CNN": models.cnn1d,
    "CNN+BN": lambda: models.cnn1d(batch_norm=True),
    "GRU": models.gru1d,
}


def shuffled(data: Dataset) -> Dataset:
    """Every series with its points in one other order, the same for all."""
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    return data.map(lambda x: x[:, order])


def with_random_labels(data: Dataset, seed: int = 0) -> Dataset:
    """The same series with labels drawn at random, each as likely as any other."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 10, data.targets.shape, generator=generator)
    return Dataset(data.inputs, labels, data.classes, data.name, data.split)


def prequential() -> dict[str, Any]:
    """Block by block, the bits of the 4,000 labels: model x order of points x labels."""
    train = load("mnist1d")
    curves = {}
    for model, make in MAKERS.items():
        for order in ("recorded", "shuffled"):
            for labels in ("true", "random"):
                if labels == "random" and (order == "shuffled" or model == "GRU"):
                    continue  # random labels have no structure for an order to destroy
                data = train if order == "recorded" else shuffled(train)
                data = data if labels == "true" else with_random_labels(data)
                bits = []
                for seed in SEEDS:
                    code = prequential_bits(
                        make, data, blocks=BLOCKS, fit=standard_fit, seed=seed
                    )  # fmt: skip
                    bits.append([round(b, 1) for b in code.block_bits])
                curves[f"{model}|{order}|{labels}"] = {"block_bits": bits}
                print(model, order, labels, [round(sum(b)) for b in bits], flush=True)
    return {
        "seeds": list(SEEDS),
        "ends": list(BLOCKS),
        "uniform": round(uniform_bits(4000, 10), 1),
        "curves": curves,
    }


def accuracy() -> dict[str, Any]:
    """Test accuracy of every network after the standard recipe, recorded and shuffled points."""
    train, test = load("mnist1d"), load("mnist1d", split="test")
    scores = {}
    for model, make in MAKERS.items():
        for order in ("recorded", "shuffled"):
            change = (lambda data: data) if order == "recorded" else shuffled
            scores[f"{model}|{order}"] = []
            for seed in SEEDS:
                seed_everything(seed)
                network = make()
                standard_fit(network, change(train), seed)
                scores[f"{model}|{order}"].append(
                    round(evaluate(network, change(test)).accuracy, 4)
                )
            print(model, order, scores[f"{model}|{order}"], flush=True)
    return {"seeds": list(SEEDS), "accuracy": scores}


def width() -> dict[str, Any]:
    """What grows when a network grows: CNN with batch norm at several widths."""
    train, test = load("mnist1d"), load("mnist1d", split="test")
    rows = []
    for n_channels in (2, 4, 8, 16, 32, 64):

        def make(c: int = n_channels) -> torch.nn.Module:
            return models.cnn1d(c, batch_norm=True)

        for seed in SEEDS:
            seed_everything(seed)
            network = make()
            start = time.process_time()
            standard_fit(network, train, seed)
            seconds = time.process_time() - start
            code = prequential_bits(make, train, blocks=BLOCKS, fit=standard_fit, seed=seed)
            rows.append(
                {
                    "n_channels": n_channels,
                    "seed": seed,
                    "n_parameters": models.n_parameters(network),
                    "accuracy": round(evaluate(network, test).accuracy, 4),
                    "bits": round(code.total_bits, 1),
                    "cpu_seconds": round(seconds, 2),
                }
            )
            print(rows[-1], flush=True)
    return {"seeds": list(SEEDS), "rows": rows}


JOBS = {"accuracy": accuracy, "prequential": prequential, "width": width}

RECIPE = (
    "mnist1d.npz",
    standard_fit,
    training._run_epoch,
    training._make_optimizer,
    training._make_schedule,
    Dataset.batches,
)
CODE = (codelength._coded, codelength._temperature)
NETWORKS = (models.logistic, models.mlp, models.cnn1d, models.GRU1d)
COVERS = {
    "accuracy": (*RECIPE, *NETWORKS, shuffled),
    "prequential": (*RECIPE, *CODE, *NETWORKS, shuffled, with_random_labels),
    "width": (*RECIPE, *CODE, models.cnn1d),
}
