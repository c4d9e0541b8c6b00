"""The randomization check: a map that survives random weights does not explain the weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from numbers import Integral

import torch
from torch import Tensor, nn

Method = Callable[[nn.Module, Tensor, "int | Tensor"], Tensor]


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's correlation of each example's values in `a` and `b` (n, ...): (n,).

    Equal values share the mean of their ranks.

    Raises:
        ValueError: other shapes, nan, or an example whose values are all equal.
    """
    if a.shape != b.shape or a.ndim < 2 or a[0].numel() < 2:
        raise ValueError(
            f"a has shape {tuple(a.shape)} and b {tuple(b.shape)}, expected two maps of the same "
            "shape (n, ...) with at least two values for each example"
        )
    left, right = (_ranks(x.detach().flatten(1)) for x in (a, b))
    left, right = (r - r.mean(1, keepdim=True) for r in (left, right))
    norm = left.norm(dim=1) * right.norm(dim=1)
    if bool((norm == 0).any()):
        raise ValueError(
            f"the map of example {int((norm == 0).int().argmax())} is constant, so it has no ranks "
            "(a dead network, a baseline equal to the input?)"
        )
    return (left * right).sum(1) / norm


def randomized(
    model: nn.Module, *, layers: str | Sequence[str] = "last", seed: int = 0
) -> nn.Module:
    """A copy whose layers were set anew by their own `reset_parameters`; the same on every device.

    `layers` is "last" (the one registered last), "all", or a list of names.

    Raises:
        ValueError: a name that is not there or cannot be reset, or a model without such layers.
    """
    model = copy.deepcopy(model)
    there = {
        name: module
        for name, module in model.named_modules()
        if hasattr(module, "reset_parameters") and any(True for _ in module.parameters(False))
    }
    if not there:
        raise ValueError("no layer of the model has parameters and a reset_parameters()")
    if layers == "last":
        names = list(there)[-1:]
    elif layers == "all":
        names = list(there)
    else:
        names = [layers] if isinstance(layers, str) else list(layers)
    if not names or any(name not in there for name in names):
        raise ValueError(
            f"layers is {layers!r}, expected 'last', 'all' or a list of these names: "
            f"{', '.join(there)}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in names:
            device = next(there[name].parameters(False)).device
            there[name].cpu().reset_parameters()
            there[name].to(device)
    return model


def randomization_check(
    model: nn.Module,
    x: Tensor,
    target: int | Tensor,
    method: Method,
    *,
    layers: str | Sequence[str] = "last",
    seeds: Sequence[int] = (0, 1, 2),
    absolute: bool = False,
) -> Tensor:
    """Mean rank correlation over the examples of maps before and after randomizing: (n_seeds,).

    `method(model, x, target)` gives maps of the shape of `x`.  Near 0 the map depends on the
    weights that were lost; near 1 it would have looked the same without them.  `absolute` compares
    |maps|, in which inputs that are blank everywhere agree by themselves.

    Source: Adebayo et al., NeurIPS 2018.

    Raises:
        ValueError: no seeds, or as in `randomized` and `rank_correlation`.
    """
    if not len(seeds) or not all(isinstance(seed, Integral) for seed in seeds):
        raise ValueError(f"seeds is {seeds!r}, expected at least one integer")

    def maps(net: nn.Module) -> Tensor:
        found = method(net, x, target).detach()
        return found.abs() if absolute else found

    before = maps(model)
    found = [
        rank_correlation(before, maps(randomized(model, layers=layers, seed=seed))).mean()
        for seed in seeds
    ]
    return torch.stack(found)


def _ranks(values: Tensor) -> Tensor:
    """Ranks of each row (n, p), from 0, the mean of them where values are equal."""
    if not bool(torch.isfinite(values).all()):
        raise ValueError("a map holds nan or inf, which have no rank")
    ordered, values = values.sort(1).values, values.contiguous()
    first = torch.searchsorted(ordered, values)
    after = torch.searchsorted(ordered, values, right=True)
    # Apple's GPU has no float64.
    kind = torch.float32 if values.device.type == "mps" else torch.float64
    return (first + after - 1).to(kind) / 2
