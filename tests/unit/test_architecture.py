"""Every layer equals its torch twin in values and gradients, and obeys its laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from companion import architecture as A

CONV1D = [  # stride, padding, dilation, kernel
    (1, 0, 1, 1),
    (1, 0, 1, 3),
    (1, 2, 1, 5),
    (2, 0, 1, 3),
    (2, 3, 1, 4),
    (3, 1, 2, 3),
    (1, 4, 3, 3),
    (4, 0, 1, 2),
    (1, 0, 1, 13),
]
CONV2D = [
    (1, 0, 1, (3, 3)),
    (2, 1, 1, (3, 3)),
    (1, 2, 2, (3, 3)),
    (3, 2, 1, (5, 4)),
    ((2, 1), (0, 2), (1, 2), (1, 4)),
    ((1, 3), (3, 0), (2, 1), (4, 1)),
    (1, 0, 1, (1, 1)),
    (1, (0, 1), 1, (9, 11)),
]
POOL1D = [(2, None, 0), (3, None, 1), (3, 1, 1), (2, 3, 0), (4, 2, 2), (1, 1, 0), (13, None, 0)]
POOL2D = [
    (2, None, 0),
    (3, 2, 1),
    ((2, 3), None, 0),
    ((3, 2), (1, 2), (1, 0)),
    (2, (3, 1), 1),
    ((9, 10), None, 0),
]
DTYPES = [torch.float64, torch.float32]


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def assert_close(ours, theirs):
    """float64 to 1e-10, float32 to 1e-5 of the largest value."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    tolerance = 1e-10 if ours.dtype == torch.float64 else 1e-5 * max(1.0, theirs.abs().max().item())
    assert torch.allclose(ours, theirs, rtol=0, atol=tolerance), (ours - theirs).abs().max()


def assert_twins(ours, theirs, inputs):
    """Equal values, and equal gradients of `sum(output * random)` for every input."""
    mine = [x.clone().requires_grad_() for x in inputs]
    twin = [x.clone().requires_grad_() for x in inputs]
    y, y_twin = ours(*mine), theirs(*twin)
    assert_close(y, y_twin)
    cotangent = randn(*y.shape, seed=99, dtype=y.dtype)
    for g, g_twin in zip(
        torch.autograd.grad(y, mine, cotangent),
        torch.autograd.grad(y_twin, twin, cotangent),
        strict=True,
    ):
        assert_close(g, g_twin)


def gradcheck(function, inputs):
    return torch.autograd.gradcheck(function, [x.clone().requires_grad_() for x in inputs])


# ---- twins -------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("stride", "padding", "dilation", "k"), CONV1D)
def test_conv1d_is_torchs(stride, padding, dilation, k, dtype, has_bias):
    inputs = [randn(3, 4, 13, dtype=dtype), randn(5, 4, k, seed=1, dtype=dtype)]
    inputs += [randn(5, seed=2, dtype=dtype)] if has_bias else []
    how = {"stride": stride, "padding": padding, "dilation": dilation}
    assert_twins(lambda *a: A.conv1d(*a, **how), lambda *a: F.conv1d(*a, **how), inputs)


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("stride", "padding", "dilation", "k"), CONV2D)
def test_conv2d_is_torchs(stride, padding, dilation, k, dtype, has_bias):
    inputs = [randn(2, 3, 9, 10, dtype=dtype), randn(4, 3, *k, seed=1, dtype=dtype)]
    inputs += [randn(4, seed=2, dtype=dtype)] if has_bias else []
    how = {"stride": stride, "padding": padding, "dilation": dilation}
    assert_twins(lambda *a: A.conv2d(*a, **how), lambda *a: F.conv2d(*a, **how), inputs)


def test_convolutions_take_torchs_positional_order():
    x, w, b = randn(1, 2, 12), randn(3, 2, 3), randn(3)
    assert_close(A.conv1d(x, w, b, 2, 1, 3), F.conv1d(x, w, b, 2, 1, 3))
    x, w = x[:, :, None].expand(1, 2, 12, 12), w[..., None].expand(3, 2, 3, 2)
    assert_close(A.conv2d(x, w, b, 2, 1, 3), F.conv2d(x, w, b, 2, 1, 3))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kernel_size", "stride", "padding"), POOL1D)
@pytest.mark.parametrize("kind", ["max_pool1d", "avg_pool1d"])
def test_pooling_of_series_is_torchs(kind, kernel_size, stride, padding, dtype):
    ours, theirs = getattr(A, kind), getattr(F, kind)
    how = (kernel_size, stride, padding)
    x = randn(3, 2, 13, dtype=dtype)
    assert_twins(lambda x: ours(x, *how), lambda x: theirs(x, *how), [x])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kernel_size", "stride", "padding"), POOL2D)
@pytest.mark.parametrize("kind", ["max_pool2d", "avg_pool2d"])
def test_pooling_of_images_is_torchs(kind, kernel_size, stride, padding, dtype):
    ours, theirs = getattr(A, kind), getattr(F, kind)
    how = (kernel_size, stride, padding)
    x = randn(2, 3, 9, 10, dtype=dtype)
    assert_twins(lambda x: ours(x, *how), lambda x: theirs(x, *how), [x])


def test_max_pooling_ignores_its_padding():
    below_zero = -1 - torch.rand(1, 1, 6, 6)
    assert A.max_pool2d(below_zero, 3, 1, 1).max() < -1
    assert A.max_pool1d(below_zero[0], 3, 1, 1).max() < -1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("kind", ["rnn", "gru"])
def test_recurrent_cells_are_torchs(kind, dtype, has_bias):
    twin = {"rnn": nn.RNNCell, "gru": nn.GRUCell}[kind](3, 5, bias=has_bias).to(dtype)
    ours = {"rnn": A.rnn_cell, "gru": A.gru_cell}[kind]
    names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if has_bias else [])]
    inputs = [randn(4, 3, dtype=dtype), randn(4, 5, seed=1, dtype=dtype)]
    inputs += [getattr(twin, name).detach() for name in names]

    def theirs(x, h, *parameters):
        return torch.func.functional_call(twin, dict(zip(names, parameters, strict=True)), (x, h))

    assert_twins(ours, theirs, inputs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(8, 3), (6, 3, 5), (4, 3, 4, 2), (2, 3, 1, 1)])
def test_batch_norm_is_torchs_over_several_batches(shape, dtype):
    ours = A.BatchNorm(3, eps=1e-3, momentum=0.3).to(dtype)
    kind = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    twin = kind(3, eps=1e-3, momentum=0.3).to(dtype)
    with torch.no_grad():
        for module in (ours, twin):
            module.weight.copy_(torch.tensor([0.5, -2.0, 1.5]))
            module.bias.copy_(torch.tensor([1.0, 0.0, -3.0]))
    for step in range(4):
        x = 3 * randn(*shape, seed=step, dtype=dtype) + step
        assert_twins(ours, twin, [x])
        assert_close(ours.running_mean, twin.running_mean)
        assert_close(ours.running_var, twin.running_var)
    x = randn(*shape, seed=9, dtype=dtype)
    for module in (ours, twin):
        module.zero_grad()
        module(x).square().sum().backward()
    assert_close(ours.weight.grad, twin.weight.grad)
    assert_close(ours.bias.grad, twin.bias.grad)
    ours.eval(), twin.eval()
    kept = ours.running_mean.clone(), ours.running_var.clone()
    assert_twins(ours, twin, [x])
    assert_twins(ours, twin, [x[:1]])  # one example is enough in evaluation mode
    assert torch.equal(ours.running_mean, kept[0]) and torch.equal(ours.running_var, kept[1])


def test_batch_norm_learns_what_torchs_learns():
    assert [n for n, _ in A.BatchNorm(3).named_parameters()] == ["weight", "bias"]
    assert {n for n, _ in A.BatchNorm(3).named_buffers()} == {"running_mean", "running_var"}


def test_sizes_may_be_numpy_integers_or_tuples_of_one():
    x, w = randn(1, 2, 9), randn(3, 2, 3)
    for two in (np.int64(2), (2,), [2]):
        assert_close(A.conv1d(x, w, stride=two, padding=two), F.conv1d(x, w, None, 2, 2))
        assert_close(A.max_pool1d(x, two), F.max_pool1d(x, 2))
        assert_close(A.avg_pool1d(x, 3, two), F.avg_pool1d(x, 3, 2))
    assert A.output_size(9, kernel_size=np.int32(3)) == 7


# ---- gradients ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (lambda x, w, b: A.conv1d(x, w, b, 2, 1, 2), [(2, 2, 7), (2, 2, 3), (2,)]),
        (lambda x, w, b: A.conv2d(x, w, b, (2, 1), 1, (1, 2)), [(1, 2, 5, 5), (2, 2, 3, 2), (2,)]),
        (lambda x: A.max_pool1d(x, 3, 2, 1), [(2, 1, 7)]),
        (lambda x: A.max_pool2d(x, (2, 3), 1, 1), [(1, 1, 4, 5)]),
        (lambda x: A.avg_pool1d(x, 3, 2, 1), [(2, 1, 7)]),
        (lambda x: A.avg_pool2d(x, (2, 3), 1, 1), [(1, 1, 4, 5)]),
        (A.rnn_cell, [(2, 3), (2, 4), (4, 3), (4, 4), (4,), (4,)]),
        (A.gru_cell, [(2, 3), (2, 4), (12, 3), (12, 4), (12,), (12,)]),
        (lambda x: A.BatchNorm(2).double()(x), [(3, 2, 2)]),
        (lambda x: A.BatchNorm(2).double().eval()(x), [(3, 2, 2)]),
        (lambda x: A.Residual(nn.Sequential(nn.Tanh(), nn.Softmax(1)))(x), [(2, 4)]),
    ],
)
def test_gradients_agree_with_finite_differences(function, shapes):
    assert gradcheck(function, [randn(*shape, seed=i) for i, shape in enumerate(shapes)])


# ---- laws of convolution -----------------------------------------------------------------------

windows = st.fixed_dictionaries(
    {
        "stride": st.integers(1, 4),
        "padding": st.integers(0, 4),
        "dilation": st.integers(1, 3),
        "kernel_size": st.integers(1, 5),
    }
)


def fits(n, window):
    span = window["dilation"] * (window["kernel_size"] - 1) + 1
    return n + 2 * window["padding"] >= span


@given(n=st.integers(1, 30), window=windows)
def test_output_size_counts_the_places_of_the_window(n, window):
    span = window["dilation"] * (window["kernel_size"] - 1) + 1
    padded = n + 2 * window["padding"]
    places = [i for i in range(0, padded, window["stride"]) if i + span <= padded]
    if places:
        assert A.output_size(n, **window) == len(places)
    else:
        with pytest.raises(ValueError, match="does not fit"):
            A.output_size(n, **window)


@given(
    layers=st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=3
    )
)
def test_receptive_field_is_the_reach_of_one_gradient(layers):
    field = A.receptive_field(layers)
    x = torch.ones(1, 1, field + 40, dtype=torch.float64, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv1d(y, torch.ones(1, 1, k, dtype=torch.float64), stride=s, dilation=d)
    (gradient,) = torch.autograd.grad(y[0, 0, 0], x)
    seen = gradient[0, 0].nonzero().squeeze(1)
    assert field == int(seen[-1] - seen[0]) + 1


def test_receptive_field_takes_pairs_and_triples():
    assert A.receptive_field([(3, 1), (3, 2, 1), (5, 1, 2)]) == 1 + 2 + 2 + 8 * 2
    assert A.receptive_field([]) == 1


@given(n=st.integers(5, 20), window=windows, seed=st.integers(0, 9))
def test_convolution_is_linear_in_input_and_kernel(n, window, seed):
    if not fits(n, window):
        return
    k = window.pop("kernel_size")
    x, x2 = randn(2, 3, n, seed=seed), randn(2, 3, n, seed=seed + 100)
    w, w2 = randn(4, 3, k, seed=seed + 200), randn(4, 3, k, seed=seed + 300)
    conv = lambda x, w: A.conv1d(x, w, **window)  # noqa: E731
    assert_close(conv(2 * x - 3 * x2, w), 2 * conv(x, w) - 3 * conv(x2, w))
    assert_close(conv(x, 2 * w - 3 * w2), 2 * conv(x, w) - 3 * conv(x, w2))


@given(n=st.integers(12, 24), shift=st.integers(1, 4), k=st.integers(1, 4), d=st.integers(1, 2))
def test_convolution_commutes_with_shifts(n, shift, k, d):
    x, w = randn(1, 2, n), randn(3, 2, k, seed=1)
    moved = F.pad(x, (shift, 0))[..., :n]
    y, y_moved = A.conv1d(x, w, dilation=d), A.conv1d(moved, w, dilation=d)
    assert_close(y_moved[..., shift:], y[..., : y.shape[-1] - shift])
    image, kernel = x[..., None] * x[:, :1, None, :], w[..., None] * w[:, :1, None, :]
    moved = F.pad(image, (0, 0, shift, 0))[:, :, :n]
    y, y_moved = A.conv2d(image, kernel, dilation=d), A.conv2d(moved, kernel, dilation=d)
    assert_close(y_moved[:, :, shift:], y[:, :, : y.shape[2] - shift])


@given(n=st.integers(6, 16), window=windows)
def test_gradient_of_convolution_is_its_transpose(n, window):
    """<C x, y> = <x, C' y>, where C' y is both autograd's gradient and `conv_transpose1d`."""
    if not fits(n, window):
        return
    k = window.pop("kernel_size")
    x, w = randn(2, 3, n).requires_grad_(), randn(4, 3, k, seed=1)
    cx = A.conv1d(x, w, **window)
    y = randn(*cx.shape, seed=2)
    (adjoint,) = torch.autograd.grad(cx, x, y)
    assert_close((cx * y).sum().detach(), (x * adjoint).sum().detach())
    span = window["dilation"] * (k - 1) + 1
    unread = (n + 2 * window["padding"] - span) % window["stride"]  # points no window reaches
    assert_close(adjoint, F.conv_transpose1d(y, w, output_padding=unread, **window))


def test_adjoint_of_an_image_convolution():
    x, w = randn(2, 3, 9, 9).requires_grad_(), randn(4, 3, 3, 3, seed=1)
    cx = A.conv2d(x, w, stride=2, padding=1)
    y = randn(*cx.shape, seed=2)
    (adjoint,) = torch.autograd.grad(cx, x, y)
    assert_close(adjoint, F.conv_transpose2d(y, w, stride=2, padding=1))


# ---- laws of pooling ---------------------------------------------------------------------------


@given(k=st.integers(1, 4), stride=st.integers(1, 4), seed=st.integers(0, 9))
def test_max_pooling_commutes_with_rising_functions(k, stride, seed):
    x = randn(2, 2, 9, 9, seed=seed)
    for rising in (torch.tanh, lambda v: 3 * v - 7, torch.exp):
        assert torch.equal(A.max_pool2d(rising(x), k, stride), rising(A.max_pool2d(x, k, stride)))
        series = x[:, 0]
        assert torch.equal(
            A.max_pool1d(rising(series), k, stride), rising(A.max_pool1d(series, k, stride))
        )


@given(seed=st.integers(0, 20), k=st.integers(1, 3), padding=st.integers(0, 1))
def test_pooling_hands_on_all_of_the_gradient(seed, k, padding):
    """Ties included: small integers tie often."""
    padding = min(padding, k // 2)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 3, (2, 1, 6, 6), generator=generator).double().requires_grad_()
    y = A.max_pool2d(x, k, None, padding)
    cotangent = randn(*y.shape, seed=seed)
    (gradient,) = torch.autograd.grad(y, x, cotangent)
    assert abs(float(gradient.sum() - cotangent.sum())) < 1e-10


def test_ties_share_the_gradient_of_max_pooling():
    x = torch.tensor([[[1.0, 5.0, 5.0, 0.0]]], requires_grad=True)
    A.max_pool1d(x, 4).sum().backward()
    assert x.grad.tolist() == [[[0.0, 0.5, 0.5, 0.0]]]
    x = torch.full((1, 1, 2, 2), 3.0, requires_grad=True)
    A.max_pool2d(x, 2).sum().backward()
    assert x.grad.flatten().tolist() == [0.25] * 4


@given(k=st.integers(1, 4), stride=st.integers(1, 4), padding=st.integers(0, 2))
def test_average_pooling_is_convolution_with_a_constant(k, stride, padding):
    padding = min(padding, k // 2)
    x = randn(3, 1, 9, 10)
    constant = torch.full((1, 1, k, k), 1 / k**2, dtype=x.dtype)
    assert_close(A.avg_pool2d(x, k, stride, padding), A.conv2d(x, constant, None, stride, padding))
    series, constant = x[..., 0], torch.full((1, 1, k), 1 / k, dtype=x.dtype)
    assert_close(
        A.avg_pool1d(series, k, stride, padding), A.conv1d(series, constant, None, stride, padding)
    )


# ---- laws of the modules and cells -------------------------------------------------------------


@given(scale=st.floats(0.1, 100), shift=st.floats(-100, 100), seed=st.integers(0, 9))
def test_batch_norm_output_has_mean_0_and_variance_1(scale, shift, seed):
    x = scale * randn(5, 3, 7, seed=seed) + shift
    y = A.BatchNorm(3, eps=0.0).double()(x)
    assert y.mean((0, 2)).abs().max() < 1e-9
    assert (y.var((0, 2), unbiased=False) - 1).abs().max() < 1e-9


def test_batch_norm_forgets_scale_and_shift_of_its_input():
    x, layer = randn(6, 3), A.BatchNorm(3, eps=0.0).double()
    assert_close(layer(x), layer(4 * x - 11))


@given(seed=st.integers(0, 20))
def test_an_example_in_evaluation_does_not_depend_on_its_batch(seed):
    layer = A.BatchNorm(2).double()
    layer(5 * randn(9, 2, 4, seed=seed) + 1)
    x, others = randn(1, 2, 4, seed=seed + 50), 100 * randn(7, 2, 4, seed=seed + 90)
    assert not torch.allclose(layer(x)[0], layer(torch.cat([x, others]))[0])  # while training
    layer.eval()
    assert_close(layer(x)[0], layer(torch.cat([x, others]))[0])


@given(seed=st.integers(0, 20), scale=st.floats(0.1, 50))
def test_recurrent_states_stay_bounded(seed, scale):
    w_ih, w_hh = scale * randn(12, 3, seed=seed), scale * randn(12, 4, seed=seed + 1)
    h, x = 3 * randn(2, 4, seed=seed + 2), scale * randn(2, 3, seed=seed + 3)
    assert A.rnn_cell(x, h, w_ih[:4], w_hh[:4]).abs().max() <= 1
    # h' is a mixture of a tanh and h, element by element.
    assert (A.gru_cell(x, h, w_ih, w_hh).abs() <= h.abs().clamp(min=1) + 1e-12).all()


def test_gru_gates_stand_in_torchs_order():
    """A very positive update gate, the second third of the bias, keeps the old state."""
    x, h, w_ih, w_hh = randn(2, 3), randn(2, 4), randn(12, 3), randn(12, 4)
    keep = torch.cat([torch.zeros(4), torch.full((4,), 1e3), torch.zeros(4)]).double()
    assert_close(A.gru_cell(x, h, w_ih, w_hh, keep), h)


def test_residual_adds_its_shortcut():
    body = nn.Conv1d(2, 2, 3, padding=1).double()
    x = randn(1, 2, 6)
    assert torch.equal(A.Residual(body)(x), x + body(x))
    narrow, shortcut = nn.Conv1d(2, 4, 3, 2, 1).double(), nn.Conv1d(2, 4, 1, 2).double()
    block = A.Residual(narrow, shortcut)
    assert torch.equal(block(x), shortcut(x) + narrow(x))
    assert len(list(block.parameters())) == 4


def test_residual_with_a_silent_body_is_the_identity():
    body = nn.Linear(5, 5)
    nn.init.zeros_(body.weight), nn.init.zeros_(body.bias)
    x = torch.randn(3, 5)
    assert torch.equal(A.Residual(body)(x), x)


# ---- bad input ---------------------------------------------------------------------------------

X1, X2, W1, W2 = randn(2, 3, 8), randn(2, 3, 8, 8), randn(4, 3, 3), randn(4, 3, 3, 3)
H, X, W_IH, W_HH = randn(2, 4), randn(2, 3), randn(4, 3), randn(4, 4)


@pytest.mark.parametrize(
    ("says", "function"),
    [
        ("does not fit on 3 points", lambda: A.output_size(3, kernel_size=5)),
        ("does not fit on 0 points", lambda: A.output_size(0, kernel_size=1, padding=3)),
        ("kernel_size must be an integer of at least 1", lambda: A.output_size(3, kernel_size=0)),
        ("stride must be .* got 0", lambda: A.output_size(3, kernel_size=1, stride=0)),
        ("padding must be .* got -1", lambda: A.output_size(3, kernel_size=1, padding=-1)),
        ("dilation must be .* got 0", lambda: A.output_size(3, kernel_size=1, dilation=0)),
        ("kernel_size must be .* got 2.0", lambda: A.output_size(3, kernel_size=2.0)),
        ("stride must be .* got 0", lambda: A.receptive_field([(3, 0)])),
        (r"takes input \(N, C_in, L\), got shape \(3, 8\)", lambda: A.conv1d(X1[0], W1)),
        (r"takes input \(N, C_in, H, W\), got .*unsqueeze", lambda: A.conv2d(X2[0], W2)),
        (r"expected \(C_out, 8, K\).*channels-last", lambda: A.conv1d(X1.mT, W1)),
        (r"expected \(C_out, 3, K_h, K_w\)", lambda: A.conv2d(X2, W1)),
        (r"bias has shape \(3,\), expected \(4,\)", lambda: A.conv1d(X1, W1, randn(3))),
        (r"bias has shape \(3,\), expected \(4,\)", lambda: A.conv2d(X2, W2, randn(3))),
        (
            r"dtypes \[torch.float64, torch.float32\]: all must be the same",
            lambda: A.conv1d(X1, W1.float()),
        ),
        (r"int64.*x\.float\(\)", lambda: A.conv2d(X2.long(), W2.long())),
        ("stride must be", lambda: A.conv1d(X1, W1, stride=-1)),
        ("dilation must be", lambda: A.conv2d(X2, W2, dilation=(1, 0))),
        ("padding: expected an integer .*got 'same'", lambda: A.conv1d(X1, W1, padding="same")),
        ("padding: expected an integer .*got 'same'", lambda: A.conv2d(X2, W2, padding="same")),
        (
            r"stride: expected an integer or 2 of them, got \(1, 2, 3\)",
            lambda: A.conv2d(X2, W2, stride=(1, 2, 3)),
        ),
        (r"kernel_size: .* integer or 2 of them, got \(2,\)", lambda: A.max_pool2d(X2, (2,))),
        ("stride: expected an integer .*got 1.5", lambda: A.avg_pool1d(X1, 2, 1.5)),
        ("dilation: expected an integer .*got None", lambda: A.conv1d(X1, W1, dilation=None)),
        ("kernel_size must be .* got -1", lambda: A.max_pool1d(X1, -1)),
        (
            "dtypes .*float64, torch.float64, torch.float32",
            lambda: A.conv1d(X1, W1, randn(4).float()),
        ),
        ("floating-point input, got torch.int64", lambda: A.avg_pool1d(X1.long(), 2)),
        ("floating-point input, got torch.int64", lambda: A.max_pool2d(X2.long(), 2)),
        ("got torch.int64.*floating-point", lambda: A.BatchNorm(3)(X1.long())),
        ("more than one value per channel, got 0", lambda: A.BatchNorm(3)(X1[:0].float())),
        (r"a layer is \(kernel_size, stride\).* got 3", lambda: A.receptive_field([3, 3])),
        (r"got \(3, 1, 1, 1\)", lambda: A.receptive_field([(3, 1, 1, 1)])),
        (
            r"bias_ih has shape \(1,\), expected \(4,\)",
            lambda: A.rnn_cell(X, H, W_IH, W_HH, H[0, :1]),
        ),
        (
            r"bias_hh has shape \(4,\), expected \(12,\)",
            lambda: A.gru_cell(X, H, W_IH.repeat(3, 1), W_HH.repeat(3, 1), None, H[0]),
        ),
        (
            r"got \(2, 3\) and \(1, 4\).*one state per example",
            lambda: A.rnn_cell(X, H[:1], W_IH, W_HH),
        ),
        (r"got \(2, 3\) and \(4,\)", lambda: A.gru_cell(X, H[0], W_IH, W_HH)),
        ("does not fit on 8 points", lambda: A.conv1d(X1, W1, dilation=5)),
        ("does not fit on 8 points", lambda: A.conv2d(X2, W2, dilation=(1, 5))),
        (r"takes 3-dimensional input .* \(3, 8\)", lambda: A.max_pool1d(X1[0], 2)),
        ("takes 4-dimensional input", lambda: A.max_pool2d(X1, 2)),
        ("takes 3-dimensional input", lambda: A.avg_pool1d(X2, 2)),
        ("takes 4-dimensional input", lambda: A.avg_pool2d(X1, 2)),
        ("more than half the kernel_size", lambda: A.max_pool1d(X1, 3, 1, 2)),
        ("more than half the kernel_size", lambda: A.avg_pool2d(X2, (4, 2), 1, (1, 2))),
        ("does not fit on 8 points", lambda: A.max_pool1d(X1, 9)),
        ("stride must be .* got 0", lambda: A.avg_pool1d(X1, 2, 0)),
        ("padding must be .* got -1", lambda: A.max_pool2d(X2, 2, 2, -1)),
        ("n_channels must be an integer of at least 1, got 0", lambda: A.BatchNorm(0)),
        ("n_channels must be an integer of at least 1, got 2.5", lambda: A.BatchNorm(2.5)),
        ("n must be an integer .* got 10.5", lambda: A.output_size(10.5, kernel_size=3)),
        ("n must be an integer .* got '10'", lambda: A.output_size("10", kernel_size=3)),
        ("n must be an integer .* got -1", lambda: A.output_size(-1, kernel_size=3)),
        (r"layers is 3, expected a list .*\[\(kernel_size, str", lambda: A.receptive_field(3)),
        ("x is a list, expected a tensor", lambda: A.conv1d(X1.tolist(), W1)),
        ("weight is a list, expected a tensor", lambda: A.conv2d(X2, W2.tolist())),
        ("weight is a NoneType, expected a tensor", lambda: A.conv2d(X2, None)),
        ("bias is a list, expected a tensor", lambda: A.conv1d(X1, W1, [0.0] * 4)),
        ("x is a ndarray, expected a tensor", lambda: A.max_pool1d(X1.numpy(), 2)),
        ("x is a list, expected a tensor", lambda: A.avg_pool2d(X2.tolist(), 2)),
        ("x is a list, expected a tensor", lambda: A.BatchNorm(3)(X1.tolist())),
        ("h is a list, expected a tensor", lambda: A.rnn_cell(X, H.tolist(), W_IH, W_HH)),
        ("bias_hh is a float", lambda: A.rnn_cell(X, H, W_IH, W_HH, None, 0.0)),
        (r"float64, its weights are torch.float32.*double\(\)", lambda: A.BatchNorm(3)(X1)),
        (r"float64, its weights are", lambda: A.BatchNorm(3).eval()(X1)),
        (r"float32, its weights are torch.float64", lambda: A.BatchNorm(3).double()(X1.float())),
        (
            r"x, h, weight_ih, weight_hh have dtypes \[torch.float32, torch.float64,",
            lambda: A.rnn_cell(X.float(), H, W_IH, W_HH),
        ),
        (
            "have dtypes .*float64, torch.float32.: all must be the same",
            lambda: A.gru_cell(X, H, W_IH.repeat(3, 1), W_HH.repeat(3, 1), None, randn(12).float()),
        ),
        (
            "int64.*floating-point",
            lambda: A.rnn_cell(X.long(), H.long(), W_IH.long(), W_HH.long()),
        ),
        (r"over 4 channels got shape \(2, 3, 8\)", lambda: A.BatchNorm(4)(X1)),
        (r"got shape \(3,\)", lambda: A.BatchNorm(3)(X1[0, :, 0])),
        (r"more than one value .* model\.eval\(\)", lambda: A.BatchNorm(3)(X1[:1, :, 0].float())),
        (
            r"weight_ih has shape \(4, 3\), expected \(4, 2\)",
            lambda: A.rnn_cell(X[:, 1:], H, W_IH, W_HH),
        ),
        (r"weight_hh has shape \(4, 3\), expected \(4, 4\)", lambda: A.rnn_cell(X, H, W_IH, W_IH)),
        (r"weight_ih has shape \(4, 3\), expected \(12, 3\)", lambda: A.gru_cell(X, H, W_IH, W_HH)),
        (
            r"body gives shape \(2, 3, 4\), the shortcut \(2, 3, 8\).*1x1 convolution",
            lambda: A.Residual(nn.AvgPool1d(2))(X1),
        ),
    ],
)
def test_bad_input_says_what_came_and_what_was_expected(says, function):
    with pytest.raises(ValueError, match=says) as caught:
        function()
    assert "\n" not in str(caught.value)
