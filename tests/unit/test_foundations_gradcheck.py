"""`grad_check` passes what is right, and says where what is wrong is wrong."""

from __future__ import annotations

import math
import operator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from companion import foundations as fd
from companion.foundations import MLP, Node, grad_check


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


X, WEIGHT, BIAS, LABELS = randn(5, 3), randn(4, 3, seed=1), randn(4, seed=2), torch.arange(5) % 4


def layer_by_hand(x, weight, bias):
    """Mean cross-entropy of one linear layer, and its gradients."""
    logits = x @ weight.T + bias
    delta = (fd.softmax(logits) - torch.nn.functional.one_hot(LABELS, 4)) / len(x)
    gradients = [delta @ weight, delta.T @ x, delta.sum(0)]
    return fd.cross_entropy(logits, LABELS), gradients


# ---- what is right -----------------------------------------------------------------------------


def test_gradients_by_hand_that_are_right_pass():
    report = grad_check(layer_by_hand, [X, WEIGHT, BIAS])
    assert report and report.passed and report.n_wrong == 0
    assert report.n_entries == 15 + 12 + 4
    assert [e.shape for e in report.errors] == [X.shape, WEIGHT.shape, BIAS.shape]
    assert report.error < 1e-8
    assert str(report).startswith("all 31 gradients agree; largest error")


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (lambda x: (x.exp() / (1 + x**2)).sum(), [X]),
        (lambda x, w: fd.mse(fd.sigmoid(fd.linear(x, w)), randn(5, 4)), [X, WEIGHT]),
        (lambda z: fd.cross_entropy(z, LABELS, reduction="sum"), [randn(5, 4)]),
        (lambda x: fd.log_sum_exp(x).tanh().mean(), [X]),
        (lambda x: (fd.softmax(x, 0) ** 2).sum(), [X]),
        (lambda p: fd.binary_cross_entropy(fd.sigmoid(p), (X > 0).double()), [X]),
        (lambda z: fd.binary_cross_entropy_with_logits(z, (X > 0).double()), [X]),
        (lambda x, y: x * y, [randn(), randn(seed=1)]),
        (lambda x: x[0] @ x[1], [X]),
        (lambda x: 2.0 * x[1, 1], [X]),
    ],
)  # fmt: skip
def test_the_engine_passes(function, inputs):
    report = grad_check(function, inputs)
    assert report, str(report)
    assert grad_check(function, [Node(x) for x in inputs])


def test_functions_of_nodes_alone_are_checked_with_nodes():
    assert grad_check(lambda x: (x.max(1) * 2).sum(), [Node(X)])


def test_an_input_that_does_not_count_has_gradient_zero():
    assert grad_check(lambda x, y: x.sum(), [X, BIAS])


def test_one_input_needs_no_list():
    assert grad_check(lambda x: (x.sum(), torch.ones_like(x)), X)
    assert grad_check(lambda x: x.sum(), Node(X))


def test_the_backward_pass_by_hand_of_a_network():
    mlp = MLP([3, 6, 4], generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def loss(*parameters):
        mlp.parameters = list(parameters)
        return mlp.loss_and_gradients_by_hand(X, LABELS)

    report = grad_check(loss, mlp.parameters)
    assert report, str(report)


def test_inputs_are_left_alone():
    before = X.clone()

    def greedy(x):
        x *= 2
        return x.sum(), 2 * torch.ones_like(x)

    assert grad_check(greedy, [X])
    assert torch.equal(X, before)


def test_large_and_small_gradients_are_judged_relative_and_absolute():
    for scale in (1e-5, 1.0, 1e5):
        assert grad_check(lambda x, s=scale: (s * (x**2).sum(), 2 * s * x), [X])
    assert not grad_check(lambda x: (1e5 * (x**2).sum(), 2.001e5 * x), [X])


# ---- what is wrong -----------------------------------------------------------------------------


@given(
    which=st.integers(0, 2),
    place=st.integers(0, 10**6),
    error=st.sampled_from([-1.0, -1e-3, 1e-4, 0.5, 30.0]),
)
def test_a_planted_error_is_found_where_it_is(which, place, error):
    inputs = [X, WEIGHT, BIAS]
    shape = inputs[which].shape
    index = tuple(int(i) for i in torch.unravel_index(torch.tensor(place % shape.numel()), shape))

    def planted(x, weight, bias):
        value, gradients = layer_by_hand(x, weight, bias)
        gradients[which][index] += error
        return value, gradients

    report = grad_check(planted, inputs)
    right = layer_by_hand(*inputs)[1][which][index].item()
    assert not report and report.n_wrong == 1
    assert (report.input, report.index) == (which, index)
    assert report.name == ["x", "weight", "bias"][which]
    assert math.isclose(report.numeric, right, abs_tol=1e-8)
    assert math.isclose(report.analytic, right + error, rel_tol=1e-12)
    assert report.errors[which][index] == report.error > report.tolerance
    says = (
        f"1 of 31 gradients differ, most input {which} ({report.name}) at {list(index)}: analytic"
    )
    assert str(report).startswith(says)


def test_the_largest_of_several_errors_is_named():
    def planted(x, weight, bias):
        value, (dx, dw, db) = layer_by_hand(x, weight, bias)
        dx[4, 2] += 0.01
        dw[1, 0] -= 0.2
        db[3] += 0.1
        return value, (dx, dw, db)

    report = grad_check(planted, [X, WEIGHT, BIAS])
    assert (report.input, report.index, report.n_wrong) == (1, (1, 0), 3)


def test_a_wrong_gradient_of_the_engine_is_found(monkeypatch):
    right = Node.exp

    def wrong(self):
        y = right(self)
        (parent, pull, saved) = y._edges[0]
        y._edges = ((parent, lambda g: 2 * pull(g), saved),)
        return y

    monkeypatch.setattr(Node, "exp", wrong)
    report = grad_check(lambda x: x.exp().sum(), [X])
    assert report.n_wrong == 15 and math.isclose(report.analytic, 2 * report.numeric, rel_tol=1e-6)


def test_a_gradient_that_is_no_number_is_wrong():
    def planted(x):
        gradient = torch.ones_like(x)
        gradient[2, 1] = torch.nan
        return x.sum(), gradient

    report = grad_check(planted, [X])
    assert not report and report.index == (2, 1) and report.error == math.inf


def test_inputs_without_names_are_counted():
    report = grad_check(lambda *inputs: (inputs[1].sum(), [0 * inputs[0], 0 * inputs[1]]), [X, X])
    assert "input 1 (inputs[1]) at [0, 0]" in str(report)
    assert "input 0 (inputs[0])" in str(grad_check(operator.methodcaller("sum"), [X]))


def test_the_tolerance_decides():
    def planted(x):
        return (x**2).sum(), 2 * x + 1e-4

    assert not grad_check(planted, [X])
    assert grad_check(planted, [X], tolerance=1e-3)


def test_a_coarse_step_is_a_coarse_check():
    cube = lambda x: ((x**3).sum(), 3 * x**2)  # noqa: E731
    assert grad_check(cube, [X])
    assert not grad_check(cube, [X], eps=0.1)


# ---- bad input ---------------------------------------------------------------------------------


def drawing(x):
    return (x * torch.rand(())).sum()


@pytest.mark.parametrize(
    ("says", "function"),
    [
        (r"input 1 is torch.float32, expected torch.float64: .*x\.double\(\)",
         lambda: grad_check(lambda x, y: (x * y).sum(), [X, X.float()])),
        ("input 0 is torch.int64.*labels belong inside f",
         lambda: grad_check(lambda y: y.sum(), [LABELS])),
        ("input 0 is torch.float32", lambda: grad_check(lambda x: x.sum(), [Node(X.float())])),
        ("input 0 is float", lambda: grad_check(lambda x: x, [1.0])),
        (r"input 0 has shape \(0, 3\)", lambda: grad_check(lambda x: x.sum(), [X[:0]])),
        (r"value of shape \(5, 3\), expected one number.*\.sum\(\)",
         lambda: grad_check(lambda x: x * 2, [X])),
        (r"value of shape \(5,\)", lambda: grad_check(lambda x: (x.sum(1), x), [X])),
        ("f gave nan at or within eps.*edge", lambda: grad_check(lambda x: x.log().sum(), [-X**2])),
        ("f gave inf", lambda: grad_check(lambda x: (1 / (0 * x)).sum(), [X**2])),
        ("f gave two values for the same inputs.*generator", lambda: grad_check(drawing, [X])),
        (r"shapes \[\(3, 5\)\], expected \[\(5, 3\)\].*transposed",
         lambda: grad_check(lambda x: (x.sum(), torch.ones(3, 5)), [X])),
        (r"shapes \[\(5, 4\)\], expected \[\(4,\)\].*sum over the batch",
         lambda: grad_check(lambda b: (b.sum() * 5, torch.ones(5, 4)), [BIAS])),
        (r"shapes \[\(5, 3\)\], expected \[\(5, 3\), \(4,\)\] .*one for each",
         lambda: grad_check(lambda x, b: (x.sum(), [x]), [X, BIAS])),
        ("f gave a float for nodes.*graph",
         lambda: grad_check(lambda x: float(fd.engine.value_of(x).sum()), [X])),
        ("eps is 0, expected", lambda: grad_check(lambda x: x.sum(), [X], eps=0)),
    ],
)  # fmt: skip
def test_bad_input_says_what_came_and_what_was_expected(says, function):
    with pytest.raises(ValueError, match=says) as caught:
        function()
    assert "\n" not in str(caught.value)
