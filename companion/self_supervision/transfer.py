"""From codes learnt without labels to classes, with few labels."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion.data import Dataset
from companion.self_supervision.inputs import check_generator, check_inputs
from companion.training import evaluate, fit, predict

FREEZE = ("none", "encoder", "batch_norm")
Method = Callable[[Dataset, int], nn.Module]


class Classifier(nn.Module):
    """A copy of an encoder and one linear layer on its codes: inputs -> logits (N, classes).

    What `freeze` names keeps its weights, and its batch norm the statistics that it came with, in
    training mode too: "encoder", or the layers of batch norm alone, or "none".
    """

    def __init__(self, encoder: nn.Module, head: nn.Linear, freeze: str = "none") -> None:
        super().__init__()
        self.encoder, self.head, self.freeze = copy.deepcopy(encoder), head, freeze
        for parameter in self.encoder.parameters():
            parameter.requires_grad_(True)
        for module in self._frozen():
            module.requires_grad_(False)
        self.train(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x).flatten(1))

    def train(self, mode: bool = True) -> Classifier:
        super().train(mode)
        for module in self._frozen():
            module.eval()  # requires_grad alone would let its statistics follow the new data
        return self

    def _frozen(self) -> list[nn.Module]:
        if self.freeze == "encoder":
            return [self.encoder]
        is_frozen = self.freeze == "batch_norm"
        norm = nn.modules.batchnorm._BatchNorm
        return [m for m in self.encoder.modules() if is_frozen and isinstance(m, norm)]


def linear_probe(
    encoder: nn.Module, data: Dataset, *, l2: float = 1e-2, max_iterations: int = 1000
) -> Classifier:
    """Multinomial logistic regression on the frozen codes of the encoder; returns a classifier.

    Codes are standardized by those of `data` (a code that never varies is left out); the regression
    minimizes the mean cross-entropy in nats + `l2 / 2 * ||w||^2`, without the biases, by L-BFGS in
    float64 until the gradient vanishes.  In scikit-learn's terms C is 1 / (l2 N).

    Raises:
        ValueError: no examples, an l2 not above zero, or codes that are not finite.
    """
    if not 0 < l2 < math.inf:
        raise ValueError(
            f"l2 is {l2!r}, expected a finite number above zero: few labels can be separated "
            "perfectly, and without a price the weights then grow without end"
        )
    codes = _codes(encoder, data)
    mean, std = codes.mean(0), codes.std(0, correction=0)
    varies = std > 1e-6 * std.max()
    scale = torch.where(varies, 1 / std.where(varies, 1.0), 0.0)
    x, targets, n_classes = (codes - mean) * scale, data.targets.cpu(), len(data.classes)
    weight = torch.zeros(n_classes, x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(n_classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=max_iterations, tolerance_grad=1e-8, tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def objective() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(x @ weight.T + bias, targets) + l2 / 2 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(objective)
    with torch.no_grad():  # the standardization goes into the layer
        weight = weight * scale
        head = _head(weight, bias - weight @ mean, like=data.inputs)
    return Classifier(encoder, head, freeze="encoder").to(_device(encoder, data))


def fine_tune(
    encoder: nn.Module,
    data: Dataset,
    *,
    freeze: str = "none",
    n_steps: int = 300,
    lr: float = 3e-3,
    encoder_lr: float | None = None,
    batch_size: int = 64,
    weight_decay: float = 0.01,
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    head: nn.Linear | None = None,
    seed: int = 0,
    schedule: str | Callable[..., Any] | None = "one_cycle",
) -> Classifier:
    """Trains a copy of the encoder and a linear layer on labels; returns the classifier.

    With a fresh encoder this is training from scratch.  Every run gets `n_steps` updates, whatever
    the number of labels.  `freeze` holds back "encoder", "batch_norm" or "none" of it (its
    weights and its statistics); `encoder_lr` is the encoder's own learning rate, `lr` by default.
    The layer starts at zero, or as a copy of `head` (for example `linear_probe(...).head`).  `seed`
    orders the batches and drives `augment`.

    Source: Bozinovski & Fulgosi 1976; Pratt, NIPS 5, 1993.

    Raises:
        ValueError: an unknown `freeze`, no examples, a head that does not fit, n_steps below 1.
    """
    if freeze not in FREEZE:
        raise ValueError(f"freeze is {freeze!r}, expected one of {', '.join(FREEZE)}")
    if not isinstance(n_steps, Integral) or n_steps < 1:
        raise ValueError(f"n_steps must be an integer of at least 1, got {n_steps!r}")
    if not isinstance(data, Dataset) or len(data) == 0:
        raise ValueError("data must be a Dataset with at least one labelled example")
    n_code, n_classes = _codes(encoder, data.subset([0])).shape[1], len(data.classes)
    zeros = torch.zeros(n_classes, n_code)
    if head is None:
        head = _head(zeros, zeros[:, 0], like=data.inputs)
    elif head.weight.shape != zeros.shape:
        raise ValueError(
            f"the head has weights of shape {tuple(head.weight.shape)}, expected "
            f"{tuple(zeros.shape)}: {n_classes} classes from {n_code} values of code"
        )
    model = Classifier(encoder, copy.deepcopy(head).requires_grad_(True), freeze)
    model.to(_device(encoder, data))
    groups = [{"params": list(model.head.parameters()), "lr": lr}]
    body = [p for p in model.encoder.parameters() if p.requires_grad]
    if body:
        groups.append({"params": body, "lr": lr if encoder_lr is None else encoder_lr})
    fit(
        model,
        data,
        epochs=math.ceil(n_steps / math.ceil(len(data) / batch_size)),
        max_steps=n_steps,
        batch_size=batch_size,
        optimizer=lambda _: torch.optim.AdamW(groups, weight_decay=weight_decay),
        schedule=schedule,
        augment=augment,
        seed=seed,
        progress=False,
    )
    return model


def few_labels(data: Dataset, n_per_class: int, generator: torch.Generator) -> Dataset:
    """Draws `n_per_class` examples of each class, in random order.

    From the same seed, a smaller draw is a part of a larger one.

    Raises:
        ValueError: a class has fewer examples than that.
    """
    check_generator(generator)
    if not isinstance(n_per_class, Integral) or n_per_class < 1:
        raise ValueError(f"n_per_class must be an integer of at least 1, got {n_per_class!r}")
    targets = data.targets.cpu()
    order = torch.randperm(len(data), generator=generator, device=generator.device).cpu()
    is_drawn = torch.zeros(len(data), dtype=torch.bool)
    for label, name in enumerate(data.classes):
        drawn = order[targets[order] == label][:n_per_class]
        if len(drawn) < n_per_class:
            raise ValueError(
                f"class {name!r} has {len(drawn)} examples, fewer than the {n_per_class} to draw"
            )
        is_drawn[drawn] = True
    return data.subset(order[is_drawn[order]])


def label_efficiency_curve(
    methods: Mapping[str, Method],
    train: Dataset,
    test: Dataset,
    *,
    labels_per_class: Iterable[int] = (1, 3, 10, 30, 100),
    seeds: Iterable[int] = range(5),
) -> dict[str, dict[int, list[float]]]:
    """Accuracy on `test` of each method, for each number of labels per class, one for each seed.

    A method `(few, seed) -> model` gets the few labelled examples and returns a classifier.  In one
    seed every method gets the same draw, so that methods are compared in pairs, and a smaller draw
    is a part of a larger one.  Returns `curve[name][labels_per_class]`, a list over seeds.

    Raises:
        ValueError: no methods, or a class with too few examples.
    """
    if not methods:
        raise ValueError("no methods to compare: expected {name: function of (data, seed)}")
    labels_per_class, seeds = list(labels_per_class), list(seeds)
    curve = {name: {n: [] for n in labels_per_class} for name in methods}
    for seed in seeds:
        for n in labels_per_class:
            few = few_labels(train, n, torch.Generator().manual_seed(seed))
            for name, method in methods.items():
                curve[name][n].append(evaluate(method(few, seed), test).accuracy)
    return curve


def _codes(encoder: nn.Module, data: Dataset) -> Tensor:
    """Codes (N, D) in float64 on the CPU."""
    if not isinstance(data, Dataset):
        raise ValueError(f"data is a {type(data).__name__}, expected a Dataset: inputs and labels")
    check_inputs(data.inputs, "data.inputs")
    codes = predict(encoder, data.inputs).cpu().double().flatten(1)
    if not torch.isfinite(codes).all():
        raise ValueError("the encoder gives codes with nan or inf: did its pretraining diverge?")
    return codes


def _head(weight: Tensor, bias: Tensor, like: Tensor) -> nn.Linear:
    head = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0], dtype=like.dtype)
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)
    return head


def _device(encoder: nn.Module, data: Dataset) -> torch.device:
    parameter = next(encoder.parameters(), None)
    return data.inputs.device if parameter is None else parameter.device
