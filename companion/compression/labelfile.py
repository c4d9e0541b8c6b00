"""A network and the labels that it helps to predict, as one file: the two-part code, literally.

The sender and the receiver both run the network, and the labels are coded with the probabilities
that come out.  One differing bit of one probability would ruin the rest of the file, and sums of
floats do differ between machines and numbers of threads.  So the network here is one of integers:
integer weights, inputs in steps of 1/64, no division.  It runs in double precision, where sums of
integers below 2^53 are exact in any order.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from companion.compression.arithmetic import Decoder, Encoder
from companion.compression.matrixcode import IntegerCode

INPUT_STEPS = 64  # inputs are rounded to 1/64
PROBABILITY_STEPS = 32  # logarithms of probabilities are rounded to 1/32 bit
LARGEST_FREQUENCY = 1 << 12
LARGEST_EXACT = float(1 << 53)
MAX_WEIGHTS = 1 << 20
CHECK_BYTES = 2  # of the labels
MAX_LAYERS, LARGEST_EXPONENT = 100, 60
IMPOSSIBLE = "not a file of labels, or a changed one: it describes an impossible network"


class Convolution(NamedTuple):
    """Integer weights (out, in, k), integer bias (out,) in units of 2^bias_exponent, a stride."""

    weight: Tensor
    bias: Tensor
    bias_exponent: int
    stride: int = 1


@dataclass(frozen=True)
class IntegerNet:
    """Convolutions over a series, each with ReLU; the largest value over time; a linear layer.

    `layers` are `Convolution`s, the last one with kernel size 1 and without ReLU: it is the linear
    layer (classes, channels, 1).  A logit is an integer times `scale` / 2^`scale_exponent` bits.
    """

    layers: Sequence[Convolution]
    scale: int
    scale_exponent: int

    def logits(self, inputs: Tensor) -> Tensor:
        """Integer logits (N, classes), as float64, of series (N, L).

        Raises:
            ValueError: values that double precision no longer holds exactly, nan, inf.
        """
        h = (inputs.double() * INPUT_STEPS).round().unsqueeze(1)  # (N, L) -> (N, 1, L)
        *convolutions, last = self.layers
        for layer in convolutions:
            h = self._exact(F.relu(self._apply(layer, h)))  # (N, C, L / stride)
        return self._exact(self._apply(last, h.amax(2, keepdim=True))).squeeze(2)

    def frequencies(self, inputs: Tensor) -> list[list[int]]:
        """For each series the integer frequencies of its classes, equal on every machine."""
        logits = self.logits(inputs).long()
        behind = logits.amax(1, keepdim=True) - logits  # (N, classes), 0 for the likeliest
        table = _powers_of_two()
        steps = (behind * self.scale) >> self.scale_exponent
        return [[table[t] for t in row] for row in steps.clamp(max=len(table) - 1).tolist()]

    @staticmethod
    def _apply(layer: Convolution, h: Tensor) -> Tensor:
        bias = layer.bias.double() * 2.0**layer.bias_exponent
        kernel_size = layer.weight.shape[2]
        return F.conv1d(h, layer.weight.double(), bias, layer.stride, kernel_size // 2)

    @staticmethod
    def _exact(h: Tensor) -> Tensor:
        largest = h.abs().max().item() if len(h) else 0.0
        if not largest < LARGEST_EXACT / 1024:  # room for the partial sums of the next layer
            raise ValueError(
                f"activations reach {largest:.0e}, beyond what double precision holds exactly: "
                "take smaller integers as weights"
            )
        return h


def write_labels(net: IntegerNet, inputs: Tensor, targets: Tensor) -> bytes:
    """The network and the labels (N,) of the series (N, L) as one file.

    Raises:
        ValueError: labels that are not 0 ... classes - 1, or as many as the series.
    """
    n_classes = len(net.layers[-1].weight)
    if targets.shape != inputs.shape[:1] or not (0 <= targets.min() and targets.max() < n_classes):
        raise ValueError(
            f"labels {tuple(targets.shape)} for series {tuple(inputs.shape)}: expected one label "
            f"of 0 to {n_classes - 1} for each"
        )
    encoder, labels = Encoder(), targets.tolist()
    _code_net(encoder, net)
    _code_labels(encoder, net.frequencies(inputs), labels)
    return _check(labels) + encoder.finish()


def read_labels(blob: bytes, inputs: Tensor) -> Tensor:
    """The labels (N,) of the series (N, L) that the file was written for, in their order.

    Raises:
        ValueError: the file is damaged, or was written for other series.
    """
    decoder = Decoder(blob[CHECK_BYTES:])
    net = _code_net(decoder, None)
    labels = _code_labels(decoder, net.frequencies(inputs), [0] * len(inputs))
    if _check(labels) != blob[:CHECK_BYTES]:
        raise ValueError(
            "the checksum of the labels is wrong: the file was changed, or written for other series"
        )
    return torch.tensor(labels)


def read_net(blob: bytes) -> tuple[IntegerNet, float]:
    """The network in the file, and how many of the file's bits it takes."""
    decoder = Decoder(blob[CHECK_BYTES:])
    net = _code_net(decoder, None)
    return net, 8 * CHECK_BYTES + decoder.n_bits


def _code_labels(
    coder: Encoder | Decoder, frequencies: list[list[int]], labels: list[int]
) -> list[int]:
    return [
        coder.symbol([0, *accumulate(row)], label)
        for row, label in zip(frequencies, labels, strict=True)
    ]


def _code_net(coder: Encoder | Decoder, net: IntegerNet | None) -> IntegerNet:
    """Writes the network, or reads one: its shapes, two numbers of scale, then the integers."""
    numbers = IntegerCode(1)

    def number(value: int, *contexts: object) -> int:
        return numbers.code(coder, value, contexts or ("shape",))

    layers: list[Convolution] = []
    n_layers = number(len(net.layers) if net else 0)
    scale, scale_exponent = (
        number(v) for v in ((net.scale, net.scale_exponent) if net else (0, 0))
    )
    if not (1 <= n_layers <= MAX_LAYERS and scale > 0 and 0 <= scale_exponent <= LARGEST_EXPONENT):
        raise ValueError(IMPOSSIBLE)
    n_in = 1
    for i in range(n_layers):
        given = net.layers[i] if net else None
        shape = given.weight.shape if given else (0, 0, 0)
        n_out, kernel_size = number(shape[0]), number(shape[2])
        stride = number(given.stride if given else 0)
        exponent = number(given.bias_exponent if given else 0)
        n = n_out * n_in * kernel_size
        is_last = i == n_layers - 1
        if (
            min(n_out, kernel_size, stride) < 1
            or (kernel_size != 1 if is_last else kernel_size % 2 == 0)
            or n > MAX_WEIGHTS
            or abs(exponent) > LARGEST_EXPONENT
        ):
            raise ValueError(IMPOSSIBLE)
        old = given.weight.flatten().tolist() if given else [0] * n
        weight = torch.tensor([number(v, i) for v in old]).view(n_out, n_in, kernel_size)
        bias = [number(v, "bias") for v in (given.bias.tolist() if given else [0] * n_out)]
        layers.append(Convolution(weight, torch.tensor(bias), exponent, stride))
        n_in = n_out
    return IntegerNet(layers, scale, scale_exponent)


def _check(labels: list[int]) -> bytes:
    return zlib.crc32(bytes(labels)).to_bytes(4, "big")[:CHECK_BYTES]


@lru_cache(maxsize=1)
def _powers_of_two() -> list[int]:
    """Frequencies 2^12 * 2^(-t / 32), at least 1: decimal arithmetic is equal everywhere."""
    n_steps = PROBABILITY_STEPS * (LARGEST_FREQUENCY.bit_length() - 1)
    power = [Decimal(2) ** (Decimal(-t) / PROBABILITY_STEPS) for t in range(n_steps + 1)]
    return [max(1, round(LARGEST_FREQUENCY * p)) for p in power]
