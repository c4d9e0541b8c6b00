"""How strange is an example, for one who has seen normal ones only?  Higher scores are stranger."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real

import torch
from torch import Tensor, nn

from companion.self_supervision.inputs import check_inputs
from companion.self_supervision.neighbours import nearest
from companion.self_supervision.pca import PCA
from companion.training import predict


def knn_score(x: Tensor, normal: Tensor, *, k: int = 1) -> Tensor:
    """Mean Euclidean distance (N,) to the `k` nearest normal examples.

    An example that is itself among `normal` is its own nearest neighbour, at distance 0: choose a
    threshold on normal examples that were held out.

    Raises:
        ValueError: no normal data, shapes that do not fit, or k outside 1 ... M.
    """
    _check(x, normal)
    flat, known = x.flatten(1), normal.flatten(1)
    index = nearest(flat, known, k)  # (N, k)
    distances = [(flat - known[index[:, j]]).norm(dim=1) for j in range(k)]
    return torch.stack(distances).mean(0)


def pca_score(x: Tensor, normal: Tensor, *, n_components: int) -> Tensor:
    """Mean squared distance per value (N,) from the plane of the normal examples.

    Raises:
        ValueError: no normal data, shapes that do not fit, or too many components.
    """
    _check(x, normal)
    return _mean_square(PCA(n_components).fit(normal).reconstruct(x) - x)


def reconstruction_score(
    model: nn.Module,
    x: Tensor,
    *,
    corrupt: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    n_draws: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean squared error per value (N,) between x and what the model makes of it.

    A model that was trained to restore gets `corrupt(x, generator)`, and the error is the mean over
    `n_draws` of it.

    Source: Japkowicz, Myers & Gluck, IJCAI 1995; Hawkins et al., DaWaK 2002.

    Raises:
        ValueError: the model does not give back the shape of x, or `corrupt` has no generator.
    """
    check_inputs(x, "x")
    if corrupt is None:
        return _error(model, x, x)
    if not isinstance(generator, torch.Generator) or n_draws < 1:
        raise ValueError("corrupt draws from a generator, at least once: pass generator=, n_draws=")
    total = sum(_error(model, corrupt(x, generator), x) for _ in range(n_draws))
    return total / n_draws


def choose_threshold(normal_scores: Tensor, *, false_alarm_rate: float) -> float:
    """The smallest threshold t for which the share of `normal_scores > t` is at most the rate.

    `normal_scores` (N,) of normal examples that the model was not trained on; no anomalies are
    needed, and none may be among them.  An example is called an anomaly when its score is above t.

    Raises:
        ValueError: no scores, nan or inf, all scores equal, or a rate outside [0, 1).
    """
    if not isinstance(false_alarm_rate, Real) or not 0 <= false_alarm_rate < 1:
        raise ValueError(
            f"false_alarm_rate is {false_alarm_rate!r}, expected a share in [0, 1): the part of "
            "the normal examples that may raise an alarm (is it in percent?)"
        )
    scores = normal_scores.detach().flatten()
    if len(scores) == 0:
        raise ValueError("no normal scores: without normal examples there is no false-alarm rate")
    if not torch.isfinite(scores).all():
        raise ValueError("a normal score is nan or inf: no threshold is above or below nan")
    ordered = scores.sort().values
    if len(scores) > 1 and ordered[0] == ordered[-1]:
        raise ValueError(
            f"all {len(scores)} normal scores are {ordered[0].item():g}: a constant score orders "
            "nothing (did the model collapse?)"
        )
    n_allowed = math.floor(false_alarm_rate * len(scores))
    if (n_allowed + 1) / len(scores) <= false_alarm_rate:  # 0.29 * 100 is 28.999...
        n_allowed += 1
    return ordered[len(scores) - 1 - n_allowed].item()


def _error(model: nn.Module, seen: Tensor, x: Tensor) -> Tensor:
    output = predict(model, seen).to(x.device)
    if output.shape != x.shape:
        raise ValueError(
            f"the model gives outputs of shape {tuple(output.shape)} for x of shape "
            f"{tuple(x.shape)}: a reconstruction has the shape of its target"
        )
    return _mean_square(output - x)


def _mean_square(x: Tensor) -> Tensor:
    return x.flatten(1).square().mean(1)


def _check(x: Tensor, normal: Tensor) -> None:
    check_inputs(x, "x")
    check_inputs(normal, "normal")
    if x.shape[1:] != normal.shape[1:]:
        raise ValueError(
            f"x has examples of shape {tuple(x.shape[1:])}, normal of {tuple(normal.shape[1:])}"
        )
