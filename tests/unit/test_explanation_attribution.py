"""Attributions against captum's, the laws they obey, and the checks that catch their lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum import attr
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from companion import explanation as E
from companion import models

seeds = st.integers(0, 99)


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def net(seed=0):
    torch.manual_seed(seed)
    return models.mlp(6, 10, 4).double().eval()


def images_net(seed=0, in_place=False):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(in_place), nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3, padding=1), nn.ReLU(in_place), nn.Flatten(), nn.Linear(5 * 4 * 5, 4),
    ).double().eval()  # fmt: skip


X, Y = randn(7, 6), torch.tensor([0, 1, 2, 3, 3, 2, 1])
IMAGES, CLASSES = randn(3, 2, 8, 10), torch.tensor([3, 0, 2])


def close(found, expected, tolerance=1e-10):
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


# ---- gradients ---------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [2, Y])
def test_saliency_and_gradient_times_input_are_captums(target):
    model = net()
    close(E.saliency(model, X, target), attr.Saliency(model).attribute(X, target, abs=False))
    theirs = attr.InputXGradient(model).attribute(X, target)
    close(E.gradient_times_input(model, X, target), theirs)


def test_the_gradient_of_the_probability_is_captums():
    model = net()
    softmax = nn.Sequential(model, nn.Softmax(1))
    theirs = attr.Saliency(softmax).attribute(X, Y, abs=False)
    close(E.saliency(model, X, Y, of="probability"), theirs)


def test_the_gradient_of_the_probability_vanishes_where_the_model_is_sure():
    model = net()
    model[-1].weight.data *= 1000
    model[-1].bias.data *= 1000
    sure = model(X).argmax(1)
    assert E.saliency(model, X, sure, of="probability").abs().max() < 1e-4
    assert (E.saliency(model, X, sure).abs().amax(1) > 1).all()


@pytest.mark.parametrize("method", ["gausslegendre", "riemann_middle"])
@pytest.mark.parametrize("baseline", [None, 0.5, randn(6, seed=5), randn(7, 6, seed=6)])
@pytest.mark.parametrize("batch_size", [None, 1, 5, 16, 1000])
def test_integrated_gradients_are_captums(method, baseline, batch_size):
    model = net()
    ours = E.integrated_gradients(
        model, X, Y, baseline=baseline, n_steps=11, method=method, batch_size=batch_size
    )
    start = torch.zeros(6).double() if baseline is None else torch.as_tensor(baseline).double()
    theirs = attr.IntegratedGradients(model).attribute(
        X, start.expand(7, 6), target=Y, n_steps=11, method=method
    )
    close(ours, theirs, 1e-6)  # captum keeps its weights in float32


def test_integrated_gradients_of_images_are_captums_in_float32():
    model, x = images_net().float(), IMAGES.float()
    ours = E.integrated_gradients(model, x, CLASSES)
    theirs = attr.IntegratedGradients(model).attribute(x, target=CLASSES)
    close(ours, theirs.float(), 1e-5)


@given(seed=seeds)
def test_integrated_gradients_are_complete(seed):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 4)).double()
    x, baseline = randn(7, 6, seed=seed), randn(6, seed=seed + 1)
    found = E.integrated_gradients(model, x, Y, baseline=baseline)
    gap = E.completeness_gap(model, x, baseline, Y, found)
    logits = model(torch.stack([x, baseline.expand(7, 6)]).flatten(0, 1)).view(2, 7, 4)
    change = (logits[0] - logits[1]).gather(1, Y[:, None])[:, 0]
    close(gap, found.sum(1) - change)
    assert gap.abs().max() < 1e-8
    wrong = E.completeness_gap(model, x, baseline, Y, E.gradient_times_input(model, x, Y))
    assert wrong.abs().max() > 1e-3


@given(seed=seeds)
def test_of_a_linear_model_all_agree_and_are_exact(seed):
    torch.manual_seed(seed)
    model = nn.Linear(6, 4).double()
    x, baseline = randn(7, 6, seed=seed), randn(7, 6, seed=seed + 1)
    expected = model.weight[Y].detach() * (x - baseline)
    for method in ("gausslegendre", "riemann_middle"):
        found = E.integrated_gradients(model, x, Y, baseline=baseline, n_steps=1, method=method)
        close(found, expected)
    close(E.occlusion(model, x, Y, window=1, baseline=baseline), expected)
    close(E.gradient_times_input(model, x, Y), model.weight[Y].detach() * x)


def test_an_input_that_is_ignored_gets_zero():
    model = net()
    model[0].weight.data[:, 2] = 0
    for found in (
        E.saliency(model, X, Y),
        E.integrated_gradients(model, X, Y, baseline=1.0),
        E.occlusion(model, X, Y, window=1, baseline=1.0),
    ):
        assert (found[:, 2] == 0).all() and (found[:, 1] != 0).any()


def test_inputs_that_are_treated_alike_get_the_same():
    model = net()
    model[0].weight.data[:, 4] = model[0].weight.data[:, 1]
    x = X.clone()
    x[:, 4] = x[:, 1]
    found = E.integrated_gradients(model, x, Y)
    close(found[:, 4], found[:, 1])


def test_the_path_adds_up_to_integrated_gradients():
    model = net()
    path = E.path_gradients(model, X, Y, baseline=0.3, n_steps=9)
    assert path.attributions.shape == (10, 7, 6) and path.scores.shape == (10, 7)
    assert (path.attributions[0] == 0).all()
    close(path.shares, torch.linspace(0, 1, 10, dtype=torch.float64))
    whole = E.integrated_gradients(model, X, Y, baseline=0.3, n_steps=9, method="riemann_middle")
    close(path.attributions[-1], whole)
    point = torch.full_like(X, 0.3) + (X - 0.3) * 4 / 9
    close(path.scores[4], model(point).gather(1, Y[:, None])[:, 0].detach())
    # Along the way as well: what was collected is the change of the logit so far.
    smooth = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4)).double()
    fine = E.path_gradients(smooth, X, Y, n_steps=200)
    close(fine.attributions.sum(2), fine.scores - fine.scores[0], 1e-4)


def test_the_model_stays_as_it_was():
    model = images_net(in_place=True)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    x = IMAGES.clone()
    for _ in range(2):
        E.saliency(model, x, CLASSES)
        E.integrated_gradients(model, x, CLASSES)
        E.guided_backpropagation(model, x, CLASSES)
        E.occlusion(model, x, CLASSES, window=3)
        E.grad_cam(model, "3", x, CLASSES)
        E.randomized(model, seed=0)
        E.deletion_curve(model, x, CLASSES, x)
    assert torch.equal(x, IMAGES) and not x.requires_grad
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert not any(m._forward_hooks or m._backward_hooks for m in model.modules())


def test_gradients_are_found_under_no_grad():
    with torch.no_grad():
        found = E.integrated_gradients(net(), X, Y)
    close(found, E.integrated_gradients(net(), X, Y))


def no_gradient(x):
    return torch.from_numpy(x.numpy() @ np.ones((6, 4)))


def without_autograd(x):
    with torch.no_grad():
        return net()(x)


def labels(x):
    return net()(x).argmax(1)


def constant(x):
    return nn.Parameter(torch.ones(len(x), 4).double())


GRADIENT_METHODS = [E.saliency, E.gradient_times_input, E.integrated_gradients]


@pytest.mark.parametrize("method", GRADIENT_METHODS)
@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"model": no_gradient}, "no gradient for its input"),
        ({"model": without_autograd}, "no gradient for its input"),
        ({"model": constant}, "no gradient for its input"),
        ({"model": labels}, "expected logits"),
        ({"target": 4}, "target 4 is out of range: the model has 4 outputs"),
        ({"target": -1}, "target -1 is out of range"),
        ({"target": Y + 1}, "target 4 is out of range.*count from 1"),
        ({"target": Y[:3]}, "one class for each of the 7"),
        ({"target": Y[:1]}, "one class for each of the 7"),
        ({"target": Y.double()}, "expected a class"),
        ({"target": "three"}, "expected a class"),
        ({"x": X * torch.nan}, "42 of 42 values of x are nan"),
        ({"x": X[0], "target": 0}, r"a single example keeps its batch dimension: x\[None\]"),
        ({"x": X[:0], "target": 0}, "at least one example"),
        ({"x": X[:, :5]}, "the model cannot read x of shape"),
        ({"x": X.long()}, "torch.int64, expected a floating-point"),
    ],
)
def test_bad_input_to_gradients(method, change, match):
    given = {"model": net(), "x": X, "target": Y} | change
    with pytest.raises(ValueError, match=match):
        method(**given)


def test_one_image_without_its_batch_dimension():
    with pytest.raises(ValueError, match=r"\(x\[None\]\)"):
        E.saliency(images_net(), IMAGES[0], 0)


def test_train_mode_is_refused_where_it_matters():
    model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4)).double()
    with pytest.raises(ValueError, match="attribution in train mode: BatchNorm1d"):
        E.saliency(model, X, Y)
    close(E.saliency(net().train(), X, Y), E.saliency(net(), X, Y))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"baseline": X}, "the baseline equals the input"),
        ({"baseline": randn(5)}, r"the baseline has shape \(5,\), expected that of x, \(7, 6\)"),
        ({"baseline": randn(7, 1)}, "the baseline has shape"),
        ({"baseline": torch.nan}, "the baseline holds nan"),
        ({"method": "simpson"}, "expected one of gausslegendre"),
        ({"n_steps": 0}, "n_steps is 0"),
        ({"n_steps": 2.5}, "n_steps is 2.5"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_bad_input_to_integrated_gradients(change, match):
    with pytest.raises(ValueError, match=match):
        E.integrated_gradients(net(), X, Y, **change)


def test_bad_input_to_the_rest_of_the_gradients():
    with pytest.raises(ValueError, match="of is 'softmax'"):
        E.saliency(net(), X, Y, of="softmax")
    with pytest.raises(ValueError, match="attribution has shape"):
        E.completeness_gap(net(), X, None, Y, X[:, :5])
    assert (E.path_gradients(net(), X, Y, baseline=X, n_steps=2).attributions == 0).all()
