"""Quantization, pruning, surgery, low rank, codes, files and distillation on every device."""

from __future__ import annotations

import pytest
import torch
from accelerators import check_agrees, check_repeats_itself
from test_on_accelerator import examples, on_device, randn, weights
from torch import nn

from companion import compression, models, training

pytestmark = pytest.mark.device

CASES = {}  # public name -> (function of a device that returns tensors, tolerance)


def case(name, tolerance=1e-4):
    def register(function):
        CASES[name] = (function, tolerance)
        return function

    return register


def same_device(found, where):
    assert all(x.device.type == torch.device(where).type for x in found)
    return found


TABLE, IMAGES = randn(9, 12), randn(3, 1, 28, 28)
GRIDS = (
    {"bits": 5, "axis": 0},
    {"bits": 3, "scheme": "symmetric"},
    {"bits": 4, "limits": (-1.0, 0.5)},
)


def mlp(where):
    return on_device(lambda: models.mlp(40, 16), where)


def convolutions(where):
    return on_device(
        lambda: nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(),
            nn.Linear(216, 10),
        ).eval(),
        where,
    )  # fmt: skip


for name in ("quantize", "QuantizedTensor"):

    @case(name)
    def _(where):
        found = [compression.quantize(TABLE.to(where), **grid) for grid in GRIDS]
        parts = [part for q in found for part in (q.codes, q.scale, q.zero_point, q.dequantize())]
        return same_device(parts, where)


@case("fake_quantize")
def _(where):
    x = TABLE.to(where).requires_grad_()
    found = [compression.fake_quantize(x, **grid) for grid in GRIDS]
    gradients = [torch.autograd.grad(y, x, TABLE.flip(0).to(where))[0] for y in found]
    return same_device(found + gradients, where)


for name, how in {
    "quantize_model": {"activation_bits": 6},
    "QuantizedLayer": {"activation_bits": 6, "trainable": True},
}.items():

    @case(name)
    def _(where, how=how):
        inputs = examples().inputs  # from the CPU, as the data sets are
        model = compression.quantize_model(mlp(where), inputs, weight_bits=4, **how)
        # The layers' own limits: a value that lies on a half would be rounded by its last bit.
        limits = [layer.input_limits for layer in model[::2]]
        return same_device([*weights(model), *limits], where)


@case("magnitude_mask")
def _(where):
    return same_device([compression.magnitude_mask(TABLE.to(where), 0.3)], where)


@case("prunable")
def _(where):
    return same_device(list(compression.prunable(convolutions(where)).values()), where)


@case("pruning_masks")
def _(where):
    masks = [
        compression.pruning_masks(mlp(where), 0.2, scope=scope) for scope in ("layer", "global")
    ]
    return same_device([mask for each in masks for mask in each.values()], where)


@case("Pruner", tolerance=1e-3)
def _(where):
    model = mlp(where)
    pruner = compression.Pruner(model, compression.pruning_masks(mlp("cpu"), 0.2))
    training.fit(
        model, examples(where), epochs=5, progress=False,
        optimizer=lambda p: pruner.attach(torch.optim.SGD(p, lr=0.01, momentum=0.9)),
    )  # fmt: skip
    return same_device(weights(model), where)


@case("sensitivity", tolerance=2e-2)
def _(where):
    scores = compression.sensitivity(mlp(where), examples(where), (1.0, 0.3))
    return [torch.tensor([[*row.values()] for row in scores.values()])]


@case("gradual_density")
def _(where):
    return [torch.tensor([compression.gradual_density(step, 10, 0.1) for step in range(11)])]


@case("channel_norms")
def _(where):
    return same_device([compression.channel_norms(convolutions(where)[0])], where)


@case("remove_channels")
def _(where):
    model = compression.remove_channels(convolutions(where), "0", [0, 2, 5])
    return same_device([model(IMAGES.to(where)), *weights(model)], where)


@case("factorize_linear")
def _(where):
    pair = compression.factorize_linear(mlp(where)[0], 4)
    return same_device([pair(examples(where).inputs)], where)


@case("factorize_conv")
def _(where):
    pair = compression.factorize_conv(convolutions(where)[0], 3)
    return same_device([pair(IMAGES.to(where))], where)


@case("rank_for_energy")
def _(where):
    values = torch.linspace(3, 0, 12).to(where)
    return [torch.tensor([compression.rank_for_energy(values, e) for e in (0.3, 0.9, 1.0)])]


@case("break_even_rank")
def _(where):
    return [torch.tensor(compression.break_even_rank(300, 784))]


for name in ("layer_costs", "LayerCost"):

    @case(name)
    def _(where):
        rows = compression.layer_costs(convolutions(where), IMAGES.to(where))
        return [torch.tensor([[r.parameters, r.multiply_adds, r.activations] for r in rows])]


for name in ("latency", "compare_latency", "Latency"):

    @case(name)
    def _(where, name=name):
        model, x = convolutions(where), IMAGES.to(where)
        if name == "compare_latency":
            found = compression.compare_latency({"a": model, "b": model}, x, repeats=3)
        else:
            found = {"a": compression.latency(model, x, repeats=3)}
        return [torch.tensor([0 < t.low <= t.median <= t.high for t in found.values()])]


@case("distillation_loss")
def _(where):
    student, teacher = (x.to(where).requires_grad_() for x in (TABLE, TABLE.flip(1)))
    loss = compression.distillation_loss(student, teacher, torch.arange(9).to(where))
    return same_device([loss[None], torch.autograd.grad(loss, student)[0]], where)


@case("distill", tolerance=1e-2)
def _(where):
    student = mlp(where)
    history = compression.distill(
        student, on_device(models.logistic, where), examples(where), epochs=2, optimizer="sgd",
        lr=0.01,
    )  # fmt: skip
    return [torch.tensor(history.step_loss)]


for name in ("share_weights", "SharedWeights"):

    @case(name)
    def _(where):
        shared = compression.share_weights(TABLE.to(where), 5, keep_zero=True)
        return same_device([shared.codes, shared.codebook, shared.values()], where)


MESSAGE = [0, 2, 2, 1, 2, 0, 2, 2]


@case("ArithmeticCoder")
def _(where):
    coder = compression.ArithmeticCoder([2, 1, 5])
    return [torch.tensor(coder.decode(coder.encode(MESSAGE), len(MESSAGE)))]


for name in ("Encoder", "Decoder"):

    @case(name)
    def _(where):
        encoder = compression.Encoder()
        for symbol in MESSAGE:
            encoder.number(3, symbol)
        decoder = compression.Decoder(encoder.finish())
        return [torch.tensor([decoder.number(3) for _ in MESSAGE])]


for name in ("huffman_code", "huffman_encode", "huffman_decode", "canonical", "kraft_sum"):

    @case(name)
    def _(where):
        words = compression.huffman_code({0: 2, 1: 1, 2: 5})
        bits = compression.huffman_encode(MESSAGE, words)
        lengths = compression.canonical({symbol: len(word) for symbol, word in words.items()})
        found = [*compression.huffman_decode(bits, words), compression.kraft_sum(lengths)]
        return [torch.tensor([float(x) for x in found])]


@case("entropy_bits")
def _(where):
    return [torch.tensor([compression.entropy_bits([2, 1, 5])])]


for name in ("compress", "decompress", "size_report", "SizeRow"):

    @case(name)
    def _(where):
        model = mlp(where)
        blob = compression.compress(model, density=0.3, n_levels=4)
        again = compression.decompress(blob, mlp(where))
        rows = compression.size_report(again, blob)
        assert sum(row.bits for row in rows) == 8 * len(blob)
        return [torch.tensor(list(blob)), *same_device(weights(again), where)]


def test_every_public_name_has_a_case():
    assert set(CASES) == set(compression.__all__)


@pytest.mark.parametrize("name", CASES)
def test_the_case_repeats_itself_on_the_cpu(name):
    check_repeats_itself(CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_the_device_agrees_with_the_cpu(name, accelerator):
    check_agrees(CASES[name][0], accelerator, f"compression.{name}", CASES[name][1])
