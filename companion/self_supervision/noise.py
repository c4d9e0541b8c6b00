"""Spoiling images, measuring how well they were restored, and two filters that learn nothing."""

from __future__ import annotations

import math
from numbers import Integral, Real

import torch
import torch.nn.functional as F
from torch import Tensor

from companion.self_supervision.inputs import check_generator, check_inputs

KINDS = ("gaussian", "salt_and_pepper", "masking")


def add_noise(
    x: Tensor, *, kind: str = "gaussian", amount: float, generator: torch.Generator
) -> Tensor:
    """Returns `x` (N, ...) with noise; `x` itself stays as it was.

    - "gaussian": adds normal noise with standard deviation `amount`, in the unit of `x`, and does
      not clip;
    - "salt_and_pepper": a share `amount` of the values becomes 0 or 1, with equal chance;
    - "masking": a share `amount` of the values becomes 0.

    Drawn on the generator's device, so one seed gives one noise on every device.

    Source: as a task to learn from: Vincent et al., ICML 2008.

    Raises:
        ValueError: an unknown kind, or an amount that is negative or a share above 1.
    """
    check_inputs(x, "x")
    check_generator(generator)
    if kind not in KINDS:
        raise ValueError(f"no noise {kind!r}: expected one of {', '.join(KINDS)}")
    highest = math.inf if kind == "gaussian" else 1
    if not isinstance(amount, Real) or not 0 <= amount <= highest or math.isinf(amount):
        expected = "a standard deviation of at least 0" if kind == "gaussian" else "0 to 1"
        raise ValueError(f"the amount of {kind} noise is {amount!r}, expected {expected}")
    where = generator.device
    if kind == "gaussian":
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=where)
        return x + amount * noise.to(x.device)
    draw = torch.rand(x.shape, generator=generator, device=where).to(x.device)
    if kind == "masking":
        return x.masked_fill(draw < amount, 0.0)
    return x.masked_fill(draw < amount, 1.0).masked_fill(draw < amount / 2, 0.0)


def psnr(output: Tensor, target: Tensor, *, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio in dB: `10 log10(peak^2 / mean squared error)`; inf where equal.

    The mean is over all values of all examples; `peak` is the largest value that can occur.
    Twice the squared error costs 3 dB.

    Raises:
        ValueError: shapes differ, nothing to compare, or a peak that is not above zero.
    """
    if output.shape != target.shape or output.numel() == 0:
        raise ValueError(
            f"the output has shape {tuple(output.shape)} and the target {tuple(target.shape)}, "
            "expected the same shape and at least one value"
        )
    if not 0 < peak < math.inf:
        raise ValueError(f"peak is {peak}, expected the largest possible value, above zero")
    error = (output - target).detach().cpu().double().square().mean().item()
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def median_filter(x: Tensor, size: int = 3) -> Tensor:
    """Replaces each pixel by the median of the `size` x `size` pixels around it.

    x (N, C, H, W); the image is mirrored at its border, without repeating the border itself.

    Raises:
        ValueError: `size` is not odd or too large, or `x` is not (N, C, H, W).
    """
    if not isinstance(size, Integral) or size < 1 or size % 2 == 0:
        raise ValueError(f"size is {size!r}, expected an odd number of pixels: 3, 5, ...")
    padded = _mirrored(x, size // 2)
    windows = padded.unfold(2, size, 1).unfold(3, size, 1)  # (N, C, H, W, size, size)
    return windows.flatten(4).median(4).values


def gaussian_filter(x: Tensor, sigma: float) -> Tensor:
    """Blurs with a normal window of standard deviation `sigma` pixels, cut off at four of them.

    x (N, C, H, W); the image is mirrored at its border, without repeating the border itself.

    Raises:
        ValueError: `sigma` is not above zero or too large for the image.
    """
    if not 0 < sigma < math.inf:
        raise ValueError(f"sigma is {sigma!r}, expected a width in pixels above zero")
    radius = int(4 * sigma + 0.5)
    padded = _mirrored(x, radius)
    place = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    window = torch.exp(-(place**2) / (2 * sigma**2))
    window = window / window.sum()
    n, n_channels, height, width = x.shape
    one = padded.reshape(-1, 1, *padded.shape[2:])  # (N C, 1, ...): each channel by itself
    one = F.conv2d(F.conv2d(one, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
    return one.view(n, n_channels, height, width)


def _mirrored(x: Tensor, margin: int) -> Tensor:
    if x.ndim != 4 or margin >= min(x.shape[2:]):
        raise ValueError(
            f"x has shape {tuple(x.shape)}, expected images (N, C, H, W) of more than {margin} "
            "pixels each way, the reach of this filter"
        )
    return F.pad(x, (margin,) * 4, mode="reflect")
