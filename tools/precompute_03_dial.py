"""What chapter 03's explorables show: the grid of the dial, the networks of the committee."""

from __future__ import annotations

import base64
import copy
import math
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from companion import codelength, models, training
from companion.codelength import data_bits
from companion.data import Dataset, load
from companion.device import seed_everything
from companion.explorables.dropout_committee import shrunk, split_mnist, thinned_network
from companion.regularization import Dropout, decay_groups, gaussian_bits, noise
from companion.training import evaluate, fit

SEEDS = (0, 1, 2)
SIZES = (200, 1000, 3000)
WEIGHT_DECAYS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
OPTIMIZERS = {"adamw": torch.optim.AdamW, "l2": torch.optim.Adam}
DECAYED = ("weights", "everything")
N_STEPS = 600  # the same for all sizes, so that a coefficient is applied equally often
BINS = torch.linspace(-2.05, 2.05, 42)
SCALE_BITS = 20  # a tensor's root mean square and its number of binary places


def small_cnn() -> nn.Sequential:
    return models.cnn1d(8, batch_norm=True)


def split_mnist1d() -> tuple[Dataset, Dataset]:
    """3,000 series to learn from and 1,000 held out; the test split is not touched."""
    return load("mnist1d").hold_out(1000, torch.Generator().manual_seed(0))


def trained(train: Dataset, optimizer: str, decayed: str, weight_decay: float, seed: int) -> Any:
    """The small network after `N_STEPS` steps, decayed in one of four ways."""
    seed_everything(seed)
    model = small_cnn()

    def make(params: list[Tensor]) -> torch.optim.Optimizer:
        groups = decay_groups(model, weight_decay)
        if decayed == "everything":
            groups = [{**group, "weight_decay": weight_decay} for group in groups]
        return OPTIMIZERS[optimizer](groups, lr=1e-2)

    fit(
        model, train, epochs=math.ceil(N_STEPS / math.ceil(len(train) / 64)), max_steps=N_STEPS,
        optimizer=make, schedule="one_cycle", batch_size=64, seed=seed, progress=False,
    )  # fmt: skip
    return model


def shortest_code(model: nn.Module, data: Dataset) -> tuple[float, float]:
    """Bits of the rounded network and bits of its labels, at the precision that makes both least.

    A tensor is rounded to multiples of 2^-k of its root mean square and sent as a normal's; then
    each in turn gets another k while the sum falls.  Batch norm uses the means of `data`, which
    whoever wants the labels has.
    """
    reader = copy.deepcopy(model).train()
    tensors = {name: value.detach() for name, value in model.named_parameters()}

    def rounded(name: str, k: int) -> tuple[Tensor, float]:
        value = tensors[name]
        std = value.square().mean().sqrt().item() or 1.0
        step = std * 2.0**-k
        bits = gaussian_bits(value, step=step, std=std) + SCALE_BITS
        return (value / step).round() * step, bits

    @torch.no_grad()
    def total(sent: dict[str, tuple[Tensor, float]]) -> float:
        values = {name: value for name, (value, _) in sent.items()}
        logits = functional_call(reader, values, (data.inputs,))
        return sum(bits for _, bits in sent.values()) + data_bits(logits, data.targets)

    places = dict.fromkeys(tensors, 3)
    sent = {name: rounded(name, k) for name, k in places.items()}
    least, is_falling = total(sent), True
    while is_falling:
        is_falling = False
        for name in tensors:
            for k in (places[name] - 1, places[name] + 1):
                other = {**sent, name: rounded(name, k)}
                bits = total(other)
                if bits < least:
                    least, sent, places[name], is_falling = bits, other, k, True
    model_bits = sum(bits for _, bits in sent.values())
    return model_bits, least - model_bits


def histograms(networks: list[nn.Module]) -> dict[str, Any]:
    """Shares of the networks' values in each bin, kernels apart from biases and gains."""
    found: dict[str, Any] = {}
    for name, is_kernel in (("weights", True), ("others", False)):
        values = torch.cat([
            p.detach().flatten() for model in networks for p in model.parameters()
            if (p.ndim > 1) == is_kernel
        ])  # fmt: skip
        inside = values.clamp(BINS[0] + 1e-4, BINS[-1] - 1e-4)
        counts = torch.histogram(inside, BINS).hist.tolist()
        found[name] = [round(count / len(values), 3) for count in counts]
        found[f"{name}_rms"] = float(f"{values.square().mean().sqrt().item():.3g}")
    return found


def measured(optimizer: str, decayed: str, weight_decay: float, n: int) -> dict[str, Any]:
    """One place of the dial: scores of each seed, mean bits of the network, weights of all."""
    whole, held_out = split_mnist1d()
    train = whole.subset(slice(0, n))
    row: dict[str, Any] = {
        name: [] for name in ("train_accuracy", "accuracy", "train_bits", "bits", "total_bits")
    }
    networks, model_bits = [], []
    for seed in SEEDS:
        model = trained(train, optimizer, decayed, weight_decay, seed)
        for prefix, data in (("train_", train), ("", held_out)):
            scores = evaluate(model, data)
            row[f"{prefix}accuracy"].append(round(scores.accuracy, 4))
            row[f"{prefix}bits"].append(round(scores.loss / math.log(2), 3))
        parts = [round(bits) for bits in shortest_code(model, train)]
        row["total_bits"].append(sum(parts))
        model_bits.append(parts[0])
        networks.append(model)
    return {**row, "model_bits": round(fmean(model_bits)), "histogram": histograms(networks)}


def dial() -> dict[str, Any]:
    """Every place of the dial: labels x optimizer x what is decayed x coefficient."""
    curves: dict[str, Any] = {}
    for n in SIZES:
        without = measured("adamw", "weights", 0.0, n)  # the same network in all four
        for optimizer in OPTIMIZERS:
            for decayed in DECAYED:
                key = f"{optimizer}|{decayed}|{n}"
                curves[key] = [
                    measured(optimizer, decayed, value, n) if value else without
                    for value in WEIGHT_DECAYS
                ]
                print(key, [row["accuracy"] for row in curves[key]], flush=True)
    return {
        "seeds": list(SEEDS),
        "sizes": list(SIZES),
        "weight_decays": list(WEIGHT_DECAYS),
        "bins": [round(edge, 2) for edge in BINS.tolist()],
        "n_parameters": models.n_parameters(small_cnn()),
        "curves": curves,
    }


def committee() -> dict[str, Any]:
    """The two networks of the dropout committee, trained with and without, as base64 of float16."""
    train, held_out = split_mnist()
    seed, networks, accuracy = 0, {}, {}
    for name in ("dropout", "plain"):
        seed_everything(seed)
        model = thinned_network()
        if name == "plain":
            model = nn.Sequential(*(layer for layer in model if not isinstance(layer, Dropout)))
        fit(
            model, train.map(shrunk), epochs=60, lr=3e-3, schedule="one_cycle", batch_size=64,
            seed=seed, progress=False,
        )  # fmt: skip
        accuracy[name] = round(evaluate(model, held_out.map(shrunk)).accuracy, 4)
        networks[name] = [
            base64.b64encode(p.detach().numpy().astype("<f2").tobytes()).decode()
            for p in model.parameters()
        ]
        print(name, accuracy[name], flush=True)
    return {"seeds": [seed], "accuracy": accuracy, "networks": networks}


JOBS = {"committee": committee, "dial": dial}

LOOP = (
    "mnist1d.npz",
    training._run_epoch,
    training._make_optimizer,
    training._make_schedule,
    Dataset.batches,
)
COVERS = {
    "committee": (
        "mnist.npz",
        *LOOP[1:],
        split_mnist,
        shrunk,
        thinned_network,
        Dropout,
        noise.dropout,
    ),
    "dial": (
        *LOOP,
        split_mnist1d,
        small_cnn,
        trained,
        shortest_code,
        histograms,
        measured,
        models.cnn1d,
        decay_groups,
        gaussian_bits,
        codelength.data_bits,
    ),
}
