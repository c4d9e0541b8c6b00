"""Grids keep zero, are torch's and torchao's, and let gradients through where they do not clip."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torchao.quantization import quant_primitives as torchao

from companion import compression as C
from companion import models, training
from companion.data import Dataset

seeds = st.integers(0, 99)
bits_ = st.integers(1, 16)
schemes = st.sampled_from(["affine", "symmetric"])


def randn(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def code_range(bits, scheme):
    """The first and the last code, counted out."""
    codes = range(2**bits)
    if scheme == "symmetric":
        codes = range(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1))
    return codes[0], codes[-1]


def is_tie(x, scale):
    """Where x lies halfway between two codes, up to float32: both neighbours are nearest."""
    position = (x.double() / scale.double()).abs()
    return ((position - position.floor()) - 0.5).abs() < 2e-7 * position.clamp(min=1) + 1e-6


def only_ties_differ(ours, theirs, x, scale):
    difference = (ours.double() - theirs.double()).abs()
    return bool(((difference == 0) | (is_tie(x, scale) & (difference <= 1))).all())


# ---- the twins ---------------------------------------------------------------------------------


@given(seed=seeds, bits=bits_, scheme=schemes, shift=st.floats(-2, 2), per_channel=st.booleans())
def test_grids_and_codes_are_torchaos(seed, bits, scheme, shift, per_channel):
    bits = max(bits, 2) if scheme == "symmetric" else bits
    x = randn(4, 3, 5, seed=seed) + shift
    first, last = code_range(bits, scheme)
    kind = {"affine": "ASYMMETRIC", "symmetric": "SYMMETRIC"}[scheme]
    block = (1, 3, 5) if per_channel else (4, 3, 5)
    scale, zero = torchao.choose_qparams_affine(
        x, torchao.MappingType[kind], block, torch.int32, first, last,
        scale_dtype=torch.float32, zero_point_dtype=torch.int32,
    )  # fmt: skip
    q = C.quantize(x, bits=bits, scheme=scheme, axis=0 if per_channel else None)
    assert q.codes.dtype == torch.int32 and q.codes.shape == x.shape
    assert q.scale.shape == ((4, 1, 1) if per_channel else ())
    assert torch.allclose(q.scale.flatten(), scale.flatten(), rtol=1e-6, atol=0)
    low = x.flatten(1).amin(1) if per_channel else x.amin().view(1)
    assert only_ties_differ(q.zero_point.flatten(), zero.flatten(), low, q.scale.flatten())
    theirs = torchao.quantize_affine(
        x, block, q.scale.flatten(), q.zero_point.flatten(), torch.int32, first, last
    )
    assert only_ties_differ(q.codes, theirs, x, q.scale)
    values = torchao.dequantize_affine(
        q.codes, block, q.scale.flatten(), q.zero_point.flatten(), torch.int32, first, last
    )
    assert torch.equal(q.dequantize(), values)


@given(seed=seeds, bits=bits_, low=st.floats(-2, 0.5), width=st.floats(0.1, 3))
def test_values_and_gradients_are_torchs(seed, bits, low, width):
    x = randn(50, seed=seed).requires_grad_()
    twin = x.detach().clone().requires_grad_()
    grid = C.quantize(x, bits=bits, limits=(low, low + width))
    ours = C.fake_quantize(x, bits=bits, limits=(low, low + width))
    theirs = torch.fake_quantize_per_tensor_affine(
        twin, grid.scale, grid.zero_point, 0, 2**bits - 1
    )
    assert torch.equal(ours, grid.dequantize())
    codes, twin_codes = ((y.detach() / grid.scale).round() for y in (ours, theirs))
    assert only_ties_differ(codes, twin_codes, x.detach(), grid.scale)
    cotangent = randn(50, seed=seed + 100)
    ours.backward(cotangent)
    theirs.backward(cotangent)
    differs = x.grad != twin.grad
    assert not (differs & ~is_tie(x.detach(), grid.scale)).any()
    assert set((x.grad / cotangent).unique().tolist()) <= {0.0, 1.0}


@given(seed=seeds, bits=st.integers(2, 8), axis=st.integers(-3, 2))
def test_channels_are_torchs(seed, bits, axis):
    x = randn(4, 3, 5, seed=seed) * torch.arange(1.0, 4)[:, None]
    q = C.quantize(x, bits=bits, scheme="symmetric", axis=axis)
    first, last = code_range(bits, "symmetric")
    twin = torch.fake_quantize_per_channel_affine(
        x, q.scale.flatten(), q.zero_point.flatten(), axis % 3, first, last
    )
    assert only_ties_differ(q.codes, (twin / q.scale).round(), x, q.scale)
    for i, part in enumerate(x.unbind(axis)):  # a channel's grid is that of the channel alone
        alone = C.quantize(part, bits=bits, scheme="symmetric")
        assert torch.equal(q.codes.select(axis, i), alone.codes)
        assert q.scale.flatten()[i] == alone.scale


def test_halves_go_to_the_even_code():
    x = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 7.0])
    q = C.quantize(x, bits=4, scheme="symmetric")
    assert q.scale == 1 and q.codes.tolist() == [-2, -2, 0, 0, 2, 2, 4, 7]
    q = C.quantize(x, bits=4, limits=(-5, 10))
    assert q.zero_point == 5 and q.codes.tolist() == [3, 3, 5, 5, 7, 7, 9, 12]


# ---- laws --------------------------------------------------------------------------------------


@given(
    seed=seeds, bits=bits_, scheme=schemes, shift=st.floats(-3, 3),
    size=st.sampled_from([1e-30, 1e-3, 1.0, 1e30]), axis=st.sampled_from([None, 0, 1, -1]),
)  # fmt: skip
def test_the_error_is_at_most_half_a_step_and_zero_is_exact(seed, bits, scheme, shift, size, axis):
    bits = max(bits, 2) if scheme == "symmetric" else bits
    x = (randn(6, 7, seed=seed) + shift) * size
    x[seed % 6, seed % 7] = 0.0
    q = C.quantize(x, bits=bits, scheme=scheme, axis=axis)
    values = q.dequantize()
    assert ((values - x).abs() <= q.scale * (0.5 + 2.0 ** (bits - 22))).all()
    assert values[seed % 6, seed % 7] == 0
    first, last = code_range(bits, scheme)
    assert q.codes.min() >= first and q.codes.max() <= last
    # q(q(x)) = q(x) on the same grid; and on a grid of its own, unless both ends of x lie halfway
    # between codes and are rounded inwards.
    ends = [(code - q.zero_point) * q.scale for code in (first, last)]
    grids = {"limits": ends}, {"axis": axis}
    for grid in grids[: 1 if is_tie((x / q.scale).amin(), torch.ones(())).any() else 2]:
        again = C.quantize(values, bits=bits, scheme=scheme, **grid)
        assert torch.equal(again.codes, q.codes)
        assert torch.allclose(again.dequantize(), values, rtol=1e-6, atol=0)


@given(seed=seeds, scheme=schemes, low=st.floats(-3, 0), high=st.floats(0.1, 3))
def test_more_bits_lower_the_worst_error_and_the_mean_one(seed, scheme, low, high):
    x = torch.linspace(low, high, 5001)
    worst, mean = math.inf, math.inf
    for bits in range(2, 13):
        error = C.quantize(x, bits=bits, scheme=scheme, limits=(low, high)).dequantize() - x
        assert error.abs().max() < worst and error.square().mean() < mean
        worst, mean = error.abs().max(), error.square().mean()


@given(bits=bits_, scheme=schemes, value=st.sampled_from([0.0, 3.0, -0.7, 1e-44, -3e38]))
def test_constant_tensors_have_a_grid(bits, scheme, value):
    bits = max(bits, 2) if scheme == "symmetric" else bits
    x = torch.full((3, 4), value)
    for axis in (None, 0):
        q = C.quantize(x, bits=bits, scheme=scheme, axis=axis)
        assert torch.isfinite(q.scale).all() and (q.scale > 0).all()
        assert torch.allclose(q.dequantize(), x, rtol=1e-6, atol=1e-38)
        assert (C.fake_quantize(torch.zeros(3, 4), bits=bits, scheme=scheme, axis=axis) == 0).all()


@given(bits=st.integers(1, 8), seed=seeds)
def test_values_outside_the_limits_are_clipped(bits, seed):
    x = 3 * randn(40, seed=seed).requires_grad_()
    q = C.quantize(x, bits=bits, limits=(-1.0, 2.0))
    grid = (torch.arange(2**bits) - q.zero_point) * q.scale
    nearest = (x.detach()[:, None] - grid).abs().amin(1)
    assert torch.allclose((x.detach() - q.dequantize()).abs(), nearest, atol=1e-6)
    assert q.dequantize().unique().numel() <= 2**bits
    leaf = x.detach().clone().requires_grad_()
    C.fake_quantize(leaf, bits=bits, limits=(-1.0, 2.0)).sum().backward()
    beyond = (leaf < grid[0] - 0.51 * q.scale) | (leaf > grid[-1] + 0.51 * q.scale)
    within = (leaf > grid[0] - 0.49 * q.scale) & (leaf < grid[-1] + 0.49 * q.scale)
    assert (leaf.grad[beyond] == 0).all() and (leaf.grad[within] == 1).all()


def test_limits_that_leave_zero_out_are_widened():
    q = C.quantize(torch.tensor([2.0, 5.0]), bits=2, limits=(2.0, 6.0))
    assert q.scale == 2 and q.zero_point == 0 and q.codes.tolist() == [1, 2]
    q = C.quantize(torch.tensor([2.0, -5.0]), bits=2, limits=(-6.0, -2.0))
    assert q.scale == 2 and q.zero_point == 3 and q.dequantize().tolist() == [0, -4]
    low, high = torch.tensor([[-1.0], [-3.0]]), torch.tensor([[2.0], [0.0]])
    q = C.quantize(randn(2, 5), bits=2, limits=(low, high))
    assert q.scale.tolist() == [[1.0], [1.0]] and q.zero_point.tolist() == [[1], [3]]


def test_the_bits_count_the_grid():
    x = randn(6, 10)
    assert C.quantize(x, bits=4).n_bits == 60 * 4 + 32 + 4
    assert C.quantize(x, bits=4, scheme="symmetric").n_bits == 60 * 4 + 32
    assert C.quantize(x, bits=3, axis=0).n_bits == 60 * 3 + 6 * (32 + 3)
    assert C.quantize(x, bits=3, scheme="symmetric", axis=1).n_bits == 60 * 3 + 10 * 32


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_floats_are_rounded_in_float32(dtype):
    x = randn(30).to(dtype).requires_grad_()
    q = C.quantize(x, bits=5)
    assert torch.equal(q.codes, C.quantize(x.detach().float(), bits=5).codes)
    y = C.fake_quantize(x, bits=5)
    assert y.dtype == dtype and torch.equal(y, q.dequantize().to(dtype))
    y.sum().backward()
    assert x.grad.dtype == dtype and (x.grad == 1).all()


def test_a_channel_grid_serves_channels_of_unlike_size():
    x = randn(4, 100) * torch.tensor([[1e-3], [1e-1], [1.0], [100.0]])
    alone = C.quantize(x, bits=6, scheme="symmetric", axis=0).dequantize() - x
    together = C.quantize(x, bits=6, scheme="symmetric").dequantize() - x
    assert alone[:3].norm() < 0.1 * together[:3].norm()
    vector = C.quantize(x[:, 0], bits=6, scheme="symmetric", axis=0)
    assert torch.allclose(vector.dequantize(), x[:, 0]) and (vector.codes.abs() == 31).all()


BAD = {
    "0 bits": ({"bits": 0}, "bits is 0, expected an integer from 1 to 16"),
    "17 bits": ({"bits": 17}, "bits is 17, expected an integer from 1 to 16"),
    "half bits": ({"bits": 2.5}, "bits is 2.5"),
    "bool bits": ({"bits": True}, "bits is True"),
    "1 symmetric": ({"bits": 1, "scheme": "symmetric"}, "1 bit has no value beside zero: use 2"),
    "scheme": ({"scheme": "log"}, "scheme is 'log', expected one of affine, symmetric"),
    "axis": ({"axis": 2}, r"axis is 2, expected None or an axis of x, \(2, 3\)"),
    "axis below": ({"axis": -3}, "axis is -3"),
    "axis float": ({"axis": 0.0}, "axis is 0.0"),
    "limits": ({"limits": (1.0, -1.0)}, "expected finite ones with low <= high"),
    "nan limits": ({"limits": (math.nan, 1.0)}, "expected finite ones"),
    "inf limits": ({"limits": (0.0, math.inf)}, "expected finite ones"),
    "-inf limits": ({"limits": (-math.inf, 0.0)}, "expected finite ones"),
    "nan": ({"x": torch.tensor([1.0, math.nan])}, "1 of 2 values of x are nan or inf"),
    "inf": ({"x": torch.tensor([[math.inf, 1, -math.inf]])}, "2 of 3 values of x"),
    "too large": ({"x": torch.tensor([1e300], dtype=torch.float64)}, "1 of 1 values of x"),
    "empty": ({"x": torch.zeros(0, 3)}, r"x has shape \(0, 3\): it is empty"),
    "integers": ({"x": torch.arange(3)}, "x is torch.int64, expected a floating-point"),
    "list": ({"x": [1.0]}, "x is list, expected a floating-point tensor"),
}


@pytest.mark.parametrize("how, message", BAD.values(), ids=BAD)
@pytest.mark.parametrize("function", [C.quantize, C.fake_quantize])
def test_quantizers_refuse(function, how, message):
    with pytest.raises(ValueError, match=message):
        function(**{"x": randn(2, 3), "bits": 4, **how})


# ---- whole models ------------------------------------------------------------------------------


def examples(n=200):
    targets = torch.arange(n) % 10
    inputs = randn(10, 40)[targets] + 0.5 * randn(n, 40, seed=1)
    return Dataset(inputs, targets, tuple("0123456789"), "examples", "train")


def network(seed=0):
    torch.manual_seed(seed)
    return models.cnn1d(6, batch_norm=True).eval()


@given(bits=st.integers(2, 8), scheme=schemes, per_channel=st.booleans())
def test_weights_lie_on_the_grid_and_the_rest_stays(bits, scheme, per_channel):
    model = network()
    before = copy.deepcopy(model.state_dict())
    rounded = C.quantize_model(model, weight_bits=bits, scheme=scheme, per_channel=per_channel)
    assert all(torch.equal(v, before[name]) for name, v in model.state_dict().items())
    weights = {f"{name}.weight" for name in C.prunable(model)}
    assert len(weights) == 4
    for name, value in rounded.state_dict().items():
        expected = before[name]
        if name in weights:
            axis = 0 if per_channel else None
            expected = C.quantize(expected, bits=bits, scheme=scheme, axis=axis).dequantize()
            assert not torch.equal(value, before[name])
        assert torch.equal(value, expected)
    assert [type(m) for m in rounded] == [type(m) for m in model]


def test_inputs_are_rounded_within_the_range_seen_in_calibration():
    model, x = models.mlp(8, 12, 3), randn(1200, 8)  # over two batches
    rounded = C.quantize_model(model, x, activation_bits=3, weight_bits=4)
    y, floats = 3 * randn(50, 8, seed=5), x
    for layer in model:
        if isinstance(layer, nn.Linear):
            limits = (floats.amin(), floats.amax())
            weight = C.quantize(layer.weight, bits=4, scheme="symmetric", axis=0).dequantize()
            inputs = C.quantize(y, bits=3, limits=limits).dequantize()
            y, floats = inputs @ weight.T + layer.bias, layer(floats)
        else:
            y, floats = layer(y), layer(floats)
    with torch.no_grad():
        assert torch.allclose(rounded(3 * randn(50, 8, seed=5)), y, atol=1e-5)
    assert not any(layer._forward_pre_hooks for layer in [*model, *rounded.modules()])


def test_a_fine_grid_is_the_model_and_a_coarse_one_is_not():
    model, x = network(), randn(64, 40)
    with torch.no_grad():
        expected = model(x)
        for how in ({}, {"activation_bits": 16}, {"trainable": True}):
            fine = C.quantize_model(model, x, weight_bits=16, **how)(x)
            coarse = C.quantize_model(model, x, weight_bits=2, **how)(x)
            assert (fine - expected).norm() < 2e-4 * expected.norm()
            assert (coarse - expected).norm() > 0.05 * expected.norm()


def test_training_moves_the_float_weights_behind_the_grid():
    data, model = examples(), models.mlp(40, 16)
    start = C.quantize_model(model, data.inputs, weight_bits=2, activation_bits=4, trainable=True)
    before = {name: w.detach().clone() for name, w in C.prunable(start).items()}
    accuracy = training.evaluate(start, data).accuracy
    training.fit(start, data, epochs=15, lr=1e-2, progress=False)
    assert training.evaluate(start, data).accuracy > max(0.9, accuracy + 0.2)
    for name, weight in C.prunable(start).items():
        assert not torch.equal(weight, before[name])
        assert weight.unique().numel() > weight.numel() / 2  # floats, not levels
    fixed = C.quantize_model(start, data.inputs, weight_bits=2, activation_bits=None)
    assert all(len(w[0].unique()) <= 3 for w in C.prunable(fixed).values())
    assert list(fixed.state_dict()) == list(model.state_dict())
    assert start[0].layer.weight.requires_grad  # the trained model is still there
    start(data.inputs)


def test_fixing_the_weights_changes_no_output():
    data = examples()
    for model in (models.mlp(40, 16), models.cnn1d(4, batch_norm=True)):
        trained = C.quantize_model(model, weight_bits=3, trainable=True)
        training.fit(trained, data, epochs=2, progress=False)
        fixed = C.quantize_model(trained, weight_bits=3)
        assert torch.equal(fixed(data.inputs), trained(data.inputs))
        assert not any(isinstance(m, C.QuantizedLayer) for m in fixed.modules())


def test_a_pruned_network_stays_pruned_on_the_grid():
    model = models.mlp(40, 16)
    C.Pruner(model, C.pruning_masks(model, 0.2))
    rounded = C.quantize_model(model, weight_bits=4)
    for before, after in zip(C.prunable(model).values(), C.prunable(rounded).values(), strict=True):
        assert (after[before == 0] == 0).all()


def test_one_layer_is_a_model_too_and_modes_are_kept():
    layer, x = nn.Linear(4, 3), randn(9, 4)
    wrapped = C.quantize_model(layer, x, activation_bits=8, weight_bits=8)
    assert isinstance(wrapped, C.QuantizedLayer) and isinstance(wrapped.layer, nn.Linear)
    assert isinstance(C.quantize_model(wrapped, weight_bits=8), nn.Linear)
    nested = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), nn.Dropout())
    rounded = C.quantize_model(nested, randn(5, 1, 6, 6), activation_bits=8)
    assert isinstance(rounded[0][0], C.QuantizedLayer) and rounded[1].training
    assert torch.equal(rounded[0][1].running_mean, torch.zeros(2))  # calibration only looks


def test_models_refuse():
    model = models.mlp(8, 12, 3)
    with pytest.raises(ValueError, match="needs calibration, a tensor of training inputs"):
        C.quantize_model(model, activation_bits=8)
    with pytest.raises(ValueError, match="calibration is empty|calibration has shape"):
        C.quantize_model(model, torch.zeros(0, 8), activation_bits=8)
    with pytest.raises(ValueError, match="calibration is Dataset, expected a floating-point"):
        C.quantize_model(model, examples(), activation_bits=8)
    with pytest.raises(ValueError, match="bits is 20"):
        C.quantize_model(model, randn(5, 8), activation_bits=20)
    with pytest.raises(ValueError, match="bits is 0"):
        C.quantize_model(model, weight_bits=0)
    with pytest.raises(ValueError, match="symmetric with 1 bit"):
        C.quantize_model(model, weight_bits=1)
    with pytest.raises(ValueError, match="ReLU has no Linear or Conv layer"):
        C.quantize_model(nn.ReLU())
    with torch.no_grad():
        model[0].weight[0, 0] = math.nan
    with pytest.raises(ValueError, match="1 of 96 values of .* nan or inf: did the training"):
        C.quantize_model(model)

    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(8, 3), nn.Linear(8, 3)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(ValueError, match="the calibration inputs never reach unused"):
        C.quantize_model(Half(), randn(5, 8), activation_bits=8)
