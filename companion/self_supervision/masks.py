"""Hiding a part of the input, and the loss on what was hidden.  Masks are bool, True = hidden."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor

from companion.self_supervision.inputs import check_generator, check_share


def random_mask(shape: Sequence[int], share: float, *, generator: torch.Generator) -> Tensor:
    """Hides each value with probability `share`, independently of all others.

    Returns a bool mask of `shape`, on the generator's device.  For images of several channels,
    `shape` (N, 1, H, W) hides whole pixels.

    Raises:
        ValueError: `share` is not between 0 and 1, or there is no generator.
    """
    check_share("share", share)
    check_generator(generator)
    return torch.rand(tuple(shape), generator=generator, device=generator.device) < share


def patch_mask(
    shape: Sequence[int], *, patch: int, share: float, generator: torch.Generator
) -> Tensor:
    """Cuts each image into tiles of `patch` x `patch` pixels and hides `round(share * n_tiles)`.

    `shape` is (N, C, H, W); returns (N, 1, H, W): a pixel is hidden in all of its channels.  A
    single hidden pixel is read off from its neighbours; a hidden tile has to be understood.

    Source: He et al., CVPR 2022; with a single region Pathak et al., CVPR 2016.

    Raises:
        ValueError: `patch` does not divide H and W, or the share hides no tile or every tile.
    """
    check_share("share", share)
    check_generator(generator)
    if len(shape) != 4:
        raise ValueError(f"shape is {tuple(shape)}, expected that of images (N, C, H, W)")
    n, _, height, width = shape
    if not isinstance(patch, Integral) or patch < 1 or height % patch or width % patch:
        raise ValueError(
            f"patch is {patch!r}, expected an integer that divides the height {height} and the "
            f"width {width} (28 x 28 pixels: 2, 4, 7 or 14)"
        )
    rows, columns = height // patch, width // patch
    n_hidden = round(share * rows * columns)
    if not 0 < n_hidden < rows * columns:
        raise ValueError(
            f"a share of {share} of {rows * columns} tiles rounds to {n_hidden} hidden ones: "
            "choose a smaller patch, or a share that hides some and leaves some"
        )
    draws = torch.rand((n, rows * columns), generator=generator, device=generator.device)
    is_hidden = torch.zeros_like(draws, dtype=torch.bool)
    is_hidden.scatter_(1, draws.argsort(1)[:, :n_hidden], True)
    tiles = is_hidden.view(n, 1, rows, columns)
    return tiles.repeat_interleave(patch, 2).repeat_interleave(patch, 3)  # (N, 1, H, W)


def stretch_mask(shape: Sequence[int], *, length: int, generator: torch.Generator) -> Tensor:
    """Hides one stretch of `length` neighbouring points in each series, at a random place.

    `shape` is (N, L), or (N, C, L) and then the mask is (N, 1, L).

    Raises:
        ValueError: the stretch has no points or leaves none.
    """
    check_generator(generator)
    if len(shape) not in (2, 3):
        raise ValueError(f"shape is {tuple(shape)}, expected that of series (N, L) or (N, C, L)")
    n, n_points = shape[0], shape[-1]
    if not isinstance(length, Integral) or not 0 < length < n_points:
        raise ValueError(
            f"length is {length!r}, expected an integer from 1 to {n_points - 1}: the stretch "
            f"lies within a series of {n_points} points and leaves some of it to see"
        )
    where = generator.device
    first = torch.randint(n_points - length + 1, (n, 1), generator=generator, device=where)
    place = torch.arange(n_points, device=where)
    mask = (place >= first) & (place < first + length)  # (N, L)
    return mask.unsqueeze(1) if len(shape) == 3 else mask


def masked_mse(output: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean of `(output - target)^2` over the hidden values only: a scalar.

    `mask` is bool, True = hidden, of the shape of `target` or with 1 where it is the same along an
    axis (channels).  The visible values are in the input: a loss on them rewards copying.

    Raises:
        ValueError: shapes that do not fit, a mask that is not bool, or nothing hidden.
    """
    if output.shape != target.shape:
        raise ValueError(
            f"the output has shape {tuple(output.shape)} and the target {tuple(target.shape)}: "
            "a model that fills gaps gives back the shape it was asked about"
        )
    hidden = check_mask(mask, target, is_all_allowed=True)
    if not hidden.any():
        raise ValueError("nothing is hidden (True = hidden): there is nothing to take a mean of")
    return (output - target)[hidden].square().mean()


def hide(x: Tensor, mask: Tensor, *, fill: float = 0.0) -> Tensor:
    """Puts `fill` where the mask is True; `x` itself stays as it was.

    Raises:
        ValueError: the mask does not fit, is not bool, or hides everything.
    """
    return x.masked_fill(check_mask(mask, x), fill)


def with_mask_channel(x: Tensor, mask: Tensor, *, fill: float = 0.0) -> Tensor:
    """The input with `fill` in its gaps, and the mask as one further channel (1 = hidden).

    x (N, C, ...), mask (N, 1, ...); returns (N, C + 1, ...).  Series and tables (N, D) become
    (N, 2, D).  Without that channel a hidden pixel looks like a black one.

    Raises:
        ValueError: the mask does not fit, is not bool, hides everything, or differs by channel.
    """
    if x.ndim == 2:
        x, mask = x.unsqueeze(1), mask.unsqueeze(1)  # (N, D) -> (N, 1, D)
    filled = hide(x, mask, fill=fill)
    if mask.shape[1] != 1:
        raise ValueError(
            f"the mask has {mask.shape[1]} channels, expected 1: one further channel tells for "
            "each position whether it is hidden"
        )
    channel = mask.to(x.device, x.dtype).expand(len(x), 1, *x.shape[2:])
    return torch.cat([filled, channel], dim=1)


def check_mask(mask: Tensor, x: Tensor, *, is_all_allowed: bool = False) -> Tensor:
    """The mask on the device and of the shape of `x`, or a ValueError that says what is wrong."""
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        got = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise ValueError(
            f"the mask is {got}, expected torch.bool with True = hidden (numbers leave open which "
            "of 0 and 1 is hidden: use mask == 1)"
        )
    fits = mask.ndim == x.ndim and all(
        m in (1, size) for m, size in zip(mask.shape, x.shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"the mask has shape {tuple(mask.shape)} and the data {tuple(x.shape)}: expected the "
            "same shape, or 1 along an axis (for images (N, 1, H, W), not (N, H, W))"
        )
    if not is_all_allowed and mask.all():
        raise ValueError(
            "the mask hides everything (True = hidden): nothing is left to predict from (was the "
            "mask of visible values meant? use ~mask)"
        )
    return mask.to(x.device).expand_as(x)
