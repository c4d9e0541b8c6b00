"""Losses, layers, the network and the optimizers equal their torch twins and obey their laws."""

from __future__ import annotations

import math
import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from companion import foundations as fd
from companion.data import load
from companion.foundations import MLP, SGD, Adam, Momentum, Node

LN10 = math.log(10)
REDUCTIONS = ["mean", "sum", "none"]


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def labels_of(n, n_classes, seed=0):
    return torch.randint(n_classes, (n,), generator=torch.Generator().manual_seed(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def assert_close(ours, theirs, tolerance=1e-10):
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    scale = max(1.0, float(theirs.detach().abs().max()))
    assert torch.allclose(ours, theirs, rtol=0, atol=tolerance * scale), (ours - theirs).abs().max()


def assert_twins(ours, theirs, inputs, tolerance=1e-10):
    """Values and gradients: by torch through our function, by the engine, by torch alone."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    twins = [x.clone().requires_grad_() for x in inputs]
    nodes = [Node(x) for x in inputs]
    y, y_twin, y_node = ours(*leaves), theirs(*twins), ours(*nodes)
    assert_close(y, y_twin, tolerance)
    assert_close(y_node.value, y_twin.detach(), tolerance)
    cotangent = randn(*y.shape, seed=99, dtype=y.dtype)
    y.backward(cotangent)
    y_twin.backward(cotangent)
    y_node.backward(cotangent)
    for leaf, twin, node in zip(leaves, twins, nodes, strict=True):
        assert_close(leaf.grad, twin.grad, tolerance)
        assert_close(node.grad, twin.grad, tolerance)


# ---- twins of the functions --------------------------------------------------------------------

LOGITS, LABELS = 3 * randn(7, 5), labels_of(7, 5)
HUGE = torch.tensor([[1000.0, 0, -1000], [-1e4, -1e4, -1e4 + 1], [0, 0, 0]], dtype=torch.float64)
PROBABILITIES = torch.rand(6, 2, generator=seeded(), dtype=torch.float64)
TARGETS = torch.rand(6, 2, generator=seeded(1), dtype=torch.float64).round()
SOFT = torch.rand(6, 2, generator=seeded(2), dtype=torch.float64)


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("x", [LOGITS, HUGE], ids=["usual", "huge"])
def test_softmax_and_log_sum_exp_are_torchs(x, dim):
    assert_twins(lambda x: fd.softmax(x, dim), lambda x: F.softmax(x, dim), [x])
    for keepdim in (True, False):
        assert_twins(
            lambda x, k=keepdim: fd.log_sum_exp(x, dim, k),
            lambda x, k=keepdim: torch.logsumexp(x, dim, k),
            [x],
        )


def test_log_sum_exp_of_impossible_and_certain_events():
    inf = torch.inf
    x = torch.tensor([[-inf, -inf], [-inf, 2.0], [inf, 0.0]])
    assert torch.equal(fd.log_sum_exp(x), torch.tensor([-inf, 2.0, inf]))
    assert torch.equal(fd.softmax(x[1]), torch.tensor([0.0, 1.0]))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("logits", [LOGITS, 100 * LOGITS, LOGITS[:1]], ids=["usual", "big", "one"])
def test_cross_entropy_is_torchs(logits, reduction):
    labels = LABELS[: len(logits)]
    how = {"reduction": reduction}
    assert_twins(
        lambda z: fd.cross_entropy(z, labels, **how),
        lambda z: F.cross_entropy(z, labels, **how),
        [logits],
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(5,), (5, 1), (2, 3, 4), ()])
def test_mse_is_torchs(shape, reduction):
    how = {"reduction": reduction}
    assert_twins(
        lambda a, b: fd.mse(a, b, **how),
        lambda a, b: F.mse_loss(a, b, **how),
        [randn(*shape), randn(*shape, seed=1)],
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("targets", [TARGETS, SOFT], ids=["hard", "soft"])
def test_binary_cross_entropies_are_torchs(targets, reduction):
    how = {"reduction": reduction}
    assert_twins(
        lambda p: fd.binary_cross_entropy(p, targets, **how),
        lambda p: F.binary_cross_entropy(p, targets, **how),
        [PROBABILITIES],
    )
    for logits in (randn(6, 2), 1e3 * randn(6, 2), torch.zeros(6, 2, dtype=torch.float64)):
        assert_twins(
            lambda z: fd.binary_cross_entropy_with_logits(z, targets, **how),
            lambda z: F.binary_cross_entropy_with_logits(z, targets, **how),
            [logits],
        )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_binary_cross_entropy_of_certain_predictions_is_cut_off_as_in_torch(dtype):
    p = torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=dtype)
    t = torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=dtype)
    assert_close(
        fd.binary_cross_entropy(p, t, reduction="none"),
        F.binary_cross_entropy(p, t, reduction="none"),
    )
    node, leaf = Node(p), p.clone().requires_grad_()
    fd.binary_cross_entropy(node, t).backward()
    fd.binary_cross_entropy(leaf, t).backward()
    assert_close(node.grad, leaf.grad)
    assert node.grad.tolist() == [0.25, 0, 0, -0.25]  # finite; none passes the cut


@pytest.mark.parametrize("x", [randn(5, 3), randn(2, 4, 3), randn(3)], ids=["2d", "3d", "1d"])
def test_linear_is_torchs(x):
    weight, bias = randn(4, 3, seed=1), randn(4, seed=2)
    assert_twins(fd.linear, F.linear, [x, weight, bias])
    assert_twins(fd.linear, F.linear, [x, weight])
    node = Node(weight)  # the input a plain tensor, as in a network
    assert_close(fd.linear(x, node, bias).value, F.linear(x, weight, bias))


def test_relu_and_sigmoid_are_torchs():
    x = torch.tensor([-1000.0, -1.0, 0.0, 0.5, 1000.0], dtype=torch.float64)
    assert_twins(fd.relu, F.relu, [x])
    assert_twins(fd.sigmoid, torch.sigmoid, [x])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_initializations_draw_torchs_numbers(dtype):
    twins = {
        fd.he_: lambda w, g: nn.init.kaiming_normal_(w, nonlinearity="relu", generator=g),
        fd.glorot_: lambda w, g: nn.init.xavier_uniform_(w, generator=g),
    }
    for ours, theirs in twins.items():
        weight, twin = torch.empty(30, 50, dtype=dtype), torch.empty(30, 50, dtype=dtype)
        assert ours(weight, seeded(3)) is weight
        assert torch.equal(weight, theirs(twin, seeded(3)))


def test_initializations_take_parameters():
    layer = nn.Linear(4, 3)
    before = layer.weight.clone()
    assert fd.he_(layer.weight, seeded()).requires_grad
    assert not torch.equal(layer.weight, before)


# ---- laws of the losses ------------------------------------------------------------------------

sizes = st.integers(1, 6)
seeds = st.integers(0, 10**6)
scales = st.sampled_from([0.01, 1.0, 10.0, 300.0])


@given(n=sizes, k=sizes, seed=seeds, scale=scales, shift=st.floats(-1e3, 1e3))
def test_softmax_gives_probabilities_that_a_shift_leaves_alone(n, k, seed, scale, shift):
    x = scale * randn(n, k, seed=seed)
    p = fd.softmax(x)
    assert (p >= 0).all() and (p <= 1 + 1e-12).all()
    assert_close(p.sum(1), torch.ones(n, dtype=torch.float64))
    assert_close(fd.softmax(x + shift), p, 1e-9)
    assert torch.equal(p.argmax(1), x.argmax(1)) or n * k == 0


@given(n=sizes, k=sizes, seed=seeds, scale=scales, shift=st.floats(-1e3, 1e3))
def test_log_sum_exp_is_a_soft_maximum(n, k, seed, scale, shift):
    x = scale * randn(n, k, seed=seed)
    y, largest = fd.log_sum_exp(x), x.amax(1)
    assert (y >= largest - 1e-12).all()
    assert (y <= largest + math.log(k) + 1e-12 * scale).all()
    assert_close(fd.log_sum_exp(x + shift), y + shift, 1e-9)
    node = Node(x)
    fd.log_sum_exp(node).sum().backward()
    assert_close(node.grad, fd.softmax(x))  # its gradient is the softmax


@given(n=sizes, k=sizes, seed=seeds, scale=scales)
def test_cross_entropy_is_a_code_length(n, k, seed, scale):
    """Never negative; log K where nothing is known; the code lengths of all labels make a code."""
    z = scale * randn(n, k, seed=seed)
    labels = labels_of(n, k, seed)
    assert (fd.cross_entropy(z, labels, reduction="none") >= -1e-12).all()
    each = fd.cross_entropy(z[:1].expand(k, k), torch.arange(k), reduction="none")
    assert_close((-each).exp().sum(), torch.tensor(1.0, dtype=torch.float64))  # Kraft's equality
    uniform = fd.cross_entropy(torch.full_like(z, 7.0), labels)
    assert_close(uniform, torch.tensor(math.log(k), dtype=torch.float64))


@given(n=sizes, k=sizes, seed=seeds)
def test_gradient_of_cross_entropy_is_probability_minus_label(n, k, seed):
    z, labels = Node(3 * randn(n, k, seed=seed)), labels_of(n, k, seed)
    fd.cross_entropy(z, labels).backward()
    assert_close(z.grad, (fd.softmax(z.value) - F.one_hot(labels, k)) / n)
    assert_close(z.grad.sum(1), torch.zeros(n, dtype=torch.float64))


@given(n=sizes, seed=seeds, scale=scales)
def test_binary_cross_entropy_is_cross_entropy_of_two_classes(n, seed, scale):
    z, labels = scale * randn(n, seed=seed), labels_of(n, 2, seed)
    two = torch.stack([torch.zeros_like(z), z], 1)
    with_logits = fd.binary_cross_entropy_with_logits(z, labels.double())
    assert_close(with_logits, fd.cross_entropy(two, labels))
    if scale <= 10:
        assert_close(fd.binary_cross_entropy(fd.sigmoid(z), labels.double()), with_logits, 1e-8)


@given(n=sizes, seed=seeds)
def test_sum_is_n_times_the_mean(n, seed):
    z, labels = randn(n, 4, seed=seed), labels_of(n, 4, seed)
    each = fd.cross_entropy(z, labels, reduction="none")
    assert_close(each.sum(), fd.cross_entropy(z, labels, reduction="sum"))
    assert_close(each.mean(), fd.cross_entropy(z, labels))


def test_softmax_before_cross_entropy_has_a_floor():
    """The best that probabilities as logits can do, with ten classes: log(1 + 9 / e)."""
    perfect = F.one_hot(torch.arange(10), 10).double()
    assert math.isclose(
        fd.cross_entropy(perfect, torch.arange(10)).item(), math.log(1 + 9 / math.e)
    )


# ---- the network -------------------------------------------------------------------------------


def twin_of(mlp):
    """The same network in torch, with the same weights."""
    layers = []
    for weight, bias in zip(mlp.parameters[::2], mlp.parameters[1::2], strict=True):
        layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
        with torch.no_grad():
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("shape", [[5, 3], [5, 8, 3], [5, 8, 6, 3], [5, 1, 1]])
def test_mlp_is_torchs_and_by_hand_is_the_engine(shape):
    mlp = MLP(shape, generator=seeded(), output_scale=1.0, dtype=torch.float64)
    twin = twin_of(mlp)
    x, labels = randn(9, 5), labels_of(9, shape[-1])
    loss = F.cross_entropy(twin(x), labels)
    theirs = torch.autograd.grad(loss, list(twin.parameters()))
    assert_close(mlp.logits(x), twin(x).detach())
    for compute in (mlp.loss_and_gradients, mlp.loss_and_gradients_by_hand):
        value, gradients = compute(x, labels)
        assert_close(value, loss.detach())
        assert len(gradients) == len(theirs)
        for ours, their in zip(gradients, theirs, strict=True):
            assert_close(ours, their)


def test_mlp_is_drawn_layer_by_layer_from_the_generator():
    mlp, generator = MLP([6, 5, 4], generator=seeded(7)), seeded(7)
    first = fd.he_(torch.empty(5, 6), generator)
    last = fd.he_(torch.empty(4, 5), generator)
    assert torch.equal(mlp.parameters[0], first)
    assert torch.equal(mlp.parameters[2], 0.1 * last)
    assert all((bias == 0).all() for bias in mlp.parameters[1::2])
    glorot = MLP([6, 5, 4], generator=seeded(7), initialize=fd.glorot_, output_scale=1.0)
    assert torch.equal(glorot.parameters[0], fd.glorot_(torch.empty(5, 6), seeded(7)))


def test_mlp_computes_with_given_parameters():
    mlp, x = MLP([5, 4, 3], generator=seeded()), randn(2, 5, dtype=torch.float32)
    zeros = [torch.zeros_like(p) for p in mlp.parameters]
    assert torch.equal(mlp.logits(x, zeros), torch.zeros(2, 3))
    assert isinstance(mlp.logits(x, [Node(p) for p in mlp.parameters]), Node)


@pytest.mark.parametrize("shape", [[40, 100, 10], [40, 100, 100, 10]])
def test_an_untrained_mlp_knows_nothing_about_mnist1d(shape):
    """Within 2 % of log 10 at five seeds; an unscaled last layer starts well above."""
    train = load("mnist1d")
    for seed in range(5):
        mlp = MLP(shape, generator=seeded(seed))
        loss = fd.cross_entropy(mlp.logits(train.inputs), train.targets).item()
        assert abs(loss / LN10 - 1) < 0.02
        loud = MLP(shape, generator=seeded(seed), output_scale=1.0)
        assert fd.cross_entropy(loud.logits(train.inputs), train.targets).item() / LN10 > 1.15


def test_an_untrained_mlp_knows_nothing_about_digits():
    train = load("digits")
    x = train.inputs.flatten(1)
    for inputs in (x, (x - x.mean()) / x.std()):
        for seed in range(5):
            mlp = MLP([64, 100, 10], generator=seeded(seed))
            loss = fd.cross_entropy(mlp.logits(inputs), train.targets).item()
            assert abs(loss / LN10 - 1) < 0.02


def test_a_network_of_zeros_never_breaks_its_symmetry():
    mlp = MLP([40, 20, 10], generator=seeded(), initialize=lambda w, g: w.zero_())
    train = load("mnist1d")
    optimizer = SGD(0.5)
    for _ in range(5):
        _, gradients = mlp.loss_and_gradients(train.inputs[:200], train.targets[:200])
        optimizer.step(mlp.parameters, gradients)
    assert all((p == 0).all() for p in mlp.parameters[:3])  # only the last bias moves
    assert (mlp.parameters[3] != 0).any()


OPTIMIZERS = {
    "SGD": (lambda: SGD(0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    "Momentum": (
        lambda: Momentum(0.05, momentum=0.9),
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    ),
    "Adam": (lambda: Adam(), lambda p: torch.optim.Adam(p)),
    "Adam, others": (
        lambda: Adam(0.01, betas=(0.8, 0.95), eps=1e-3),
        lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-3),
    ),
}


@pytest.mark.parametrize("by_hand", [False, True], ids=["engine", "by hand"])
@pytest.mark.parametrize("name", ["SGD", "Momentum", "Adam"])
def test_the_twin_run_gives_torchs_losses_for_100_steps(name, by_hand):
    train = load("mnist1d")
    mlp = MLP([40, 100, 10], generator=seeded())
    twin = twin_of(mlp)
    ours, theirs = OPTIMIZERS[name][0](), OPTIMIZERS[name][1](twin.parameters())
    compute = mlp.loss_and_gradients_by_hand if by_hand else mlp.loss_and_gradients
    largest = 0.0
    for _, (x, labels) in zip(range(100), endless(train), strict=False):
        loss, gradients = compute(x, labels)
        ours.step(mlp.parameters, gradients)
        theirs.zero_grad()
        twin_loss = F.cross_entropy(twin(x), labels)
        twin_loss.backward()
        theirs.step()
        largest = max(largest, abs(loss.item() - twin_loss.item()))
    assert largest < 1e-5
    assert twin_loss < 0.99 * LN10  # both learned something


def endless(data, batch_size=64):
    generator = seeded(1)
    while True:
        yield from data.batches(batch_size, generator)


# ---- optimizers --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_follow_torchs_trace(name):
    shapes = [(3, 4), (4,), ()]
    ours = [randn(*shape, seed=i) for i, shape in enumerate(shapes)]
    addresses = [p.data_ptr() for p in ours]
    twins = [p.clone().requires_grad_() for p in ours]
    optimizer, twin = OPTIMIZERS[name][0](), OPTIMIZERS[name][1](twins)
    for step in range(50):
        gradients = [10 ** (step % 5 - 3) * randn(*s, seed=100 * step + i)
                     for i, s in enumerate(shapes)]  # fmt: skip
        kept = [g.clone() for g in gradients]
        for p, g in zip(twins, gradients, strict=True):
            p.grad = g.clone()
        twin.step()
        optimizer.step(ours, gradients)
        for p, p_twin in zip(ours, twins, strict=True):
            assert_close(p, p_twin.detach())
        assert all(torch.equal(g, k) for g, k in zip(gradients, kept, strict=True))
    assert [p.data_ptr() for p in ours] == addresses  # in place


def test_optimizers_take_parameters_of_torch():
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().clone()
    Adam(lr=0.1).step([layer.weight], [torch.ones(2, 3)])
    assert torch.allclose(layer.weight, before - 0.1)
    assert layer.weight.requires_grad and layer.weight.is_leaf


def test_momentum_without_memory_is_sgd():
    p, q = randn(4), randn(4)
    plain, momentum = SGD(0.1), Momentum(0.1, momentum=0)
    for seed in range(5):
        plain.step([p], [randn(4, seed=seed)])
        momentum.step([q], [randn(4, seed=seed)])
    assert_close(p, q)


@given(scale=st.floats(1e-3, 1e3), seed=seeds)
def test_adam_does_not_see_the_scale_of_a_gradient(scale, seed):
    p, q = torch.zeros(4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    one, other = Adam(0.1, eps=0.0), Adam(0.1, eps=0.0)
    for step in range(5):
        g = randn(4, seed=seed + step)
        one.step([p], [g])
        other.step([q], [scale * g])
    assert_close(p, q, 1e-9)


@given(lr=st.floats(0.01, 3.0))
def test_gradient_descent_on_a_parabola_diverges_beyond_two_over_the_curvature(lr):
    p, curvature = torch.ones(1, dtype=torch.float64), 2.0
    optimizer = SGD(lr)
    optimizer.step([p], [curvature * p])
    assert (p.abs() <= 1).item() == (lr <= 2 / curvature) or math.isclose(lr, 1.0)


# ---- bad input ---------------------------------------------------------------------------------

Z, Y = randn(4, 3), torch.tensor([0, 1, 2, 0])


def step(optimizer, parameters, gradients):
    return lambda: optimizer.step(parameters, gradients)


def another_network():
    optimizer = Momentum(0.1)
    optimizer.step([randn(3)], [randn(3)])
    optimizer.step([randn(4)], [randn(4)])


@pytest.mark.parametrize(
    ("says", "function"),
    [
        ("label 3 is out of range, expected 0 to 2 .*start at 1",
         lambda: fd.cross_entropy(Z, Y + 1)),
        ("label -1 is out of range", lambda: fd.cross_entropy(Z, Y - 1)),
        (r"logits have shape \(3,\), expected \(N, K\).*logits\[None\]",
         lambda: fd.cross_entropy(Z[0], Y[:1])),
        (r"logits have shape \(1, 4, 3\)", lambda: fd.cross_entropy(Node(Z[None]), Y)),
        (r"labels have shape \(4, 1\), expected \(4,\) .*squeeze",
         lambda: fd.cross_entropy(Z, Y[:, None])),
        (r"labels have shape \(3,\), expected \(4,\)", lambda: fd.cross_entropy(Z, Y[:3])),
        (r"labels are torch.float64.*one-hot", lambda: fd.cross_entropy(Z, Y.double())),
        ("labels are list", lambda: fd.cross_entropy(Z, [0, 1, 2, 0])),
        ("reduction is 'avg', expected \"mean\", \"sum\" or \"none\"",
         lambda: fd.cross_entropy(Z, Y, reduction="avg")),
        ("reduction is 'average'", lambda: fd.mse(Z, Z, reduction="average")),
        ("reduction is None", lambda: fd.binary_cross_entropy(Z**0, Z**0, reduction=None)),
        (r"targets have shape \(4,\), expected \(4, 1\) .*squeeze\(1\)",
         lambda: fd.mse(Z[:, :1], Z[:, 0])),
        (r"targets have shape \(4,\)", lambda: fd.mse(Node(Z[:, :1]), Node(Z[:, 0]))),
        ("got a float", lambda: fd.mse(Z, 0.0)),
        (r"probabilities hold 1.5, expected values in \[0, 1\]",
         lambda: fd.binary_cross_entropy(torch.tensor([0.5, 1.5]), torch.ones(2))),
        ("probabilities hold -0.1.*with_logits",
         lambda: fd.binary_cross_entropy(Node(torch.tensor([-0.1])), torch.ones(1))),
        ("probabilities hold nan",
         lambda: fd.binary_cross_entropy(torch.tensor([torch.nan]), torch.ones(1))),
        ("targets hold 2", lambda: fd.binary_cross_entropy(torch.ones(1), 2 * torch.ones(1))),
        ("targets hold -1",
         lambda: fd.binary_cross_entropy_with_logits(torch.ones(1), -torch.ones(1))),
        (r"targets are torch.int64.*\.float\(\)",
         lambda: fd.binary_cross_entropy_with_logits(torch.ones(1), torch.ones(1).long())),
        (r"targets have shape \(2,\), expected \(1,\)",
         lambda: fd.binary_cross_entropy(torch.ones(1), torch.ones(2))),
        (r"weight has shape \(3, 5\), expected \(out, 3\) for 3 inputs",
         lambda: fd.linear(Z, randn(3, 5))),
        (r"weight has shape \(3,\)", lambda: fd.linear(Z, randn(3))),
        (r"bias has shape \(1,\), expected \(5,\)",
         lambda: fd.linear(Z, randn(5, 3), randn(1))),
        (r"shape \(3,\), expected \(outputs, inputs\): biases start at zero",
         lambda: fd.he_(torch.empty(3), seeded())),
        (r"shape \(2, 3, 3\)", lambda: fd.glorot_(torch.empty(2, 3, 3), seeded())),
        (r"sizes are \[40\], expected at least two", lambda: MLP([40], generator=seeded())),
        (r"sizes are \[40, 0, 10\]", lambda: MLP([40, 0, 10], generator=seeded())),
        (r"sizes are \[40, 2.0\]", lambda: MLP([40, 2.0], generator=seeded())),
        (r"weight has shape \(4, 5\), expected \(out, 3\)",
         lambda: MLP([5, 4], generator=seeded(), dtype=torch.float64).logits(Z)),
        ("lr is -0.1, expected", lambda: SGD(-0.1)),
        ("lr is nan", lambda: Adam(lr=math.nan)),
        (r"momentum is 1, expected a number in \[0, 1\)", lambda: Momentum(0.1, momentum=1)),
        (r"betas\[1\] is 1.0", lambda: Adam(betas=(0.9, 1.0))),
        ("eps is -1", lambda: Adam(eps=-1)),
        ("1 gradients for 2 parameters", step(SGD(0.1), [Z, Z], [Z])),
        (r"gradient 1 is None, its parameter has shape \(4, 3\): call backward",
         step(SGD(0.1), [Z, Z], [Z, None])),
        (r"gradient 0 is of shape \(3, 4\), .*\(4, 3\).*transpose",
         step(Adam(), [Z.clone()], [Z.T])),
        ("not the parameters of the steps before", another_network),
    ],
)  # fmt: skip
def test_bad_input_says_what_came_and_what_was_expected(says, function):
    with pytest.raises(ValueError, match=says) as caught:
        function()
    assert "\n" not in str(caught.value)


def test_every_name_is_public_and_documented():
    for name in fd.__all__:
        assert re.search(r"\w", getattr(fd, name).__doc__ or "")
