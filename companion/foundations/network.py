"""A neuron, a layer, a network, and its backward pass by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from companion.foundations.engine import Node, Operand, value_of
from companion.foundations.initialization import he_
from companion.foundations.losses import cross_entropy, softmax


def linear(x: Operand, weight: Operand, bias: Operand | None = None) -> Operand:
    """`y = x W' + b`: x (..., in), weight (out, in), bias (out,); returns (..., out).

    Each output is one neuron: a weighted sum of the inputs, and a bias.

    Source: Rosenblatt, Psychological Review 65(6), 1958.

    Raises:
        ValueError: weight or bias do not fit the inputs.
    """
    n_in, shape = value_of(x).shape[-1], tuple(value_of(weight).shape)
    if len(shape) != 2 or shape[1] != n_in:
        raise ValueError(
            f"weight has shape {shape}, expected (out, {n_in}) for {n_in} inputs: one row for "
            "each output, as in torch"
        )
    if bias is not None and tuple(value_of(bias).shape) != shape[:1]:
        raise ValueError(
            f"bias has shape {tuple(value_of(bias).shape)}, expected ({shape[0]},): one number "
            "for each output"
        )
    y = x @ weight.T
    return y if bias is None else y + bias


def relu(x: Operand) -> Operand:
    """`max(x, 0)`; its slope is 1 above zero, and 0 at and below it.

    Source: Fukushima, IEEE Trans. SSC 5(4), 1969; Nair & Hinton, ICML 2010.
    """
    return x.relu()


def sigmoid(x: Operand) -> Operand:
    """`y = 1 / (1 + exp(-x))`; its slope is `y (1 - y)`, at most 1/4.

    Source: Verhulst's logistic curve, 1838 (from memory, unverified).
    """
    return x.sigmoid()


class MLP:
    """Linear layers of the given sizes with ReLU between them, for classification.

    `MLP([40, 100, 10], generator=g)` keeps a plain list `parameters`: weight (out, in) and bias
    (out,) of the first layer, then of the next.  Biases are zero, weights come from `initialize`,
    the last layer's times `output_scale`: a network that knows nothing should say so, and with
    small logits its first loss is close to log K, the length of the uniform code.  (With
    `output_scale=1` it is about a third above on standardized inputs: the logits then have a
    variance of about 2.)

    Source: He, Zhang, Ren & Sun, ICCV 2015, for the weights of the hidden layers.

    Raises:
        ValueError: fewer than two sizes, or one that is not a positive whole number.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        generator: torch.Generator,
        initialize: Callable[[Tensor, torch.Generator], Tensor] = he_,
        output_scale: float = 0.1,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if len(sizes) < 2 or any(not isinstance(n, int) or n < 1 for n in sizes):
            raise ValueError(
                f"sizes are {list(sizes)}, expected at least two whole numbers: inputs, hidden "
                "layers if any, classes"
            )
        self.parameters: list[Tensor] = []
        for n_in, n_out in zip(sizes, sizes[1:], strict=False):
            weight = initialize(torch.empty(n_out, n_in, dtype=dtype), generator)
            self.parameters += [weight, torch.zeros(n_out, dtype=dtype)]
        self.parameters[-2] *= output_scale
        self.parameters = [p.to(device) for p in self.parameters]

    def logits(self, x: Operand, parameters: Sequence[Operand] | None = None) -> Operand:
        """Logits (N, K) of x (N, sizes[0]), computed with `parameters` (by default its own)."""
        parameters = self.parameters if parameters is None else parameters
        for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            x = relu(linear(x, weight, bias))
        return linear(x, *parameters[-2:])

    def loss_and_gradients(self, x: Tensor, labels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Mean cross-entropy and its gradient for each parameter, by the engine."""
        nodes = [Node(p) for p in self.parameters]
        loss = cross_entropy(self.logits(x, nodes), labels)
        loss.backward()
        return loss.value, [node.grad for node in nodes]

    def loss_and_gradients_by_hand(self, x: Tensor, labels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The same, by the formulas of backpropagation for a layer, last layer first."""
        weights, biases = self.parameters[::2], self.parameters[1::2]
        inputs = [x]  # of each layer: (N, sizes[i])
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            inputs.append(relu(linear(inputs[-1], weight, bias)))
        logits = linear(inputs[-1], weights[-1], biases[-1])
        delta = softmax(logits)  # the loss by the logits: (p - one_hot) / N
        delta[torch.arange(len(labels), device=labels.device), labels] -= 1
        delta = delta / len(labels)
        gradients: list[Tensor] = []
        for i in reversed(range(len(weights))):
            gradients = [delta.T @ inputs[i], delta.sum(0), *gradients]
            if i > 0:  # down through the layer, then through the ReLU below it
                delta = (delta @ weights[i]) * (inputs[i] > 0)
        return cross_entropy(logits, labels), gradients
