"""First weights: large enough for the signal to get through, small enough not to blow up."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def he_(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Fills `weight` (out, in) in place from a normal of variance `2 / in`, made for ReLU.

    ReLU sets half of its inputs to zero; the 2 makes up for it.

    Source: He, Zhang, Ren & Sun, ICCV 2015.
    """
    _, fan_in = _fans(weight)
    drawn = torch.empty(weight.shape, dtype=weight.dtype)
    drawn.normal_(0, math.sqrt(2 / fan_in), generator=generator)
    with torch.no_grad():
        return weight.copy_(drawn)


def glorot_(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Fills `weight` (out, in) in place, uniform in +-sqrt(6 / (in + out)).

    Its variance `2 / (in + out)` is a compromise between the forward signal (`1 / in`) and the
    backward one (`1 / out`).

    Source: Glorot & Bengio, AISTATS 2010.
    """
    fan_out, fan_in = _fans(weight)
    bound = math.sqrt(6 / (fan_in + fan_out))
    drawn = torch.empty(weight.shape, dtype=weight.dtype)
    drawn.uniform_(-bound, bound, generator=generator)
    with torch.no_grad():
        return weight.copy_(drawn)


def _fans(weight: Tensor) -> tuple[int, int]:
    if weight.ndim != 2 or weight.numel() == 0:
        raise ValueError(
            f"the weight has shape {tuple(weight.shape)}, expected (outputs, inputs): biases "
            "start at zero"
        )
    return weight.shape[0], weight.shape[1]
