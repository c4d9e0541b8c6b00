"""Losses, from likelihood: mean squared error and the cross-entropies, in nats."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from companion.foundations.engine import Node, value_of

TensorOrNode = Tensor | Node


def log_sum_exp(x: TensorOrNode, dim: int = -1, keepdim: bool = False) -> TensorOrNode:
    """`log sum_k exp(x_k)` along `dim`; the largest is taken out first, so nothing overflows."""
    largest = value_of(x).amax(dim, keepdim=True)  # a constant: its gradient cancels
    largest = torch.where(largest.isfinite(), largest, 0.0)
    result = (x - largest).exp().sum(dim, keepdim=True).log() + largest
    if keepdim:
        return result
    return result.reshape(value_of(x).sum(dim).shape)


def softmax(x: TensorOrNode, dim: int = -1) -> TensorOrNode:
    """`p_k = exp(x_k) / sum_j exp(x_j)` along `dim`: logits into probabilities."""
    return (x - log_sum_exp(x, dim, keepdim=True)).exp()


def mse(prediction: TensorOrNode, target: TensorOrNode, *, reduction: str = "mean") -> TensorOrNode:
    """Squared error `(prediction - target)^2`; both of one shape.

    Up to a constant the negative log-likelihood of a Gaussian of fixed width.

    Raises:
        ValueError: the shapes differ, or an unknown `reduction`.
    """
    _check_same_shape(prediction, target)
    return _reduced((prediction - target) ** 2, reduction)


def cross_entropy(logits: TensorOrNode, labels: Tensor, *, reduction: str = "mean") -> TensorOrNode:
    """`-log p(label)` in nats from logits (N, K) and labels (N,) in 0 ... K-1.

    Divided by log 2 it is the length of the label's code in bits.  Logits are what the last layer
    gives, not probabilities.  `reduction` is "mean", "sum" or "none" (N,).

    Source: Shannon, BSTJ 27, 1948.

    Raises:
        ValueError: wrong rank, dtype or number of labels, a label out of range, an unknown
            `reduction`.
    """
    shape = tuple(value_of(logits).shape)
    if len(shape) != 2:
        raise ValueError(
            f"logits have shape {shape}, expected (N, K), a row of K logits for each example: "
            "for one example use logits[None]"
        )
    n, n_classes = shape
    if labels.dtype != torch.int64:
        raise ValueError(
            f"labels have dtype {labels.dtype}, expected torch.int64: class numbers, not one-hot "
            "rows or probabilities (use labels.long(), or one_hot.argmax(1))"
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
    probabilities: TensorOrNode, targets: Tensor, *, reduction: str = "mean"
) -> TensorOrNode:
    """`-(t log p + (1 - t) log(1 - p))` in nats; both of one shape, both in [0, 1].

    As in torch each log is cut off at -100; at exactly 0 or 1 no gradient passes the cut.

    Raises:
        ValueError: the shapes differ, a value is outside [0, 1], or an unknown `reduction`.
    """
    _check_same_shape(probabilities, targets)
    _check_probabilities(probabilities, "probabilities")
    _check_probabilities(targets, "targets")
    smallest = math.exp(-100)
    log_p = probabilities.clamp(min=smallest).log()
    log_not_p = (1 - probabilities).clamp(min=smallest).log()
    return _reduced(-(targets * log_p + (1 - targets) * log_not_p), reduction)


def binary_cross_entropy_with_logits(
    logits: TensorOrNode, targets: Tensor, *, reduction: str = "mean"
) -> TensorOrNode:
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


def _reduced(losses: TensorOrNode, reduction: str) -> TensorOrNode:
    if reduction == "none":
        return losses
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    raise ValueError(f'reduction is {reduction!r}, expected "mean", "sum" or "none"')


def _check_same_shape(prediction: TensorOrNode, target: TensorOrNode) -> None:
    got, expected = tuple(value_of(target).shape), tuple(value_of(prediction).shape)
    if got != expected:
        raise ValueError(
            f"targets have shape {got}, expected {expected} as the predictions: a column (N, 1) "
            "against (N,) would broadcast to all N x N pairs (use prediction.squeeze(1))"
        )


def _check_probabilities(x: TensorOrNode, what: str) -> None:
    values = value_of(x)
    is_inside = (values >= 0) & (values <= 1)  # nan is not
    if not is_inside.all():
        raise ValueError(
            f"{what} hold {float(values[~is_inside][0]):.4g}, expected values in [0, 1]: "
            "for raw outputs of a layer use binary_cross_entropy_with_logits"
        )
