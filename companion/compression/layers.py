"""The layers whose weights are compressed: linear ones and convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def weighted_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Linear and Conv layers by their name in the model; weights (out, in / groups, ...).

    Raises:
        ValueError: there are none.
    """
    layers = {name: m for name, m in model.named_modules() if isinstance(m, WEIGHTED)}
    if not layers:
        raise ValueError(
            f"{type(model).__name__} has no Linear or Conv layer, so there is nothing to compress "
            "(layers in a plain Python list are not registered: use nn.ModuleList)"
        )
    return layers


def check_floats(x: Tensor, name: str) -> Tensor:
    """Returns `x` when it holds floating-point values that are all finite, in float32 as well."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"{name} is {kind}, expected a floating-point tensor: use x.float()")
    if x.numel() == 0:
        raise ValueError(f"{name} has shape {tuple(x.shape)}: it is empty")
    n_bad = int((~torch.isfinite(x.detach().float())).sum())
    if n_bad:
        raise ValueError(
            f"{n_bad} of {x.numel()} values of {name} are nan or inf: did the training diverge?"
        )
    return x
