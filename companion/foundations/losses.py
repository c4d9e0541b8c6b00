"""Losses, from likelihood: mean squared error and the cross-entropies, in nats."""

from __future__ import annotations

import torch
from torch import Tensor

from companion.foundations.engine import Node, Operand, value_of


def log_sum_exp(x: Operand, dim: int = -1, keepdim: bool = False) -> Operand:
    """`log sum_k exp(x_k)` along `dim`; the largest is taken out first, so nothing overflows."""
    largest = value_of(x).amax(dim, keepdim=True)  # a constant: its gradient cancels
    largest = torch.where(largest.isfinite(), largest, 0.0)
    result = (x - largest).exp().sum(dim, keepdim=True).log() + largest
    if keepdim:
        return result
    return result.reshape(largest.squeeze(dim).shape)


def softmax(x: Operand, dim: int = -1) -> Operand:
    """`exp(x_k) / sum_j exp(x_j)` along `dim`: logits into probabilities.

    Adding a number to all logits changes nothing.
    """
    return (x - log_sum_exp(x, dim, keepdim=True)).exp()


def mse(prediction: Operand, target: Operand, *, reduction: str = "mean") -> Operand:
    """Squared error `(prediction - target)^2`; both of one shape.

    Up to a constant and a factor the negative log-likelihood under a normal of fixed width.

    Source: Gauss, Theoria Motus, 1809 (from memory, unverified).

    Raises:
        ValueError: the shapes differ, or an unknown `reduction`.
    """
    _check_same_shape(prediction, target)
    return _reduced((prediction - target) ** 2, reduction)


def cross_entropy(logits: Operand, labels: Tensor, *, reduction: str = "mean") -> Operand:
    """`-log p(label)` in nats from logits (N, K) and labels (N,) in 0 ... K-1.

    Divided by log 2 it is the length of the label's code in bits.  Logits are what the last layer
    gives, not probabilities.  `reduction` is "mean", "sum" or "none" (N,).

    Source: Shannon, BSTJ 27, 1948.

    Raises:
        ValueError: wrong rank, dtype or number of labels, a label out of range, an unknown
            `reduction`.
    """
    shape = _shape(logits)
    if len(shape) != 2:
        raise ValueError(
            f"logits have shape {shape}, expected (N, K), a row of K logits for each example: "
            "for one example use logits[None]"
        )
    n, n_classes = shape
    kind = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
    if kind != torch.int64:
        raise ValueError(
            f"labels are {kind}, expected torch.int64: class numbers, not one-hot rows or "
            "probabilities (use labels.long(), or one_hot.argmax(1))"
        )
    if labels.shape != (n,):
        raise ValueError(
            f"labels have shape {tuple(labels.shape)}, expected ({n},) for logits {shape}: "
            "one class number for each row (use labels.squeeze(1) for a column)"
        )
    is_outside = (labels < 0) | (labels >= n_classes)
    if is_outside.any():
        raise ValueError(
            f"label {int(labels[is_outside][0])} is out of range, expected 0 to {n_classes - 1} "
            f"for {n_classes} logits: labels that start at 1, or a last layer that is too narrow"
        )
    chosen = logits[torch.arange(n, device=labels.device), labels]  # (N, K) -> (N,)
    return _reduced(log_sum_exp(logits, 1) - chosen, reduction)


def binary_cross_entropy(
    probabilities: Operand, targets: Tensor, *, reduction: str = "mean"
) -> Operand:
    """`-(t log p + (1 - t) log(1 - p))` in nats; both of one shape, both in [0, 1].

    As in torch each log is cut off at -100; at exactly 0 or 1 no gradient passes the cut.

    Raises:
        ValueError: the shapes differ, a value is outside [0, 1], or an unknown `reduction`.
    """
    _check_same_shape(probabilities, targets)
    _check_probabilities(probabilities, "probabilities")
    _check_probabilities(targets, "targets")
    log_p, log_not_p = _log_cut_off(probabilities), _log_cut_off(1 - probabilities)
    return _reduced(-(targets * log_p + (1 - targets) * log_not_p), reduction)


def binary_cross_entropy_with_logits(
    logits: Operand, targets: Tensor, *, reduction: str = "mean"
) -> Operand:
    """Binary cross-entropy of `sigmoid(logits)`, exact for logits of any size.

    `-log sigmoid(z) = log(1 + exp(-z))`, hence the loss is `log(1 + exp(z)) - t z`.

    Raises:
        ValueError: the shapes differ, a target is outside [0, 1], or an unknown `reduction`.
    """
    _check_same_shape(logits, targets)
    _check_probabilities(targets, "targets")
    larger = value_of(logits).clamp(min=0)  # of z and 0, taken out as in log_sum_exp
    log_one_plus_exp = ((logits - larger).exp() + (-larger).exp()).log() + larger
    return _reduced(log_one_plus_exp - targets * logits, reduction)


def _log_cut_off(p: Operand) -> Operand:
    """`max(log p, -100)`; at zero, where its slope would be infinite, log takes a one instead."""
    is_zero = value_of(p) == 0
    return ((p + is_zero).log() - 1000 * is_zero).clamp(min=-100)


def _reduced(losses: Operand, reduction: str) -> Operand:
    if reduction == "none":
        return losses
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    raise ValueError(f'reduction is {reduction!r}, expected "mean", "sum" or "none"')


def _shape(x: Operand) -> tuple[int, ...]:
    if not isinstance(x, Tensor | Node):
        raise ValueError(f"got a {type(x).__name__}, expected a tensor or a node")
    return tuple(x.shape)


def _check_same_shape(prediction: Operand, target: Operand) -> None:
    got, expected = _shape(target), _shape(prediction)
    if got != expected:
        raise ValueError(
            f"targets have shape {got}, expected {expected} as the predictions: a column (N, 1) "
            "against (N,) would broadcast to all N x N pairs (use prediction.squeeze(1))"
        )


def _check_probabilities(x: Operand, what: str) -> None:
    values = value_of(x)
    if not values.is_floating_point():
        raise ValueError(f"{what} are {values.dtype}, expected floating point: use .float()")
    is_inside = (values >= 0) & (values <= 1)  # nan is not
    if not is_inside.all():
        raise ValueError(
            f"{what} hold {float(values[~is_inside][0]):.4g}, expected values in [0, 1]: raw "
            "outputs of a layer go into binary_cross_entropy_with_logits, classes into "
            "cross_entropy"
        )
