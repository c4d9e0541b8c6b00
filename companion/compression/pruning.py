"""Small weights set to zero, and kept there.  Masks are bool, True = kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, nn

from companion.compression.layers import check_floats, weighted_layers
from companion.data import Dataset
from companion.metrics import accuracy
from companion.training import predict

SCOPES = ("layer", "global")


def magnitude_mask(weight: Tensor, density: float) -> Tensor:
    """Mask of the `round(density * n)` largest |weight|; of equal ones the first are kept.

    Source: Han, Pool, Tran & Dally, NIPS 28, 2015.

    Raises:
        ValueError: a density outside (0, 1] or one that leaves nothing, nan, inf, no weights.
    """
    check_floats(weight, "weight")
    n_kept = round(_check_density(density) * weight.numel())
    if n_kept == 0:
        raise ValueError(f"density {density} of {weight.numel()} weights rounds to none kept")
    return _largest(weight.detach().abs(), n_kept)


def prunable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The weights of Linear and Conv layers, by the name of the layer."""
    return {name: layer.weight for name, layer in weighted_layers(model).items()}


def pruning_masks(
    model: nn.Module,
    density: float | Mapping[str, float],
    *,
    scope: str = "layer",
    keep_at_least: int = 1,
) -> dict[str, Tensor]:
    """A magnitude mask for each prunable layer.

    With scope "layer" each keeps the same share of its own weights, or what `density` says for the
    layers that it names; with "global" all weights compete.  No layer keeps fewer than
    `keep_at_least` weights (all, where it has fewer): an emptied one would make the network
    constant.

    Raises:
        ValueError: a density outside (0, 1], an unknown scope or layer, nan, inf.
    """
    weights = {
        name: check_floats(weight, f"the weight of {name!r}").detach().abs()
        for name, weight in prunable(model).items()
    }
    if scope not in SCOPES:
        raise ValueError(f"scope is {scope!r}, expected one of {', '.join(SCOPES)}")
    if not isinstance(keep_at_least, Integral) or keep_at_least < 1:
        raise ValueError(f"keep_at_least is {keep_at_least!r}, expected an integer of at least 1")
    if not isinstance(density, Mapping):
        density = dict.fromkeys(weights, density)
    elif scope == "global":
        raise ValueError("a density for each layer goes with scope='layer'; global has one for all")
    _check_names(density, weights)
    for share in density.values():
        _check_density(share)
    least = {name: min(keep_at_least, w.numel()) for name, w in weights.items()}
    if scope == "layer":
        return {
            name: _largest(weights[name], max(round(share * weights[name].numel()), least[name]))
            for name, share in density.items()
        }
    safe = {n: torch.where(_largest(w, least[n]), torch.inf, w) for n, w in weights.items()}
    everything = torch.cat([w.flatten() for w in safe.values()])
    share = next(iter(density.values()))
    kept = _largest(everything, max(round(share * len(everything)), sum(least.values())))
    parts = kept.split([w.numel() for w in safe.values()])
    return {name: part.view_as(safe[name]) for name, part in zip(safe, parts, strict=True)}


class Pruner:
    """Sets the weights outside the masks to zero, and holds them there while the model trains.

    An optimizer moves a pruned weight back: momentum and Adam's averages remember old gradients.
    `attach` hooks into its steps and returns it, so that a factory for `companion.training.fit` is
    `lambda params: pruner.attach(torch.optim.AdamW(params))`.

    Raises:
        ValueError: masks of layers that are not there, of another shape, or not bool.
    """

    def __init__(self, model: nn.Module, masks: Mapping[str, Tensor]) -> None:
        self.model = model
        self.masks = self._checked(masks)
        self._handles: list[Any] = []
        self.apply_()

    def _checked(self, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        weights = prunable(self.model)
        if not masks:
            raise ValueError("there are no masks: pruning_masks(model, density) makes them")
        _check_names(masks, weights)
        for name, mask in masks.items():
            if mask.dtype != torch.bool or mask.shape != weights[name].shape:
                raise ValueError(
                    f"the mask of {name!r} is {mask.dtype} {tuple(mask.shape)}, expected "
                    f"torch.bool {tuple(weights[name].shape)} with True = kept"
                )
        return {name: mask.clone() for name, mask in masks.items()}

    @torch.no_grad()
    def apply_(self) -> None:
        """Sets the pruned weights to zero, and their gradients where there are any."""
        weights = prunable(self.model)
        for name, mask in self.masks.items():
            weight = weights[name]
            is_pruned = ~mask.to(weight.device)
            weight.masked_fill_(is_pruned, 0.0)
            if weight.grad is not None:
                weight.grad.masked_fill_(is_pruned, 0.0)

    def attach(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Applies the masks before and after each of the optimizer's steps.

        Raises:
            ValueError: the optimizer does not hold a pruned weight that is trained.
        """
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        weights = prunable(self.model)
        for name in self.masks:
            if weights[name].requires_grad and id(weights[name]) not in held:
                raise ValueError(
                    f"the optimizer does not hold the weight of {name!r}: was it made for another "
                    "model, or before this one was changed?  Make a new optimizer"
                )
        for register in (optimizer.register_step_pre_hook, optimizer.register_step_post_hook):
            self._handles.append(register(lambda *_: self.apply_()))
        return optimizer

    def detach(self) -> None:
        """Leaves all optimizers: from here on pruned weights may come back."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def update(self, masks: Mapping[str, Tensor]) -> None:
        """Prunes further.

        Raises:
            ValueError: a pruned weight would come back, or as in `Pruner`.
        """
        masks = self._checked(masks)
        for name, old in self.masks.items():
            new = masks.get(name, torch.ones_like(old))
            n_back = int((new & ~old.to(new.device)).sum())
            if n_back:
                raise ValueError(
                    f"{n_back} pruned weights of {name!r} would come back: masks only shrink"
                )
        self.masks = masks
        self.apply_()

    def density(self) -> float:
        """Share of the masked layers' weights that is kept."""
        n_kept = sum(int(mask.sum()) for mask in self.masks.values())
        return n_kept / sum(mask.numel() for mask in self.masks.values())


def sensitivity(
    model: nn.Module,
    data: Dataset,
    densities: Iterable[float],
    *,
    metric: Callable[[Tensor, Tensor], float] = accuracy,
) -> dict[str, dict[float, float]]:
    """`metric(predicted, targets)` with one layer pruned alone: `result[layer][density]`.

    The data are validation data: what is chosen with them is no longer measured by them.  The
    model itself is left as it is.

    Raises:
        ValueError: as in `magnitude_mask`, or no examples.
    """
    densities, model = list(densities), copy.deepcopy(model)
    scores: dict[str, dict[float, float]] = {}
    for name, weight in prunable(model).items():
        original, scores[name] = weight.detach().clone(), {}
        for density in densities:
            with torch.no_grad():
                weight.mul_(magnitude_mask(weight, density))
                predicted = predict(model, data.inputs).argmax(1).to(data.targets.device)
                weight.copy_(original)
            scores[name][density] = metric(predicted, data.targets)
    return scores


def gradual_density(step: int, n_steps: int, final: float, initial: float = 1.0) -> float:
    """Density after `step` of `n_steps`: `final + (initial - final) * (1 - step / n_steps)^3`.

    Source: Zhu & Gupta 2017 (from memory, unverified).

    Raises:
        ValueError: densities outside (0, 1] or that grow, or steps outside 0 ... n_steps.
    """
    if not _check_density(final) <= _check_density(initial):
        raise ValueError(f"the density would grow from {initial} to {final}")
    if not n_steps >= 1 or not 0 <= step <= n_steps:
        raise ValueError(f"step is {step!r} of {n_steps!r}, expected 0 <= step <= n_steps")
    return final + (initial - final) * (1 - step / n_steps) ** 3


def _largest(values: Tensor, n: int) -> Tensor:
    order = values.flatten().argsort(descending=True, stable=True)
    mask = torch.zeros(values.numel(), dtype=torch.bool, device=values.device)
    mask[order[:n]] = True
    return mask.view_as(values)


def _check_density(density: float) -> float:
    is_share = isinstance(density, Real) and not isinstance(density, bool) and 0 < density <= 1
    if not is_share:
        raise ValueError(
            f"density is {density!r}, expected a share in (0, 1]: the part that is kept (density 0 "
            "leaves nothing; a sparsity s is the density 1 - s)"
        )
    return density


def _check_names(names: Iterable[str], layers: Mapping[str, Any]) -> None:
    for name in names:
        if name not in layers:
            raise ValueError(f"no prunable layer {name!r}: there are {', '.join(layers)}")
