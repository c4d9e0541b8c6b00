"""The engine's gradients are torch's, for each operation and for graphs drawn at random."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.foundations import Node


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def positive(*shape, seed=0):
    return randn(*shape, seed=seed).abs() + 0.5


def assert_close(ours, theirs, tolerance=1e-10):
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    scale = max(1.0, float(theirs.abs().max()) if theirs.numel() else 1.0)
    assert torch.allclose(ours, theirs, rtol=0, atol=tolerance * scale), (ours - theirs).abs().max()


def assert_twins(ours, theirs, inputs, tolerance=1e-10):
    """Equal values, and equal gradients of `sum(output * random)` for every input."""
    nodes = [Node(x) for x in inputs]
    leaves = [x.clone().requires_grad_() for x in inputs]
    y, y_twin = ours(*nodes), theirs(*leaves)
    assert_close(y.value, y_twin.detach(), tolerance)
    cotangent = randn(*y.shape, seed=99, dtype=y.value.dtype)
    y.backward(cotangent)
    y_twin.backward(cotangent)
    for node, leaf in zip(nodes, leaves, strict=True):
        assert_close(node.grad, leaf.grad, tolerance)


def amax(x, dim=None, keepdim=False):
    return x.amax(tuple(range(x.ndim)) if dim is None else dim, keepdim)


# ---- each operation ----------------------------------------------------------------------------

A, B, ROW, COLUMN, CUBE = (
    randn(3, 4), randn(3, 4, seed=1), randn(4, seed=2), randn(3, 1, seed=3), randn(2, 3, 4, seed=4),
)  # fmt: skip
CONSTANT = randn(3, 4, seed=5)

SAME_IN_BOTH = {  # the same expression of nodes and of tensors
    "add": (lambda a, b: a + b, [A, B]),
    "add a row": (lambda a, b: a + b, [A, ROW]),
    "add to a row": (lambda a, b: a + b, [ROW, A]),
    "add a column to a row": (lambda a, b: a + b, [COLUMN, ROW]),
    "add a scalar": (lambda a, b: a + b, [A, randn()]),
    "add to a cube": (lambda a, b: a + b, [COLUMN, CUBE]),
    "add a number": (lambda a: a + 2, [A]),
    "number plus": (lambda a: 2.5 + a, [A]),
    "add a tensor": (lambda a: a + CONSTANT, [ROW]),
    "tensor plus": (lambda a: CONSTANT + a, [COLUMN]),
    "add itself": (lambda a: a + a, [A]),
    "subtract": (lambda a, b: a - b, [A, ROW]),
    "number minus": (lambda a: 1 - a, [A]),
    "tensor minus": (lambda a: CONSTANT - a, [ROW]),
    "subtract a number": (lambda a: a - 1, [A]),
    "subtract a tensor": (lambda a: a - CONSTANT, [COLUMN]),
    "negate": (lambda a: -a, [A]),
    "multiply": (lambda a, b: a * b, [A, B]),
    "multiply row and column": (lambda a, b: a * b, [ROW, COLUMN]),
    "multiply by a number": (lambda a: a * 3, [A]),
    "number times": (lambda a: 3 * a, [A]),
    "tensor times": (lambda a: CONSTANT * a, [ROW]),
    "multiply by itself": (lambda a: a * a, [A]),
    "divide": (lambda a, b: a / b, [A, positive(4)]),
    "divide by a number": (lambda a: a / 3, [A]),
    "number by": (lambda a: 2 / a, [positive(3, 4)]),
    "tensor by": (lambda a: CONSTANT / a, [positive(3, 1)]),
    "square": (lambda a: a**2, [A]),
    "zeroth power": (lambda a: a**0, [torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64)]),
    "square at zero": (lambda a: a**2, [torch.zeros(2, dtype=torch.float64)]),
    "root": (lambda a: a**0.5, [positive(3, 4)]),
    "reciprocal": (lambda a: a**-1, [positive(3, 4)]),
    "power of nodes": (lambda a, b: a**b, [positive(3, 4), ROW]),
    "power of zero": (lambda a, b: a**b, [torch.zeros(3, dtype=torch.float64), positive(3)]),
    "number to the power": (lambda a: 2**a, [A]),
    "tensor to the power": (lambda a: positive(3, 4) ** a, [COLUMN]),
    "power of a tensor": (lambda a: a ** torch.tensor([2.0, 3, 0, 1]).double(), [A]),
    "matrix by matrix": (lambda a, b: a @ b, [A, randn(4, 2)]),
    "matrix by vector": (lambda a, b: a @ b, [A, ROW]),
    "vector by matrix": (lambda a, b: a @ b, [ROW, randn(4, 2)]),
    "vector by vector": (lambda a, b: a @ b, [ROW, randn(4)]),
    "matrix by tensor": (lambda a: a @ CONSTANT.T, [A]),
    "tensor by matrix": (lambda a: CONSTANT.T @ a, [A]),
    "tensor by vector": (lambda a: CONSTANT @ a, [ROW]),
    "cube by matrix": (lambda a, b: a @ b, [CUBE, randn(4, 2)]),
    "matrix by cube": (lambda a, b: a @ b, [randn(5, 3), CUBE]),
    "cube by vector": (lambda a, b: a @ b, [CUBE, ROW]),
    "vector by cube": (lambda a, b: a @ b, [randn(3), CUBE]),
    "cube by one of many": (lambda a, b: a @ b, [randn(2, 1, 3, 4), randn(5, 4, 2)]),
    "exp": (lambda a: a.exp(), [A]),
    "log": (lambda a: a.log(), [positive(3, 4)]),
    "relu": (lambda a: a.relu(), [torch.tensor([-1.0, 0.0, 2.0, torch.inf]).double()]),
    "sigmoid": (lambda a: a.sigmoid(), [torch.tensor([-1e3, -1.0, 0.0, 2.0, 1e3]).double()]),
    "tanh": (lambda a: a.tanh(), [torch.tensor([-1e3, -1.0, 0.0, 2.0]).double()]),
    "clamp": (lambda a: a.clamp(min=0.5), [torch.tensor([0.0, 0.49, 0.75]).double()]),
    "sum": (lambda a: a.sum(), [CUBE]),
    "sum over a dimension": (lambda a: a.sum(1), [CUBE]),
    "sum over the last": (lambda a: a.sum(dim=-1), [CUBE]),
    "sum over two": (lambda a: a.sum((0, 2)), [CUBE]),
    "sum keeping": (lambda a: a.sum(1, keepdim=True), [CUBE]),
    "sum over two keeping": (lambda a: a.sum((0, -1), True), [CUBE]),
    "sum of a number": (lambda a: a.sum(), [randn()]),
    "sum of nothing": (lambda a: a.sum(0), [randn(0, 3)]),
    "broadcast to nothing": (lambda a, b: a + b, [randn(0), randn(1)]),
    "mean": (lambda a: a.mean(), [CUBE]),
    "mean over a dimension": (lambda a: a.mean(-1), [CUBE]),
    "mean over two keeping": (lambda a: a.mean((0, 1), keepdim=True), [CUBE]),
    "reshape": (lambda a: a.reshape(4, -1), [CUBE]),
    "reshape to a tuple": (lambda a: a.reshape((6, 4)), [CUBE]),
    "transpose": (lambda a: a.transpose(0, 2), [CUBE]),
    "transpose a matrix": (lambda a: a.T, [A]),
    "index a row": (lambda a: a[1], [A]),
    "index from the end": (lambda a: a[:, -1], [A]),
    "index a slice": (lambda a: a[1:, ::2], [A]),
    "index a new dimension": (lambda a: a[:, None] * a[..., None, :], [A]),
    "index an element": (lambda a: a[2, 3], [A]),
    "index a list": (lambda a: a[[0, 2, 0]], [A]),
    "index pairs": (lambda a: a[torch.arange(3), torch.tensor([1, 3, 1])], [A]),
    "index repeated pairs": (lambda a: a[torch.tensor([1, 1, 1]), torch.tensor([0, 0, 2])], [A]),
    "index a mask": (lambda a: a[CONSTANT > 0], [A]),
    "index slice and list": (lambda a: a[:, [1, 1, 2]], [CUBE]),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME_IN_BOTH)
def test_gradients_of_each_operation_are_torchs(name):
    function, inputs = SAME_IN_BOTH[name]
    assert_twins(function, function, inputs)


@pytest.mark.parametrize("dim", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("keepdim", [True, False])
def test_max_is_torchs_amax_ties_included(dim, keepdim):
    ties = torch.randint(0, 3, (2, 3, 4), generator=torch.Generator().manual_seed(0)).double()
    for x in (CUBE, ties):
        assert_twins(lambda a: a.max(dim, keepdim), lambda a: amax(a, dim, keepdim), [x])


def test_float32_stays_float32():
    x, w = randn(3, 4, dtype=torch.float32), randn(4, 2, dtype=torch.float32)
    function = lambda x, w: ((x @ w).tanh() * 2 - 1).mean(0) ** 2  # noqa: E731
    assert_twins(function, function, [x, w], tolerance=1e-6)


def test_a_gradient_has_the_dtype_of_its_node():
    x, w = Node(randn(3, dtype=torch.float32)), Node(randn(3))
    (x * w).sum().backward()
    assert x.grad.dtype == torch.float32 and w.grad.dtype == torch.float64


def test_numpy_numbers_are_numbers():
    x = Node(A)
    for y in (np.float64(2.0) * x, x * np.float64(2.0), np.int64(2) * x, x / np.float32(0.5)):
        assert torch.equal(y.value, 2 * A)


# ---- graphs drawn at random --------------------------------------------------------------------

N_ROWS, N_COLUMNS = 3, 4
UNARY = [  # each bounded, so that a deep graph neither overflows nor dies out
    lambda x: x.tanh(),
    lambda x: x.sigmoid() - 0.5,
    lambda x: (x + 0.1).relu() - 0.3 * x,
    lambda x: (-(x * x)).exp(),
    lambda x: (x * x + 0.5).log(),
    lambda x: (x * x + 0.5) ** 0.5 - 1,
    lambda x: 1 / (x * x + 1),
    lambda x: 1.5 ** x.tanh(),
    lambda x: 0.5 - 2 * x / 3,
    lambda x: x - x.mean(0),
    lambda x: x / (1 + (x * x).sum(1, keepdim=True)),
    lambda x: x - x.max(1, keepdim=True),
    lambda x: x[[2, 0, 0]] * x[:, [1, 1, 3, 0]],
    lambda x: x[:, None, 1] + x[1],
    lambda x: x.reshape(4, 3).transpose(0, 1),
    lambda x: (x @ x.T / 4) @ x / 3,
]
BINARY = [
    lambda x, y: x + y,
    lambda x, y: x - y[0],
    lambda x, y: x * y.tanh(),
    lambda x, y: x[:, :1] * y.mean(0),
    lambda x, y: x / (y * y + 1),
    lambda x, y: (x * x + 0.5) ** y.tanh(),
    lambda x, y: x @ y.T @ y / 8,
    lambda x, y: (x @ y[0]).reshape(3, 1) / 4 + y,
    lambda x, y: x * (y.sum() / 12).sigmoid(),
]
OPERATIONS = UNARY + BINARY
steps = st.tuples(st.integers(0, len(OPERATIONS) - 1), st.integers(0, 10**6), st.integers(0, 10**6))


def run(program, inputs):
    """Every step takes any of the values computed before it, and appends its own."""
    values = list(inputs)
    for operation, i, j in program:
        x, y = values[i % len(values)], values[j % len(values)]
        function = OPERATIONS[operation]
        values.append(function(x) if operation < len(UNARY) else function(x, y))
    return values[-1]


class Values(torch.Tensor):
    """A tensor whose `max` gives values alone, as the node's does."""

    def max(self, dim=None, keepdim=False):
        return amax(self, dim, keepdim)


@settings(max_examples=200)
@given(program=st.lists(steps, min_size=1, max_size=12), seed=st.integers(0, 10**6))
def test_gradients_of_200_random_graphs_are_torchs(program, seed):
    inputs = [randn(N_ROWS, N_COLUMNS, seed=seed + i) for i in range(3)]
    nodes = [Node(x) for x in inputs]
    leaves = [x.clone().as_subclass(Values).requires_grad_() for x in inputs]
    y, y_twin = run(program, nodes), run(program, leaves)
    cotangent = randn(*y.shape, seed=seed + 9)
    y.backward(cotangent)
    y_twin.backward(cotangent.as_subclass(Values))
    assert_close(y.value, y_twin.detach().as_subclass(torch.Tensor), 1e-10)
    for node, leaf in zip(nodes, leaves, strict=True):
        theirs = torch.zeros_like(node.value) if leaf.grad is None else leaf.grad
        ours = torch.zeros_like(node.value) if node.grad is None else node.grad
        assert_close(ours, theirs.as_subclass(torch.Tensor), 1e-6)


# ---- laws of backward --------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_backward_is_linear_in_its_gradient(seed, a, b):
    def pulled(cotangent):
        x = Node(randn(3, 4, seed=seed))
        ((x @ x.T).tanh() / x.sum()).backward(cotangent)
        return x.grad

    u, v = randn(3, 3, seed=seed + 1), randn(3, 3, seed=seed + 2)
    assert_close(pulled(a * u + b * v), a * pulled(u) + b * pulled(v), 1e-9)


@given(seed=st.integers(0, 10**6))
def test_gradients_of_a_sum_of_losses_add_up(seed):
    data = randn(3, 4, seed=seed)
    together, one_by_one = Node(data), Node(data)
    (together.tanh().sum() + (together**2).mean()).backward()
    one_by_one.tanh().sum().backward()
    (one_by_one**2).mean().backward()  # `grad` was not set to None in between
    assert_close(together.grad, one_by_one.grad)


def test_every_node_keeps_its_gradient():
    x = Node(torch.tensor(3.0))
    y = x * x
    z = 2 * y + x
    z.backward()
    assert (z.grad, y.grad, x.grad) == (1, 2, 13)


def test_gradients_share_no_memory():
    x, y = Node(A), Node(B)
    z = x + y
    z.sum().backward()
    x.grad.zero_()
    assert (y.grad == 1).all() and (z.grad == 1).all()


def test_what_was_passed_to_backward_is_not_kept():
    x, cotangent = Node(A), torch.ones(3, 4, dtype=torch.float64, requires_grad=True)
    x.backward(cotangent)
    x.backward(cotangent)  # a leaf has no graph to let go
    assert (x.grad == 2).all() and (cotangent == 1).all()
    assert not x.grad.requires_grad


def test_a_node_shares_memory_with_its_tensor_and_torch_records_nothing():
    weight = torch.nn.Parameter(torch.ones(2))
    node = Node(weight)
    loss = (node * weight).sum()
    assert node.value.data_ptr() == weight.data_ptr()
    assert not loss.value.requires_grad and not node.value.requires_grad
    loss.backward()
    assert weight.grad is None and not node.grad.requires_grad


def test_constants_get_no_gradient():
    x, constant = Node(A), CONSTANT.clone().requires_grad_()
    (constant * x + constant).sum().backward()
    assert constant.grad is None
    assert torch.equal(x.grad, CONSTANT)


def test_a_node_says_what_made_it():
    x = Node(torch.ones(2))
    assert x.operation == "leaf" and (x @ x).operation == "index" and x.exp().operation == "exp"
    assert "Node(+, shape=(2,)" in repr(x + 1)


# ---- depth and memory --------------------------------------------------------------------------


def test_a_deep_graph_has_no_limit_of_recursion():
    x = Node(torch.tensor(1.0))
    y = x
    for _ in range(20_000):
        y = y + x
    y.backward()
    assert x.grad == 20_001


def test_a_deep_graph_that_was_never_walked_goes_quietly():
    y = Node(torch.tensor(1.0))
    for _ in range(20_000):
        y = -y
    del y


def test_a_wide_diamond_is_walked_once_per_node():
    """2^60 paths, 60 nodes."""
    x = Node(torch.tensor(1.0, dtype=torch.float64))
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad == 2.0**60


def count_alive():
    kinds = [type(o) for o in gc.get_objects()]
    return kinds.count(Node), sum(issubclass(kind, torch.Tensor) for kind in kinds)


@pytest.fixture
def without_gc():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_memory_is_flat_over_1000_steps_without_the_garbage_collector(without_gc):
    weight = randn(3, 4)

    def step():
        w = Node(weight)
        hidden = (A @ w.T).tanh() + w.mean() - w[0, 1] ** 2
        loss = (hidden.exp().max(1) / w.sum().sigmoid()).log().mean()
        loss.backward()
        weight.sub_(0.01 * w.grad)
        Node(weight).relu().sum()  # a graph that is never walked

    step()
    before = count_alive()
    for n in range(1000):
        step()
        if n % 250 == 0:
            assert count_alive() == before
    assert count_alive() == before


def test_a_walk_frees_the_graph_while_the_loss_lives(without_gc):
    before = count_alive()[0]
    x = Node(A)
    loss = ((x * 2).tanh() + x).sum()
    assert count_alive()[0] == before + 5
    loss.backward()
    assert count_alive()[0] == before + 2  # x and the loss


# ---- bad input ---------------------------------------------------------------------------------


def walked_twice():
    loss = (Node(A) * 2).sum()
    loss.backward()
    loss.backward()


def part_walked_twice():
    y = Node(A) * 2
    y.sum().backward()
    y.mean().backward()


def changed(compute, change=lambda x: x.mul_(2)):
    """Changes `x` in place between computing and going back."""

    def function():
        x = A.clone()
        loss = compute(x).sum()
        change(x)
        loss.backward()

    return function


def step_before_backward():
    weight = torch.nn.Parameter(torch.ones(2, 4, dtype=torch.float64))
    loss = (Node(A) @ Node(weight).T).sum()
    weight.grad = torch.ones_like(weight)
    torch.optim.SGD([weight], lr=0.1).step()
    loss.backward()


def changed_value():
    y = Node(A).exp()
    loss = y.sum()
    y.value += 1
    loss.backward()


@pytest.mark.parametrize(
    ("says", "error", "function"),
    [
        (r"got torch.int64: .*x\.float\(\)", ValueError, lambda: Node(torch.arange(3))),
        (r"got float: .*torch.tensor\(2.0\)", ValueError, lambda: Node(2.0)),
        ("got list", ValueError, lambda: Node(A) + [1.0]),
        ("got ndarray", ValueError, lambda: np.ones(4) * Node(A)),
        ("got str", ValueError, lambda: Node(A) @ "a"),
        (r"shape \(2, 3, 4\): use .transpose", ValueError, lambda: Node(CUBE).T),
        (r"one number, .*shape \(3, 4\).*\.mean\(\)", ValueError, lambda: Node(A).backward()),
        (
            r"gradient has shape \(4,\), expected \(3, 4\)",
            ValueError,
            lambda: Node(A).backward(ROW),
        ),
        ("walked before.*compute the loss again", RuntimeError, walked_twice),
        ("walked before", RuntimeError, part_walked_twice),
        (
            r"shape \(3, 4\) that `\*` needs .*changed in place.*optimizer's step",
            RuntimeError,
            changed(lambda x: Node(x) * Node(B)),
        ),
        (r"that `\*` needs", RuntimeError, changed(lambda x: Node(B) * x)),
        ("that `/` needs", RuntimeError, changed(lambda x: Node(B) / x)),
        (r"that `\*\*` needs", RuntimeError, changed(lambda x: Node(x) ** 2)),
        ("that `@` needs", RuntimeError, changed(lambda x: Node(B) @ Node(x).T)),
        (
            "that `log` needs",
            RuntimeError,
            changed(lambda x: Node(x).log(), lambda x: x[0].zero_()),
        ),
        ("that `clamp` needs", RuntimeError, changed(lambda x: Node(x).clamp(min=0))),
        ("that `exp` needs", RuntimeError, changed_value),
        (r"shape \(4, 2\) that `@` needs", RuntimeError, step_before_backward),
    ],
)
def test_bad_input_says_what_came_and_what_was_expected(says, error, function):
    with pytest.raises(error, match=says) as caught:
        function()
    assert "\n" not in str(caught.value)


def test_a_change_of_what_no_gradient_needs_is_no_error():
    x = A.clone()
    node = Node(x)
    y = (node + x).sum(0).reshape(2, 2).T + 2 * node.mean() - node.max() + node[0, 1]
    x.add_(1)
    y.sum().backward()
    assert node.grad is not None


def test_a_refused_walk_changes_nothing():
    x, y = Node(A.clone()), Node(B)
    loss = (x * y).tanh().sum()
    x.value.add_(1)
    with pytest.raises(RuntimeError):
        loss.backward()
    assert x.grad is None and y.grad is None and loss.grad is None
