"""Importance and attribution on every device."""

from __future__ import annotations

import pytest
import torch
from accelerators import check_agrees, check_repeats_itself
from test_on_accelerator import on_device, randn, weights
from torch import nn

from companion import explanation, models

pytestmark = pytest.mark.device

CASES = {}  # public name -> (function of a device that returns tensors, tolerance)


def case(name, tolerance=1e-4):
    def register(function):
        CASES[name] = (function, tolerance)
        return function

    return register


def same_device(found, where):
    assert all(x.device.type == torch.device(where).type for x in found)
    return found


IMAGES, CLASSES = randn(6, 1, 12, 12), torch.tensor([0, 3, 1, 2, 3, 0])
ROWS, BACKGROUND = randn(20, 6), randn(9, 6, seed=1)


def convolutions(where):
    return on_device(
        lambda: nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3),
            nn.ReLU(), nn.Flatten(), nn.Linear(128, 4),
        ).eval(),
        where,
    )  # fmt: skip


def given(where):
    return convolutions(where), IMAGES.to(where), CLASSES.to(where)


def rows_net(where):
    return on_device(lambda: models.mlp(6, 16, 3).eval(), where)


def generator():
    return torch.Generator().manual_seed(0)


@case("saliency")
def _(where):
    found = [explanation.saliency(*given(where), of=of) for of in ("logit", "probability")]
    return same_device(found, where)


@case("gradient_times_input")
def _(where):
    return same_device([explanation.gradient_times_input(*given(where))], where)


@case("integrated_gradients")
def _(where):
    how = {"baseline": 0.2, "batch_size": 40}
    found = [
        explanation.integrated_gradients(*given(where), method=method, **how)
        for method in ("gausslegendre", "riemann_middle")
    ]
    return same_device(found, where)


@case("completeness_gap", tolerance=1e-3)
def _(where):
    model, x, target = given(where)
    return same_device([explanation.completeness_gap(model, x, None, target, x)], where)


for name in ("path_gradients", "PathGradients"):

    @case(name)
    def _(where):
        return same_device(list(explanation.path_gradients(*given(where), n_steps=5)), where)


@case("guided_backpropagation")
def _(where):
    return same_device([explanation.guided_backpropagation(*given(where))], where)


@case("occlusion")
def _(where):
    return same_device([explanation.occlusion(*given(where), window=5, stride=3)], where)


@case("grad_cam")
def _(where):
    model, x, target = given(where)
    return same_device([explanation.grad_cam(model, "3", x, target)], where)


@case("rank_correlation")
def _(where):
    a, b = IMAGES.to(where).round(decimals=1), IMAGES.flip(0).to(where)
    return same_device([explanation.rank_correlation(a, b)], where)


@case("randomized")
def _(where):
    model = convolutions(where)
    found = [explanation.randomized(model, layers=which, seed=3) for which in ("last", "all")]
    return same_device([w for each in found for w in weights(each)], where)


@case("randomization_check", tolerance=1e-2)  # the ranks of nearly equal values may change places
def _(where):
    found = explanation.randomization_check(*given(where), explanation.saliency)
    return same_device([found], where)


for name in ("deletion_curve", "Curve"):

    @case(name)
    def _(where):
        curve = explanation.deletion_curve(*given(where), IMAGES.to(where))
        return [*same_device([curve.shares, curve.probabilities], where), torch.tensor(curve.area)]


@case("insertion_curve")
def _(where):
    curve = explanation.insertion_curve(*given(where), IMAGES.to(where), baseline=0.3)
    return same_device([curve.shares, curve.probabilities], where)


for name in ("permutation_importance", "Importance"):

    @case(name)
    def _(where):
        found = explanation.permutation_importance(
            rows_net(where), ROWS.to(where), torch.zeros(20).to(where), groups=[[0], [1, 2], [5]],
            metric=lambda logits, y: (logits[:, 0] - y).square().mean(), generator=generator(),
        )  # fmt: skip
        return [torch.tensor(found.baseline), found.drops, found.mean, found.std]


@case("coalitions")
def _(where):
    return [explanation.coalitions(4)]


@case("exact_shapley")
def _(where):
    worth = randn(32, 2).to(where)
    return same_device([explanation.exact_shapley(lambda masks: worth, 5)], where)


for name in ("shapley_values", "ShapleyValues"):

    @case(name, tolerance=1e-3)
    def _(where):
        model, x, background = rows_net(where), ROWS[:3].to(where), BACKGROUND.to(where)
        exact = explanation.shapley_values(model, x, background, target=1)
        sampled = explanation.shapley_values(
            model, x, background, target=torch.tensor([0, 2, 1]).to(where), method="sampled",
            n_samples=8, generator=generator(),
        )  # fmt: skip
        return same_device([*exact[:2], *sampled], where)


@pytest.mark.parametrize("name", CASES)
def test_the_case_repeats_itself_on_the_cpu(name):
    check_repeats_itself(CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_the_device_agrees_with_the_cpu(name, accelerator):
    check_agrees(CASES[name][0], accelerator, f"explanation.{name}", CASES[name][1])


def test_every_public_name_has_a_case():
    assert set(CASES) <= set(explanation.__all__)
    parts = ("curves", "gradcam", "gradients", "guided", "occlusion", "permutation")
    parts += ("randomization", "shapley")
    ours = {
        name
        for name in explanation.__all__
        if getattr(explanation, name).__module__.rsplit(".", 1)[1] in parts
    }
    assert set(CASES) == ours
