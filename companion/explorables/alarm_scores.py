"""Scores of normal pictures and of anomalies, by four methods that saw normal ones alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from companion.data import load
from companion.self_supervision import knn_score
from companion.storage import precomputed

METHODS = {
    "knn": "1-NN",
    "pca": "PCA",
    "autoencoder": "autoencoder",
    "svdd": "Deep SVDD",
}
STORED = ("pca", "autoencoder", "svdd")  # too slow to fit anew when a control moves
PARTS = ("validation", "normal", "digits", "garments")
N_HELD_OUT, N_VALIDATION = 2000, 500  # of the training split; the test split is not touched
N_PER_CLASS = 14  # anomalies of each of nine digits or ten garments


@dataclass(frozen=True)
class Pictures:
    """Of one digit: what is fitted on, what sets thresholds, and what tests are drawn from.

    All are images (N, 1, 28, 28).  `fit`, `validation` and `normal` show the digit that is normal;
    `digits` are the other nine and `garments` is Fashion-MNIST, both met in tests alone.
    """

    fit: Tensor
    validation: Tensor
    normal: Tensor
    digits: Tensor
    garments: Tensor


@cache
def pictures(normal: int) -> Pictures:
    """The pictures for one normal digit, all from the training splits."""
    fit, held_out = load("mnist").hold_out(N_HELD_OUT, torch.Generator().manual_seed(0))
    validation = held_out.subset(slice(0, N_VALIDATION))
    pool = held_out.subset(slice(N_VALIDATION, N_HELD_OUT))
    garments = load("fashion_mnist")
    others = [k for k in range(10) if k != normal]
    return Pictures(
        fit=fit.inputs[fit.targets == normal],
        validation=validation.inputs[validation.targets == normal],
        normal=pool.inputs[pool.targets == normal],
        digits=torch.cat([pool.inputs[pool.targets == k][:N_PER_CLASS] for k in others]),
        garments=torch.cat(
            [garments.inputs[garments.targets == k][:N_PER_CLASS] for k in range(10)]
        ),
    )


@cache
def scores(normal: int, method: str) -> dict[str, Tensor]:
    """Score of each picture of each part, as log2 of multiples of the median normal score.

    The median is that of the validation pictures, so 0 is an ordinary normal picture and 1 twice
    its score.  {part: (N,)} float64.
    """
    if method in STORED:
        stored = precomputed("04", "alarm")["scores"][f"{normal}|{method}"]
        return {part: torch.tensor(stored[part], dtype=torch.float64).log2() for part in PARTS}
    shown = pictures(normal)
    raw = {part: knn_score(getattr(shown, part), shown.fit, k=1) for part in PARTS}
    return {part: values.log2() for part, values in multiples(raw).items()}


def multiples(raw: dict[str, Tensor]) -> dict[str, Tensor]:
    """Scores divided by the median of the validation scores, float64."""
    median = raw["validation"].double().median()
    return {part: values.double() / median for part, values in raw.items()}
