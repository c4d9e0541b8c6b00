"""Two views of one image are more alike than views of two images."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion.self_supervision.inputs import check_generator


def nt_xent(z1: Tensor, z2: Tensor, *, temperature: float = 0.5) -> Tensor:
    """Cross-entropy of finding each view's partner among all other views: a scalar, in nats.

    `z1`, `z2` (N, D): row i of both belongs to example i.  For each of the 2N views the candidates
    are the 2N - 1 others, their logits cosine / `temperature`; the mean is over the 2N views.  A
    network that tells nothing apart pays log(2N - 1).

    Source: Chen et al., ICML 2020 (from memory, unverified).

    Raises:
        ValueError: shapes differ or are not (N, D) with N >= 2, or a temperature not above zero.
    """
    if z1.shape != z2.shape or z1.ndim != 2 or len(z1) < 2:
        raise ValueError(
            f"z1 has shape {tuple(z1.shape)} and z2 {tuple(z2.shape)}, expected (N, D) for both "
            "with N of at least 2: a lone example has nothing to be told apart from"
        )
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature is {temperature}, expected a finite number above zero")
    n = len(z1)
    z = F.normalize(torch.cat([z1, z2]), dim=1)  # (2N, D)
    logits = z @ z.T / temperature  # (2N, 2N)
    itself = torch.eye(2 * n, dtype=torch.bool, device=z.device)
    partner = torch.arange(2 * n, device=z.device).roll(n)
    return F.cross_entropy(logits.masked_fill(itself, -math.inf), partner)


def warp(
    x: Tensor,
    generator: torch.Generator,
    *,
    shift: float = 3.0,
    rotate: float = 15.0,
    scale: float = 0.15,
    shear: float = 0.0,
) -> Tensor:
    """A random affine view of each image: moved, turned, scaled and slanted, each within a bound.

    x (N, C, H, W).  `shift` in pixels in both directions, `rotate` in degrees, `scale` and `shear`
    as shares; each image draws its own values uniformly between minus and plus the bound.  Pixels
    from outside are 0; values between pixels are interpolated.  Fits `augment` of `fit`.

    Raises:
        ValueError: `x` is not (N, C, H, W), a bound is negative, or a scale of 1 or more.
    """
    check_generator(generator)
    bounds = {"shift": shift, "rotate": rotate, "scale": scale, "shear": shear}
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(
            f"x is {x.dtype} of shape {tuple(x.shape)}, expected floating-point images (N, C, H, W)"
        )
    for name, bound in bounds.items():
        if not 0 <= bound < (1 if name == "scale" else math.inf):
            raise ValueError(
                f"{name} is {bound}, expected a bound of at least 0"
                + (" and below 1" if name == "scale" else "")
            )
    draws = torch.rand((len(x), 5), generator=generator, device=generator.device)
    dx, dy, angle, zoom, slant = (2 * draws - 1).to(x).unbind(1)  # each (N,) in -1 ... 1
    angle = angle * math.radians(rotate)
    factor, slant = 1 / (1 + zoom * scale), slant * shear
    height, width = x.shape[2:]
    cos, sin = factor * angle.cos(), factor * angle.sin()
    # Where each pixel of the view comes from, in pixels about the centre: (N, 2, 3).
    rows = [
        torch.stack([cos, slant * cos - sin, dx * shift], dim=1),
        torch.stack([sin, slant * sin + cos, dy * shift], dim=1),
    ]
    # affine_grid measures each axis in halves of the image: pixels = unit * size / 2.
    size = x.new_tensor([width, height]) / 2
    units = torch.cat([size.expand(2, 2) / size[:, None], 1 / size[:, None]], dim=1)  # (2, 3)
    theta = torch.stack(rows, dim=1) * units
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def projector(n_code: int = 64, n_hidden: int = 128, n_out: int = 64) -> nn.Sequential:
    """The two layers between the code and the views that are compared; thrown away afterwards.

    What makes views alike would also erase what a later task needs, so the loss is taken behind
    these layers: `nn.Sequential(encoder, projector())`.

    Source: Chen et al., ICML 2020 (from memory, unverified).
    """
    return nn.Sequential(nn.Linear(n_code, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_out))
