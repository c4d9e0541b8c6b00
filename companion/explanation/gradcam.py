"""Grad-CAM: where a layer's channels are active, weighted by what they do for the class."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion.explanation.scores import check_inputs, class_scores, input_gradient

MODES = {3: "linear", 4: "bilinear"}


def grad_cam(
    model: nn.Module, layer: nn.Module | str, x: Tensor, target: int | Tensor, *, upsample=True
) -> Tensor:
    """`relu(sum over channels of mean gradient * activation)` of a layer, (n, 1, h, w).

    `layer` is a module of the model, or its name; its output is (n, c, h, w) or (n, c, length).
    With `upsample` the map is stretched to the size of `x` by interpolation, which invents detail
    that the layer does not have; else it keeps the layer's size.

    Source: Selvaraju et al., ICCV 2017.

    Raises:
        ValueError: a layer that is not there, without positions, or without influence, or as in
            `saliency`.
    """
    x = check_inputs(model, x)
    layer = _find(model, layer)
    found: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        found.append(output)
        return output.clone()  # an in-place ReLU that follows must not change what was kept

    handle = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            # The parameters may be frozen; the input is what asks for a graph.
            scores = class_scores(model, x.clone().requires_grad_(), target)
    finally:
        handle.remove()
    if len(found) != 1 or found[0].ndim not in MODES or len(found[0]) != len(x):
        shapes = [tuple(output.shape) for output in found]
        raise ValueError(
            f"the layer gave {shapes}, expected one output (n, c, h, w) or (n, c, length): choose "
            "a convolution, before the positions are flattened or averaged away"
        )
    activation = found[0]
    gradient = input_gradient(scores, activation)
    weight = gradient.flatten(2).mean(2).view(*gradient.shape[:2], *[1] * (gradient.ndim - 2))
    cam = (weight * activation.detach()).sum(1, keepdim=True).relu()  # (n, c, ...) -> (n, 1, ...)
    if not upsample:
        return cam
    size = x.shape[2:]
    if len(size) != cam.ndim - 2:
        raise ValueError(
            f"the map of shape {tuple(cam.shape)} cannot be stretched to x of shape "
            f"{tuple(x.shape)}: use upsample=False"
        )
    return F.interpolate(cam, size, mode=MODES[cam.ndim], align_corners=False)


def _find(model: nn.Module, layer: nn.Module | str) -> nn.Module:
    modules = dict(model.named_modules()) if isinstance(model, nn.Module) else {}
    chosen = modules.get(layer) if isinstance(layer, str) else layer
    if not any(chosen is module for module in modules.values()):
        names = ", ".join(name for name in modules if name)
        raise ValueError(f"no layer {layer!r} in the model: there are {names or 'none'}")
    return chosen
