"""What the label-free routines take: inputs alone."""

from __future__ import annotations

import torch
from torch import Tensor

from companion.data import Dataset


def check_inputs(x: Tensor, name: str = "data") -> Tensor:
    """Returns `x` when it is a floating-point tensor (N, ...) of N > 0 finite examples.

    Raises:
        ValueError: a data set with its labels, labels alone, no examples, nan or inf.
    """
    if isinstance(x, Dataset):
        raise ValueError(
            f"{name} is a Dataset with labels, and this routine learns without labels: pass its "
            "inputs (data.inputs), so that no label can leak in"
        )
    if not isinstance(x, Tensor):
        raise ValueError(f"{name} is a {type(x).__name__}, expected a tensor of inputs (N, ...)")
    if not x.is_floating_point():
        raise ValueError(
            f"{name} is {x.dtype} of shape {tuple(x.shape)}, expected floating-point inputs: were "
            "labels passed to a routine that learns without them? (bytes: x.float() / 255)"
        )
    if x.ndim < 2 or x[:1].numel() == 0:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}, expected (N, ...) with at least one example, and "
            "unsqueeze(0) for a single one"
        )
    n_bad = int((~torch.isfinite(x)).flatten(1).any(1).sum())
    if n_bad:
        raise ValueError(
            f"{n_bad} of {len(x)} examples of {name} hold nan or inf: a missing value is marked in "
            "a mask (True = hidden), and any finite number stands in its place"
        )
    return x


def check_generator(generator: torch.Generator) -> torch.Generator:
    """Refuses a missing generator: what is drawn at random is drawn from a stated seed."""
    if not isinstance(generator, torch.Generator):
        raise ValueError(
            f"generator is {generator!r}, expected a torch.Generator: "
            "torch.Generator().manual_seed(0)"
        )
    return generator


def check_share(name: str, share: float) -> float:
    """Refuses shares outside (0, 1)."""
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise ValueError(
            f"{name} is {share!r}, expected a share between 0 and 1: at 0 there is nothing to "
            "predict, at 1 nothing to predict it from (is it in percent?)"
        )
    return share
