"""The engine, the losses, the network and the optimizers on every device, against the CPU."""

from __future__ import annotations

import pytest
import torch
from accelerators import check_agrees, check_repeats_itself
from test_on_accelerator import randn

from companion import foundations as fd
from companion.foundations import MLP, Node

pytestmark = pytest.mark.device

CASES = {}  # public name -> function of a device that returns tensors
TOLERANCE = 1e-4


def case(name):
    def register(function):
        CASES[name] = function
        return function

    return register


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def by_torch_and_engine(function, inputs, where):
    """Value and gradients of `function(*inputs)`, once by torch and once by the engine."""
    leaves = [x.to(where).requires_grad_() for x in inputs]
    nodes = [Node(x.to(where)) for x in inputs]
    y, y_node = function(*leaves), function(*nodes)
    cotangent = randn(*y.shape, seed=99).to(where)
    y_node.backward(cotangent)
    results = [y, *torch.autograd.grad(y, leaves, cotangent)]
    results += [y_node.value, *(node.grad for node in nodes)]
    assert all(r.device.type == torch.device(where).type for r in results)
    return results


LOGITS, LABELS = 3 * randn(7, 5), torch.arange(7) % 5
TARGETS = (randn(7, 5, seed=1) > 0).float()


@case("Node")
def _(where):
    x, w = Node(randn(5, 4).to(where)), Node(randn(3, 4, seed=1).to(where))
    row, number = Node(randn(4, seed=2).to(where)), Node(torch.tensor(1.5).to(where))
    constant = randn(5, 4, seed=3).to(where)
    hidden = (constant * x - 2 / (row**2 + 1)) @ w.T + number  # (5, 3)
    hidden = hidden.tanh() + hidden.relu() * 0.5 - hidden.sigmoid().mean(0)
    chosen = hidden[torch.arange(5, device=where), torch.tensor([0, 1, 2, 0, 1], device=where)]
    shifted = (hidden - hidden.max(1, keepdim=True)).exp().sum(1).log()
    other = (2**number) * x.reshape(4, 5).transpose(0, 1)[:, :2].clamp(min=-1).sum() + x @ row
    loss = (shifted - chosen + other / 7 + (row * row + 1) ** number.tanh() @ row).mean()
    loss.backward()
    return [loss.value, *(node.grad for node in (x, w, row, number))]


@case("grad_check")
def _(where):
    where = "cpu" if where == "mps" else where  # Apple's GPU has no float64
    report = fd.grad_check(
        lambda z: fd.cross_entropy(z, LABELS.to(where)), [LOGITS.double().to(where)]
    )
    assert report, str(report)
    return [torch.tensor([report.n_entries, report.n_wrong])]


@case("GradCheck")
def _(where):
    where = "cpu" if where == "mps" else where

    def planted(z):
        gradient = 2 * z
        gradient[3, 2] += 1
        return (z**2).sum(), gradient

    report = fd.grad_check(planted, [LOGITS.double().to(where)])
    return [torch.tensor([*report.index, report.analytic, report.numeric, report.error])]


FUNCTIONS = {
    "softmax": (fd.softmax, [LOGITS]),
    "log_sum_exp": (fd.log_sum_exp, [100 * LOGITS]),
    "mse": (fd.mse, [LOGITS, TARGETS]),
    "linear": (fd.linear, [randn(6, 3), randn(4, 3, seed=1), randn(4, seed=2)]),
    "relu": (fd.relu, [LOGITS]),
    "sigmoid": (fd.sigmoid, [LOGITS]),
}
for name, (function, inputs) in FUNCTIONS.items():

    @case(name)
    def _(where, function=function, inputs=inputs):
        return by_torch_and_engine(function, inputs, where)


@case("cross_entropy")
def _(where):
    return by_torch_and_engine(lambda z: fd.cross_entropy(z, LABELS.to(where)), [LOGITS], where)


@case("binary_cross_entropy")
def _(where):
    p = torch.cat([LOGITS.sigmoid(), torch.tensor([[0.0, 1.0, 0.0, 1.0, 0.5]])])
    t = torch.cat([TARGETS, torch.tensor([[0.0, 1.0, 1.0, 0.0, 0.5]])])
    return by_torch_and_engine(
        lambda p: fd.binary_cross_entropy(p, t.to(where), reduction="none"), [p], where
    )


@case("binary_cross_entropy_with_logits")
def _(where):
    return by_torch_and_engine(
        lambda z: fd.binary_cross_entropy_with_logits(z, TARGETS.to(where)), [100 * LOGITS], where
    )


for name in ("he_", "glorot_"):

    @case(name)
    def _(where, name=name):
        return [getattr(fd, name)(torch.empty(20, 30, device=where), seeded())]


def trained(optimizer, where):
    """Losses and parameters of five steps, gradients by the engine and by hand in turn."""
    mlp = MLP([8, 12, 5], generator=seeded(), device=where)
    x, labels, losses = randn(40, 8).to(where), (torch.arange(40) % 5).to(where), []
    for step in range(5):
        compute = mlp.loss_and_gradients_by_hand if step % 2 else mlp.loss_and_gradients
        loss, gradients = compute(x, labels)
        optimizer.step(mlp.parameters, gradients)
        losses.append(loss)
    return [*losses, *mlp.parameters, mlp.logits(x)]


OPTIMIZERS = {
    "MLP": lambda: fd.SGD(0.5),
    "SGD": lambda: fd.SGD(0.1),
    "Momentum": lambda: fd.Momentum(0.1),
    "Adam": lambda: fd.Adam(1e-2, eps=1e-4),  # a tiny eps would enlarge rounding where g is 0
}
for name, make in OPTIMIZERS.items():

    @case(name)
    def _(where, make=make):
        return trained(make(), where)


def test_every_public_name_has_a_case():
    assert set(CASES) == set(fd.__all__)


@pytest.mark.parametrize("name", CASES)
def test_the_case_repeats_itself_on_the_cpu(name):
    check_repeats_itself(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_the_device_agrees_with_the_cpu(name, accelerator):
    check_agrees(CASES[name], accelerator, f"foundations.{name}", TOLERANCE)
