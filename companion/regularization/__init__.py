"""Fitting without memorizing: dropout, L2 and L1, weight decay, and how to choose a coefficient.

Penalties and steps use the scale of torch: the coefficient of an L2 penalty is the `weight_decay`
of SGD, since `coefficient / 2 * ||w||^2` has the gradient `coefficient * w`.
"""

from companion.regularization.noise import (
    Dropout,
    dropout,
    label_smoothing,
    random_shifts,
    spatial_dropout,
)
from companion.regularization.penalties import (
    MaxNorm,
    decay_groups,
    gaussian_bits,
    l1_penalty,
    l2_penalty,
    max_norm_,
    ridge,
)
from companion.regularization.selection import Choice, choose_coefficient, k_fold
from companion.regularization.steps import adam_l2_step, adamw_step
from companion.regularization.stopping import EarlyStopping

__all__ = [
    "Choice", "Dropout", "EarlyStopping", "MaxNorm", "adam_l2_step", "adamw_step",
    "choose_coefficient", "decay_groups", "dropout", "gaussian_bits", "k_fold", "l1_penalty",
    "l2_penalty", "label_smoothing", "max_norm_", "random_shifts", "ridge", "spatial_dropout",
]  # fmt: skip
