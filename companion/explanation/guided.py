"""Guided backpropagation: sharp maps that hardly depend on the model.  Here it is the control."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from companion.explanation.scores import check_inputs, class_scores, input_gradient


def guided_backpropagation(model: nn.Module, x: Tensor, target: int | Tensor) -> Tensor:
    """The gradient of the logit, with negative parts cut off behind every `nn.ReLU`: as `x`.

    The hooks go into a copy, so the model itself is left alone.  `F.relu` cannot be reached.

    Source: Springenberg, Dosovitskiy, Brox & Riedmiller, arXiv:1412.6806 (from memory, unverified).

    Raises:
        ValueError: a model without `nn.ReLU`, or as in `saliency`.
    """
    x = check_inputs(model, x)
    if not isinstance(model, nn.Module) or not any(
        isinstance(module, nn.ReLU) for module in model.modules()
    ):
        raise ValueError(
            "guided backpropagation changes nn.ReLU modules, and the model has none: F.relu and "
            "torch.relu inside forward cannot be reached"
        )
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # a backward hook needs the input as it was
            module.register_full_backward_hook(_keep_positive)
    with torch.enable_grad():
        x = x.clone().requires_grad_()
        return input_gradient(class_scores(model, x, target), x)


def _keep_positive(
    module: nn.Module, gradient_in: tuple[Tensor, ...], gradient_out: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    return tuple(g.clamp(min=0) for g in gradient_in)
