"""Steps down a gradient: SGD, momentum and Adam, in torch's conventions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class SGD:
    """`p <- p - lr g`.

    Source: Robbins & Monro, Ann. Math. Stat. 22(3), 1951.
    """

    def __init__(self, lr: float) -> None:
        _check_range("lr", lr)
        self.lr = lr

    @torch.no_grad()
    def step(self, parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Changes the parameters in place."""
        _check_pairs(parameters, gradients)
        for p, g in zip(parameters, gradients, strict=True):
            p -= self.lr * g


class Momentum:
    """`v <- momentum v + g`, `p <- p - lr v`; the first `v` is the first gradient.

    Source: Polyak 1964 (from memory, unverified).
    """

    def __init__(self, lr: float, momentum: float = 0.9) -> None:
        _check_range("lr", lr)
        _check_range("momentum", momentum, below=1)
        self.lr, self.momentum = lr, momentum
        self.velocities: list[Tensor] = []

    @torch.no_grad()
    def step(self, parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Changes the parameters in place."""
        _check_pairs(parameters, gradients, self.velocities)
        self.velocities = self.velocities or [torch.zeros_like(p) for p in parameters]
        for p, g, v in zip(parameters, gradients, self.velocities, strict=True):
            v.mul_(self.momentum).add_(g)
            p -= self.lr * v


class Adam:
    """`m` and `v` are running means of g and g^2; `p <- p - lr m_hat / (sqrt(v_hat) + eps)`.

    Both means start at zero; `m_hat = m / (1 - beta1^t)` and `v_hat = v / (1 - beta2^t)` correct
    for it at step t.

    Source: Kingma & Ba, ICLR 2015.
    """

    def __init__(
        self, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        _check_range("lr", lr)
        _check_range("eps", eps)
        for name, beta in zip(("betas[0]", "betas[1]"), betas, strict=True):
            _check_range(name, beta, below=1)
        self.lr, self.betas, self.eps = lr, betas, eps
        self.n_steps = 0
        self.means: list[Tensor] = []
        self.squares: list[Tensor] = []

    @torch.no_grad()
    def step(self, parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Changes the parameters in place."""
        _check_pairs(parameters, gradients, self.means)
        self.means = self.means or [torch.zeros_like(p) for p in parameters]
        self.squares = self.squares or [torch.zeros_like(p) for p in parameters]
        self.n_steps += 1
        beta1, beta2 = self.betas
        for p, g, m, v in zip(parameters, gradients, self.means, self.squares, strict=True):
            m.mul_(beta1).add_((1 - beta1) * g)
            v.mul_(beta2).add_((1 - beta2) * g**2)
            m_hat = m / (1 - beta1**self.n_steps)
            v_hat = v / (1 - beta2**self.n_steps)
            p -= self.lr * m_hat / (v_hat.sqrt() + self.eps)


def _check_pairs(
    parameters: Sequence[Tensor], gradients: Sequence[Tensor], state: Sequence[Tensor] = ()
) -> None:
    if len(parameters) != len(gradients):
        raise ValueError(
            f"{len(gradients)} gradients for {len(parameters)} parameters: expected one each, in "
            "the same order"
        )
    for i, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
        if g is None or g.shape != p.shape:
            got = "None" if g is None else f"of shape {tuple(g.shape)}"
            raise ValueError(
                f"gradient {i} is {got}, its parameter has shape {tuple(p.shape)}: "
                "call backward first, and check for a missing transpose"
            )
    if state and [v.shape for v in state] != [p.shape for p in parameters]:
        raise ValueError(
            "these are not the parameters of the steps before: an optimizer remembers one list "
            "(make a new one for another network)"
        )


def _check_range(name: str, value: float, below: float = math.inf) -> None:
    if not 0 <= value < below:
        raise ValueError(
            f"{name} is {value}, expected a number in [0, {below}): steps already go downhill, and "
            "a mean that keeps all of its past never moves"
        )
