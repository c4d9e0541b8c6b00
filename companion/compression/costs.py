"""What a network costs: parameters, multiply-adds and activations counted, time measured."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from numbers import Integral

import torch
from torch import Tensor, nn

from companion.compression.layers import WEIGHTED
from companion.training import predict


@dataclass(frozen=True)
class LayerCost:
    """Cost of one layer: multiply-adds and activations (values put out) are per example."""

    name: str
    kind: str
    parameters: int
    multiply_adds: int
    activations: int


@dataclass(frozen=True)
class Latency:
    """Seconds of one forward pass over the repeats: median, lower and upper quartile."""

    median: float
    low: float
    high: float


def layer_costs(model: nn.Module, x: Tensor) -> list[LayerCost]:
    """One row for each layer that runs on x (N, ...), in the order of the first run.

    Linear and Conv layers cost one multiply-add for each weight and place where it is used; what
    has no matrix (batch norm, activations, pooling) counts as none.

    Raises:
        ValueError: a layer with matrices that is neither Linear nor Conv: its cost is not known.
    """
    costs: dict[str, LayerCost] = {}

    def count(name: str, layer: nn.Module, outputs: Tensor) -> None:
        n_values = outputs[0].numel()
        n_parameters = sum(p.numel() for p in layer.parameters())
        per_value = 0
        if isinstance(layer, WEIGHTED):
            per_value = prod(layer.weight.shape[1:])
        elif any(p.ndim > 1 for p in layer.parameters()):
            raise ValueError(f"{name!r} is a {type(layer).__name__}: its cost is not known here")
        done = costs.get(name)
        n_adds = per_value * n_values + (done.multiply_adds if done else 0)
        n_activations = n_values + (done.activations if done else 0)
        costs[name] = LayerCost(name, type(layer).__name__, n_parameters, n_adds, n_activations)

    handles = [
        layer.register_forward_hook(lambda layer, _, y, name=name: count(name, layer, y))
        for name, layer in model.named_modules()
        if not list(layer.children())
    ]
    try:
        predict(model, x[:1])
    finally:
        for handle in handles:
            handle.remove()
    return list(costs.values())


def latency(model: nn.Module, x: Tensor, *, repeats: int = 30, warmup: int = 3) -> Latency:
    """Seconds of `model(x)` on one thread, in evaluation mode, after `warmup` runs that are not
    counted."""
    return compare_latency({"model": model}, x, repeats=repeats, warmup=warmup)["model"]


def compare_latency(
    models: Mapping[str, nn.Module], x: Tensor, *, repeats: int = 30, warmup: int = 3
) -> dict[str, Latency]:
    """`latency` of each model on the same x, in turns: what slows the machine meets all of them.

    Raises:
        ValueError: no models, repeats below 1 or warmup below 0.
    """
    if not models:
        raise ValueError("no models to time: expected {name: model}")
    for name, value, least in (("repeats", repeats, 1), ("warmup", warmup, 0)):
        if not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} is {value!r}, expected an integer of at least {least}")
    models = {name: copy.deepcopy(model).eval() for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            for repeat in range(warmup + repeats):
                for name, model in models.items():
                    elapsed = _time(model, x)
                    if repeat >= warmup:
                        seconds[name].append(elapsed)
    finally:
        torch.set_num_threads(n_threads)
    return {name: _summary(values) for name, values in seconds.items()}


def _time(model: nn.Module, x: Tensor) -> float:
    start = time.perf_counter()
    model(x)
    if x.device.type != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter() - start


def _summary(seconds: list[float]) -> Latency:
    if len(seconds) == 1:
        return Latency(seconds[0], seconds[0], seconds[0])
    low, _, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return Latency(statistics.median(seconds), low, high)
