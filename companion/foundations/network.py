"""A neuron, a layer, a network, and its backward pass by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from companion.foundations.engine import Node, value_of
from companion.foundations.initialization import he_
from companion.foundations.losses import TensorOrNode, cross_entropy, softmax


def linear(x: TensorOrNode, weight: TensorOrNode, bias: TensorOrNode | None = None) -> TensorOrNode:
    """`y = x W' + b`: x (..., in), weight (out, in), bias (out,); returns (..., out).

    Each output is one neuron: a weighted sum of the inputs and a bias.

    Source: Rosenblatt, Psychological Review 65, 1958.
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


def relu(x: TensorOrNode) -> TensorOrNode:
    """`max(x, 0)`; its slope is 1 above zero, and 0 at and below it.

    Source: Fukushima, IEEE Trans. SSC 5(4), 1969; Nair & Hinton, ICML 2010.
    """
    return x.relu()


def sigmoid(x: TensorOrNode) -> TensorOrNode:
    """`1 / (1 + exp(-x))`; its slope is `y (1 - y)`, at most 1/4."""
    return x.sigmoid()


class MLP:
    """Linear layers of the given sizes with ReLU between them, for classification.

    `MLP([40, 100, 10], generator=g)` keeps a plain list `parameters`: weight (out, in) and bias
    (out,) of the first layer, then of the next.  Biases are zero, weights come from `initialize`,
    the last layer's times `output_scale`: a network that knows nothing should say so, and with
    small logits its first loss is close to log K, the uniform code's length.

    Source of the default weights: He, Zhang, Ren & Sun, ICCV 2015.
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
        self.parameters: list[Tensor] = []
        for n_in, n_out in zip(sizes, sizes[1:], strict=False):
            weight = initialize(torch.empty(n_out, n_in, dtype=dtype), generator)
            self.parameters += [weight, torch.zeros(n_out, dtype=dtype)]
        self.parameters[-2] *= output_scale
        self.parameters = [p.to(device) for p in self.parameters]

    def logits(
        self, x: TensorOrNode, parameters: Sequence[TensorOrNode] | None = None
    ) -> TensorOrNode:
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
        for weight, h in zip(reversed(weights), reversed(inputs), strict=True):
            gradients = [delta.T @ h, delta.sum(0), *gradients]
            delta = (delta @ weight) * (h > 0)  # through the layer, then through the ReLU below
        return cross_entropy(logits, labels), gradients
