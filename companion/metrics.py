"""Scores of a classifier, from predictions and labels."""

from __future__ import annotations

import torch
from torch import Tensor


def accuracy(predicted: Tensor, targets: Tensor) -> float:
    """Share of examples (N,) whose predicted label is the true one."""
    _check_labels(predicted, targets)
    return (predicted == targets).double().mean().item()


def confusion_matrix(predicted: Tensor, targets: Tensor, n_classes: int) -> Tensor:
    """Counts (K, K): row = true class, column = predicted class.

    Raises:
        ValueError: labels outside 0 ... K-1, or lengths that differ.
    """
    _check_labels(predicted, targets)
    for name, labels in (("predicted labels", predicted), ("targets", targets)):
        if labels.min() < 0 or labels.max() >= n_classes:
            raise ValueError(
                f"{name} run from {labels.min()} to {labels.max()}, "
                f"expected 0 to {n_classes - 1} for {n_classes} classes"
            )
    pairs = targets.long() * n_classes + predicted.long()
    return torch.bincount(pairs, minlength=n_classes**2).view(n_classes, n_classes)


def precision(confusion: Tensor) -> Tensor:
    """Per class (K,): of the examples called k, the share that are k.

    0 where a class was never predicted (nothing was claimed, so nothing was right).
    Source: Kent, Berry, Luehrs & Perry 1955.
    """
    return _ratio(confusion.diagonal(), confusion.sum(0))


def recall(confusion: Tensor) -> Tensor:
    """Per class (K,): of the examples that are k, the share called k.  0 for an absent class."""
    return _ratio(confusion.diagonal(), confusion.sum(1))


def f1(confusion: Tensor) -> Tensor:
    """Per class (K,): harmonic mean of precision and recall; 0 where both are 0."""
    p, r = precision(confusion), recall(confusion)
    return _ratio(2 * p * r, p + r)


def roc_curve(scores: Tensor, is_positive: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """False-positive rate, true-positive rate and threshold, from strict to lax.

    One point per distinct score, after the point (0, 0) with threshold +inf.

    Raises:
        ValueError: only one of the two classes is present.
    """
    if scores.shape != is_positive.shape or scores.ndim != 1 or scores.isnan().any():
        raise ValueError(
            f"scores {tuple(scores.shape)} and is_positive {tuple(is_positive.shape)} must both be "
            "(N,), without nan"
        )
    positive = is_positive.bool()
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        raise ValueError(
            f"a ROC curve needs both classes, got {n_positive} positive, {n_negative} negative"
        )
    thresholds, order = scores.double().sort(descending=True)
    hits = positive[order].double().cumsum(0)
    false_alarms = (~positive[order]).double().cumsum(0)
    is_last_of_tie = torch.ones_like(hits, dtype=torch.bool)
    is_last_of_tie[:-1] = thresholds[1:] != thresholds[:-1]
    zero, infinity = hits.new_zeros(1), hits.new_tensor([torch.inf])
    return (
        torch.cat([zero, false_alarms[is_last_of_tie] / n_negative]),
        torch.cat([zero, hits[is_last_of_tie] / n_positive]),
        torch.cat([infinity, thresholds[is_last_of_tie]]),
    )


def auroc(scores: Tensor, is_positive: Tensor) -> float:
    """Area under the ROC curve: the chance that a positive outscores a negative, ties half."""
    false_positive, true_positive, _ = roc_curve(scores, is_positive)
    return torch.trapezoid(true_positive, false_positive).item()


def calibration(probabilities: Tensor, targets: Tensor, n_bins: int = 10) -> dict[str, Tensor]:
    """How often a classifier that says "p" is right, in equal bins of its confidence.

    `probabilities` (N, K); returns `confidence`, `accuracy` and `count` per bin (n_bins,) and the
    scalar `error`, the count-weighted mean gap (expected calibration error).
    """
    if len(probabilities) == 0:
        raise ValueError("no examples to score")
    if probabilities.min() < 0 or (probabilities.sum(1) - 1).abs().max() > 1e-3:
        raise ValueError(
            "calibration takes probabilities (N, K), rows that sum to 1: "
            "for logits use logits.softmax(1)"
        )
    confidence, predicted = probabilities.double().max(1)
    is_right = (predicted == targets).double()
    bins = (confidence * n_bins).long().clamp(0, n_bins - 1)
    count = torch.bincount(bins, minlength=n_bins).double()
    mean_confidence = _ratio(torch.bincount(bins, confidence, minlength=n_bins), count)
    mean_accuracy = _ratio(torch.bincount(bins, is_right, minlength=n_bins), count)
    error = (count * (mean_confidence - mean_accuracy).abs()).sum() / count.sum()
    return {
        "confidence": mean_confidence,
        "accuracy": mean_accuracy,
        "count": count,
        "error": error,
    }


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    numerator, denominator = numerator.double(), denominator.double()
    return torch.where(denominator > 0, numerator / denominator.clamp(min=1e-300), 0.0)


def _check_labels(predicted: Tensor, targets: Tensor) -> None:
    if predicted.shape != targets.shape or predicted.ndim != 1:
        raise ValueError(
            f"predicted labels {tuple(predicted.shape)} and targets {tuple(targets.shape)} must "
            "both be (N,): did you pass logits where labels were expected (use .argmax(1))?"
        )
    if len(targets) == 0:
        raise ValueError("no examples to score")
