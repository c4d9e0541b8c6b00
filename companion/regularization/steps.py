"""Two steps of Adam that use the same coefficient and do different things with it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from companion.regularization.penalties import check_at_least_0


def adam_l2_step(
    weight: Tensor,
    gradient: Tensor,
    state: dict[str, Any],
    *,
    lr: float,
    weight_decay: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> None:
    """One step of Adam on loss + L2: `weight_decay * weight` joins the gradient, then Adam divides.

    Changes `weight` and `state` (a dict, empty before the first step) in place; twin of
    `torch.optim.Adam(weight_decay=...)`.

    Source: Kingma & Ba, ICLR 2015; called L2 in Loshchilov & Hutter, ICLR 2019.

    Raises:
        ValueError: a coefficient is out of range, or the gradient is missing or of another shape.
    """
    _check_step(weight, gradient, state, lr=lr, weight_decay=weight_decay, betas=betas, eps=eps)
    with torch.no_grad():
        _adam_step(weight, gradient + weight_decay * weight, state, lr, betas, eps)


def adamw_step(
    weight: Tensor,
    gradient: Tensor,
    state: dict[str, Any],
    *,
    lr: float,
    weight_decay: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> None:
    """One step of AdamW: the weight shrinks by the share `lr * weight_decay`, then Adam's step.

    Changes `weight` and `state` (a dict, empty before the first step) in place; twin of
    `torch.optim.AdamW`.

    Source: Loshchilov & Hutter, ICLR 2019.

    Raises:
        ValueError: a coefficient is out of range, or the gradient is missing or of another shape.
    """
    _check_step(weight, gradient, state, lr=lr, weight_decay=weight_decay, betas=betas, eps=eps)
    with torch.no_grad():
        weight.mul_(1 - lr * weight_decay)
        _adam_step(weight, gradient, state, lr, betas, eps)


def _adam_step(
    weight: Tensor,
    gradient: Tensor,
    state: dict[str, Any],
    lr: float,
    betas: tuple[float, float],
    eps: float,
) -> None:
    if not state:
        state |= {"step": 0, "mean": torch.zeros_like(weight), "square": torch.zeros_like(weight)}
    state["step"] += 1
    beta1, beta2 = betas
    state["mean"].mul_(beta1).add_((1 - beta1) * gradient)
    state["square"].mul_(beta2).add_((1 - beta2) * gradient**2)
    mean = state["mean"] / (1 - beta1 ** state["step"])  # both began at zero
    square = state["square"] / (1 - beta2 ** state["step"])
    weight.sub_(lr * mean / (square.sqrt() + eps))


def _check_step(
    weight: Tensor,
    gradient: Tensor,
    state: dict[str, Any],
    *,
    lr: float,
    weight_decay: float,
    betas: tuple[float, float],
    eps: float,
) -> None:
    for name, value in (("lr", lr), ("weight_decay", weight_decay), ("eps", eps)):
        check_at_least_0(name, value)
    if not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas are {betas}, expected two numbers in [0, 1)")
    if gradient is None or gradient.shape != weight.shape:
        got = "None" if gradient is None else f"of shape {tuple(gradient.shape)}"
        raise ValueError(
            f"the gradient is {got}, its weight has shape {tuple(weight.shape)}: call backward "
            "first, and give each weight its own gradient"
        )
    if state and state["mean"].shape != weight.shape:
        raise ValueError(
            "this state belongs to a weight of another shape: keep one dict for each weight, "
            "empty before its first step"
        )
