"""Reverse-mode differentiation on tensors, without torch's own."""

from __future__ import annotations

from numbers import Real
from typing import Any

import torch
from torch import Tensor


class Node:
    """A tensor that knows how it was computed: `value`, `grad`, and `backward()`.

    Operations on nodes, tensors and numbers give nodes.  Each records an edge to every operand that
    is a node, with the function that pulls a gradient back over it.  Plain tensors and numbers are
    constants.  `value` shares its memory with `tensor`; gradients add up in `grad` until it is set
    to None, and every node of the graph keeps its own.  `operation` names what made the node.

    There are + - * / ** @, exp, log, relu, sigmoid, tanh, clamp, sum, mean, max, reshape,
    transpose, T and indexing, with torch's arguments; `max` gives values alone.

    Source: Linnainmaa, MSc thesis, Helsinki, 1970; for networks Rumelhart, Hinton & Williams,
    Nature 323, 1986.

    Raises:
        ValueError: `tensor` is not a floating-point tensor.
    """

    __slots__ = ("value", "grad", "operation", "_edges", "__weakref__")
    __array_ufunc__ = None  # numpy_number * node is the node's business

    def __init__(self, tensor: Tensor) -> None:
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            what = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            raise ValueError(
                f"a node holds a floating-point tensor, got {what}: only what can change by a "
                "little has a gradient (use torch.tensor(2.0), or x.float())"
            )
        self.value = tensor.detach()
        self.grad: Tensor | None = None
        self.operation = "leaf"
        self._edges: tuple | None = ()

    def backward(self, gradient: Tensor | None = None) -> None:
        """Adds to the `grad` of every node below how this node depends on it.

        From a node with more than one value, `gradient` (of its shape) says how much each counts.
        The graph is walked once, then let go.

        Raises:
            ValueError: no `gradient` for more than one value, or one of another shape.
            RuntimeError: the graph was walked before, or a value it needs was changed in place.
        """
        if gradient is None and self.value.numel() != 1:
            raise ValueError(
                f"backward starts from one number, and this node has shape {self.shape}: reduce "
                "the loss with .sum() or .mean(), or pass a gradient of the same shape"
            )
        if gradient is None:
            gradient = torch.ones_like(self.value)
        if gradient.shape != self.shape:
            raise ValueError(
                f"the gradient has shape {tuple(gradient.shape)}, expected {self.shape}: "
                "one number for each value of the node"
            )
        order = _topological_order(self)
        _check_saved(order)
        gradients = {self: gradient.detach()}
        for node in reversed(order):
            gradient = gradients.pop(node)  # complete: every node above has handed down its part
            node.grad = gradient.clone() if node.grad is None else node.grad + gradient
            for parent, pull, _ in node._edges:
                part = _unbroadcast(pull(gradient), parent.value)
                gradients[parent] = gradients[parent] + part if parent in gradients else part
            if node._edges:
                node._edges = None  # frees what the pulls hold

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    def __repr__(self) -> str:
        return f"Node({self.operation}, shape={self.shape}, value={self.value})"

    # ---- arithmetic ----------------------------------------------------------------------------

    def __add__(self, other: Any) -> Node:
        y = self.value + value_of(other)
        return _record("+", y, (self, lambda g: g), (other, lambda g: g))

    def __mul__(self, other: Any) -> Node:
        a, b = self.value, value_of(other)
        return _record("*", a * b, (self, lambda g: g * b, b), (other, lambda g: g * a, a))

    def __sub__(self, other: Any) -> Node:
        y = self.value - value_of(other)
        return _record("-", y, (self, lambda g: g), (other, lambda g: -g))

    def __rsub__(self, other: Any) -> Node:
        return _record("-", value_of(other) - self.value, (self, lambda g: -g))

    def __neg__(self) -> Node:
        return _record("-", -self.value, (self, lambda g: -g))

    def __truediv__(self, other: Any) -> Node:
        return _divide(self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return _divide(other, self)

    def __pow__(self, exponent: Any) -> Node:
        return _power(self, exponent)

    def __rpow__(self, base: Any) -> Node:
        return _power(base, self)

    def __matmul__(self, other: Any) -> Node:
        return _matmul(self, other)

    def __rmatmul__(self, other: Any) -> Node:
        return _matmul(other, self)

    __radd__, __rmul__ = __add__, __mul__

    # ---- functions of each value ---------------------------------------------------------------

    def exp(self) -> Node:
        y = self.value.exp()
        return _record("exp", y, (self, lambda g: g * y, y))

    def log(self) -> Node:
        a = self.value
        return _record("log", a.log(), (self, lambda g: g / a, a))

    def relu(self) -> Node:
        y = self.value.clamp(min=0)
        return _record("relu", y, (self, lambda g: g * (y > 0), y))

    def sigmoid(self) -> Node:
        y = self.value.sigmoid()
        return _record("sigmoid", y, (self, lambda g: g * y * (1 - y), y))

    def tanh(self) -> Node:
        y = self.value.tanh()
        return _record("tanh", y, (self, lambda g: g * (1 - y**2), y))

    def clamp(self, min: float) -> Node:
        """Values below `min` become `min`; only above it a gradient passes."""
        a = self.value
        return _record("clamp", a.clamp(min=min), (self, lambda g: g * (a > min), a))

    # ---- over dimensions -----------------------------------------------------------------------

    def sum(self, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Node:
        a = self.value
        kept = a.sum(dim, keepdim=True)
        y = kept if keepdim else a.sum(dim)
        shape, kept_shape = a.shape, kept.shape
        return _record("sum", y, (self, lambda g: g.reshape(kept_shape).expand(shape)))

    def mean(self, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Node:
        total = self.sum(dim, keepdim)
        return total / (self.value.numel() // max(1, total.value.numel()))

    def max(self, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Node:
        """Largest values alone, without torch's indices; ties share the gradient equally."""
        a = self.value
        dims = tuple(range(a.ndim)) if dim is None else dim
        kept = a.amax(dims, keepdim=True)
        y = kept if keepdim else a.amax(dims)
        is_largest = (a == kept).to(a.dtype)
        share = is_largest / is_largest.sum(dims, keepdim=True)
        return _record("max", y, (self, lambda g: g.reshape(kept.shape) * share))

    # ---- other shapes --------------------------------------------------------------------------

    def reshape(self, *shape: Any) -> Node:
        a = self.value
        return _record("reshape", a.reshape(*shape), (self, lambda g: g.reshape(a.shape)))

    def transpose(self, dim0: int, dim1: int) -> Node:
        y = self.value.transpose(dim0, dim1)
        return _record("transpose", y, (self, lambda g: g.transpose(dim0, dim1)))

    @property
    def T(self) -> Node:
        if self.value.ndim != 2:
            raise ValueError(f".T is for matrices, got shape {self.shape}: use .transpose(i, j)")
        return self.transpose(0, 1)

    def __getitem__(self, index: Any) -> Node:
        """Any index that a tensor takes; a place that is read twice adds up both gradients."""
        a = self.value
        places = torch.arange(a.numel(), device=a.device).reshape(a.shape)[index]

        def pull(g: Tensor) -> Tensor:
            flat = g.new_zeros(a.numel())
            return flat.index_add(0, places.flatten(), g.flatten()).reshape(a.shape)

        return _record("index", a[index], (self, pull))


Operand = Tensor | Node  # what the functions of this package take, and then give


def value_of(x: Any) -> Any:
    """The tensor behind a node, a tensor outside torch's own graph, or a number as it is."""
    if isinstance(x, Node):
        return x.value
    if isinstance(x, Tensor):
        return x.detach()
    if isinstance(x, Real):
        return x
    raise ValueError(f"a node computes with nodes, tensors and numbers, got {type(x).__name__}")


def _divide(a: Any, b: Any) -> Node:
    x, y = value_of(a), value_of(b)
    return _record("/", x / y, (a, lambda g: g / y, y), (b, lambda g: -g * x / y**2, x, y))


def _power(base: Any, exponent: Any) -> Node:
    x, n = value_of(base), value_of(exponent)
    y = x**n

    def pull_base(g: Tensor) -> Tensor:  # n x^(n-1), also where n = x = 0
        n_ = torch.as_tensor(n, dtype=g.dtype, device=g.device)
        return g * torch.where(n_ == 0, 0.0, n_ * x ** (n_ - 1))

    def pull_exponent(g: Tensor) -> Tensor:  # x^n log x, which goes to 0 with x
        x_ = torch.as_tensor(x, dtype=g.dtype, device=g.device)
        return g * torch.where((x_ == 0) & (n >= 0), 0.0, y * x_.log())

    return _record("**", y, (base, pull_base, x, n), (exponent, pull_exponent, x, n, y))


def _matmul(a: Any, b: Any) -> Node:
    x, y = torch.as_tensor(value_of(a)), torch.as_tensor(value_of(b))
    if y.ndim == 1:
        return _matmul(a, b.reshape(-1, 1))[..., 0]
    if x.ndim == 1:
        return _matmul(a.reshape(1, -1), b)[..., 0, :]
    return _record("@", x @ y, (a, lambda g: g @ y.mT, y), (b, lambda g: x.mT @ g, x))


def _record(operation: str, value: Tensor, *edges: tuple) -> Node:
    """A node with its edges `(operand, pull, *what pull reads)`; constants need none."""
    node = Node(value)
    node.operation = operation
    node._edges = tuple(
        (parent, pull, [(t, t._version) for t in saved if isinstance(t, Tensor)])
        for parent, pull, *saved in edges
        if isinstance(parent, Node)
    )
    return node


def _topological_order(root: Node) -> list[Node]:
    """Every node below `root` once, operands first; a stack, so that depth has no limit."""
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, is_done = stack.pop()
        if is_done:
            order.append(node)
        elif node not in seen:
            if node._edges is None:
                raise RuntimeError(
                    "this graph was walked before, and a walk lets it go: compute the loss "
                    "again before each backward (or add losses, and call backward once)"
                )
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent, _, _ in node._edges)
    return order


def _check_saved(order: list[Node]) -> None:
    for node in order:
        for _, _, saved in node._edges:
            for tensor, version in saved:
                if tensor._version != version:
                    raise RuntimeError(
                        f"a tensor of shape {tuple(tensor.shape)} that `{node.operation}` needs "
                        "for its gradient was changed in place after it was used: call backward "
                        "before the optimizer's step, or write x = x + 1 instead of x += 1"
                    )


def _unbroadcast(gradient: Tensor, like: Tensor) -> Tensor:
    """Sums over the copies that broadcasting made: (3, 4) back to (4,) or to (3, 1)."""
    if gradient.shape != like.shape:
        n_new = gradient.ndim - like.ndim
        gradient = gradient.sum(tuple(range(n_new))) if n_new else gradient
        stretched = [d for d, n in enumerate(like.shape) if n == 1 and gradient.shape[d] != 1]
        gradient = gradient.sum(stretched, keepdim=True) if stretched else gradient
    return gradient.to(like)
