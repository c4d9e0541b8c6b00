"""A small network that learns from the answers of a large one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion.data import Dataset
from companion.training import History, fit


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    targets: Tensor,
    *,
    temperature: float = 4.0,
    weight: float = 0.9,
) -> Tensor:
    """`weight * T^2 * KL(teacher at T || student at T) + (1 - weight) * cross-entropy`, in nats.

    Logits (N, K), labels (N,); both softmaxes of the first term are taken at the temperature T.
    T^2 keeps its gradient at one size whatever T is.  The mean over the examples; only the student
    gets a gradient.

    Source: Hinton, Vinyals & Dean 2015.

    Raises:
        ValueError: shapes that do not fit, a temperature not above 0, or a weight outside [0, 1].
    """
    _check(temperature, weight)
    if student_logits.shape != teacher_logits.shape or targets.shape != student_logits.shape[:1]:
        raise ValueError(
            f"student {tuple(student_logits.shape)}, teacher {tuple(teacher_logits.shape)} and "
            f"targets {tuple(targets.shape)}: expected (N, K), (N, K) and (N,)"
        )
    soft = F.kl_div(
        F.log_softmax(student_logits / temperature, 1),
        F.log_softmax(teacher_logits.detach() / temperature, 1),
        reduction="batchmean",
        log_target=True,
    )
    hard = F.cross_entropy(student_logits, targets)
    return weight * temperature**2 * soft + (1 - weight) * hard


def distill(
    student: nn.Module,
    teacher: nn.Module,
    data: Dataset,
    *,
    epochs: int,
    lr: float = 3e-3,
    batch_size: int = 64,
    temperature: float = 4.0,
    weight: float = 0.9,
    seed: int = 0,
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    schedule: str | Callable[..., Any] | None = "one_cycle",
    **fit_options: Any,
) -> History:
    """Trains the student in place on `distillation_loss` and returns the history.

    The teacher answers in evaluation mode, on the very inputs that the student gets (after
    `augment`), and is left as it is.  `fit_options` go to `companion.training.fit`.

    Source: Buciluă, Caruana & Niculescu-Mizil, KDD 2006 (from memory, unverified); Hinton, Vinyals
    & Dean 2015.

    Raises:
        ValueError: as in `distillation_loss` and `companion.training.fit`.
    """
    _check(temperature, weight)
    teacher = copy.deepcopy(teacher).eval()

    def loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        with torch.no_grad():
            answers = teacher.to(inputs.device)(inputs)
        return distillation_loss(
            model(inputs), answers, targets, temperature=temperature, weight=weight
        )

    return fit(
        student,
        data,
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        loss=loss,
        augment=augment,
        schedule=schedule,
        seed=seed,
        **{"progress": False, **fit_options},
    )


def _check(temperature: float, weight: float) -> None:
    if not isinstance(temperature, Real) or not 0 < temperature < float("inf"):
        raise ValueError(f"temperature is {temperature!r}, expected a number above 0")
    if not isinstance(weight, Real) or not 0 <= weight <= 1:
        raise ValueError(f"weight is {weight!r}, expected the soft term's share, in [0, 1]")
