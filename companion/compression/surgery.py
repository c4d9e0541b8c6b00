"""Channels and units that are really taken out, so that the network is smaller and faster."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

Cut = (nn.Linear, nn.Conv1d, nn.Conv2d)
Norm = (nn.BatchNorm1d, nn.BatchNorm2d)
# Layers that treat each channel, or each value, alone: what they do is the same without the others.
PASSING = (
    nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Identity,
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Flatten,
    nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d,
)  # fmt: skip


def channel_norms(layer: nn.Module) -> Tensor:
    """Euclidean norm of the weights of each output channel or unit, (out,).

    Source: Li et al., ICLR 2017, with absolute values (from memory, unverified).
    """
    return layer.weight.detach().flatten(1).norm(dim=1)


def remove_channels(model: nn.Sequential, name: str, keep: Sequence[int] | Tensor) -> nn.Sequential:
    """A new network without the other outputs of layer `name`; `keep` holds indices or a bool mask.

    The layer loses rows, batch norm behind it their entries, and the next Linear or Conv the
    columns that read them, through activations, pooling and Flatten.  The result computes what the
    model computes when the removed channels are zero where the next layer reads them.  Its
    parameters are new: make a new optimizer for them.

    Raises:
        ValueError: a model that is no Sequential, an unknown name, the last layer, nothing or
            something unknown to keep, groups, or a layer that mixes channels in between.
    """
    if not isinstance(model, nn.Sequential):
        raise ValueError(
            f"the model is a {type(model).__name__}, expected an nn.Sequential: only there is it "
            "known which layer reads which"
        )
    model = copy.deepcopy(model)
    layers = dict(model.named_children())
    if not isinstance(layers.get(name), Cut):
        names = ", ".join(n for n, layer in layers.items() if isinstance(layer, Cut))
        raise ValueError(f"no Linear, Conv1d or Conv2d named {name!r}: there are {names}")
    first = layers[name]
    n_outputs = first.weight.shape[0]
    kept = _indices(keep, n_outputs).to(first.weight.device)
    followers = list(layers.items())[list(layers).index(name) + 1 :]
    is_flat = isinstance(first, nn.Linear)
    _check_groups(name, first)
    for follower, layer in followers:
        if isinstance(layer, Norm):
            _cut_norm(layer, _features(kept, n_outputs, layer.num_features))
        elif isinstance(layer, Cut):
            if isinstance(layer, nn.Linear) and not is_flat:
                raise ValueError(
                    f"{follower!r} is a Linear on images or series: Flatten is missing"
                )
            _check_groups(follower, layer)
            _cut_inputs(layer, _features(kept, n_outputs, layer.weight.shape[1]))
            _cut_outputs(first, kept)
            return model
        elif not isinstance(layer, PASSING):
            raise ValueError(
                f"{follower!r} is a {type(layer).__name__}, which may mix channels: what a removed "
                "one did cannot be followed through it"
            )
        is_flat = is_flat or isinstance(layer, nn.Flatten)
    raise ValueError(f"{name!r} is the last layer: its outputs are those of the network")


def _indices(keep: Sequence[int] | Tensor, n: int) -> Tensor:
    index = torch.as_tensor(keep).cpu()
    if index.dtype == torch.bool and index.shape == (n,):
        index = index.nonzero().flatten()
    if index.numel() == 0:
        raise ValueError(f"nothing of {n} channels is kept: the network would be constant")
    is_index = index.dtype in (torch.int64, torch.int32) and index.ndim == 1
    if not is_index or index.min() < 0 or index.max() >= n or len(index.unique()) < len(index):
        raise ValueError(
            f"keep is {keep}, expected different indices 0 to {n - 1} or a mask ({n},)"
        )
    return index.long().sort().values


def _features(kept: Tensor, n_channels: int, n_features: int) -> Tensor:
    """Indices of the values that kept channels have after Flatten: each is `factor` in a row."""
    factor = n_features // n_channels
    return (kept[:, None] * factor + torch.arange(factor, device=kept.device)).flatten()


def _cut_outputs(layer: nn.Module, kept: Tensor) -> None:
    _keep(layer, ("weight", "bias"), kept)
    setattr(layer, "out_features" if isinstance(layer, nn.Linear) else "out_channels", len(kept))


def _cut_inputs(layer: nn.Module, kept: Tensor) -> None:
    _keep(layer, ("weight",), kept, axis=1)
    setattr(layer, "in_features" if isinstance(layer, nn.Linear) else "in_channels", len(kept))


def _cut_norm(layer: nn.Module, kept: Tensor) -> None:
    _keep(layer, ("weight", "bias", "running_mean", "running_var"), kept)
    layer.num_features = len(kept)


def _keep(layer: nn.Module, names: Sequence[str], kept: Tensor, axis: int = 0) -> None:
    for name in names:
        old = getattr(layer, name)
        if old is None:
            continue
        new = old.detach().index_select(axis, kept)
        is_parameter = isinstance(old, nn.Parameter)
        setattr(layer, name, nn.Parameter(new, old.requires_grad) if is_parameter else new)


def _check_groups(name: str, layer: nn.Module) -> None:
    if getattr(layer, "groups", 1) != 1:
        raise ValueError(f"{name!r} has {layer.groups} groups, expected 1")
