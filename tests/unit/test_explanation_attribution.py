"""Attributions against captum's, the laws they obey, and the checks that catch their lies."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from captum import attr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
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
        ({"target": Y.repeat(2)}, "one class for each of the 7"),
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


# ---- guided backpropagation, occlusion, Grad-CAM -----------------------------------------------


@pytest.mark.parametrize("in_place", [False, True])
def test_guided_backpropagation_is_captums(in_place):
    found = E.guided_backpropagation(images_net(in_place=in_place), IMAGES, CLASSES)
    theirs = attr.GuidedBackprop(images_net()).attribute(IMAGES, target=CLASSES)
    close(found, theirs)
    assert (found - E.saliency(images_net(), IMAGES, CLASSES)).abs().max() > 1e-3


def functional(x):
    return net()[0](x).relu()


@pytest.mark.parametrize("model", [functional, nn.Sequential(nn.Linear(6, 4), nn.Tanh())])
def test_guided_backpropagation_wants_relu_modules(model):
    with pytest.raises(ValueError, match="the model has none: F.relu"):
        E.guided_backpropagation(model, X, Y)


@pytest.mark.parametrize(("window", "stride"), [(3, 1), (3, 3), ((2, 4), (1, 2)), ((8, 10), 1)])
@pytest.mark.parametrize("baseline", [0.0, 0.7])
def test_occlusion_is_captums(window, stride, baseline):
    height, width = (window, window) if isinstance(window, int) else window
    steps = (stride, stride) if isinstance(stride, int) else stride
    theirs = attr.Occlusion(images_net()).attribute(
        IMAGES, (2, height, width), (2, *steps), baseline, CLASSES
    )
    ours = E.occlusion(
        images_net(), IMAGES, CLASSES, window=window, stride=stride, baseline=baseline
    )
    close(ours, theirs.double(), 1e-6)  # captum divides in float32


@pytest.mark.parametrize("target", [2, Y])
def test_occlusion_of_rows_and_of_series(target):
    theirs = attr.Occlusion(net()).attribute(X, (2,), target=target)
    close(E.occlusion(net(), X, target, window=2), theirs.double(), 1e-6)
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.Linear(21, 4)).double()
    series = randn(7, 2, 9)
    theirs = attr.Occlusion(model).attribute(series, (2, 4), (2, 3), target=target)
    close(E.occlusion(model, series, target, window=4, stride=3), theirs.double(), 1e-6)


def test_occlusion_in_small_calls(monkeypatch):
    expected = E.occlusion(images_net(), IMAGES, CLASSES, window=3)
    for size in (1, 2, 7):
        # The function of the same name hides the module as an attribute of the package.
        module = sys.modules["companion.explanation.occlusion"]
        monkeypatch.setattr(module, "ROWS_PER_CALL", size)
        close(E.occlusion(images_net(), IMAGES, CLASSES, window=3), expected)


def test_occlusion_needs_no_gradient():
    found = E.occlusion(no_gradient, X, Y, window=1)
    close(found, X)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"window": 9}, "window is 9"),
        ({"window": (3, 3, 3)}, "window is"),
        ({"window": 0}, "window is 0"),
        ({"stride": 4}, "some inputs would never be covered"),
        ({"stride": 0}, "stride is 0"),
        ({"baseline": randn(3)}, "the baseline has shape"),
    ],
)
def test_bad_input_to_occlusion(change, match):
    with pytest.raises(ValueError, match=match):
        E.occlusion(images_net(), IMAGES, CLASSES, **{"window": 3} | change)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("layer", ["0", "3"])
def test_grad_cam_is_captums(in_place, layer):
    reference, ours = images_net(), images_net(in_place=in_place)
    theirs = attr.LayerGradCam(reference, reference.get_submodule(layer)).attribute(
        IMAGES, CLASSES, relu_attributions=True
    )
    close(E.grad_cam(ours, layer, IMAGES, CLASSES, upsample=False), theirs)
    found = E.grad_cam(ours, ours.get_submodule(layer), IMAGES, CLASSES)
    large = attr.LayerAttribution.interpolate(theirs, (8, 10), "bilinear")
    assert found.shape == (3, 1, 8, 10)
    close(found, large)


def test_grad_cam_of_a_series_and_of_a_frozen_net():
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(21, 4)).double()
    series = randn(7, 2, 9)
    found = E.grad_cam(model, "0", series, Y)
    assert found.shape == (7, 1, 9) and (found >= 0).all() and found.max() > 0
    close(E.grad_cam(model.requires_grad_(False), "0", series, Y), found)


@pytest.mark.parametrize(
    ("layer", "match"),
    [
        ("conv", "no layer 'conv' in the model: there are 0, 1"),
        (nn.Conv2d(2, 4, 3), "no layer Conv2d"),
        ("5", r"the layer gave \[\(3, 100\)\]"),
        ("6", "before the positions are flattened"),
    ],
)
def test_bad_input_to_grad_cam(layer, match):
    with pytest.raises(ValueError, match=match):
        E.grad_cam(images_net(), layer, IMAGES, CLASSES)


def test_grad_cam_cannot_stretch_to_rows():
    model = nn.Sequential(
        nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(8, 4)
    ).double()
    assert E.grad_cam(model, "1", X, Y, upsample=False).shape == (7, 1, 4)
    with pytest.raises(ValueError, match="use upsample=False"):
        E.grad_cam(model, "1", X, Y)


# ---- randomization -----------------------------------------------------------------------------


@given(seed=seeds, decimals=st.integers(0, 3))
def test_rank_correlations_are_scipys(seed, decimals):
    a, b = randn(4, 3, 5, seed=seed).round(decimals=decimals), randn(4, 3, 5, seed=seed + 1)
    expected = [
        stats.spearmanr(x, y).statistic for x, y in zip(a.flatten(1), b.flatten(1), strict=True)
    ]
    np.testing.assert_allclose(E.rank_correlation(a, b), expected, atol=1e-12)
    close(E.rank_correlation(a, a**3), torch.ones(4).double())
    close(E.rank_correlation(a, -a), -torch.ones(4).double())


def same(a, b):
    return [torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items()]


def test_randomized_layers_are_reset_and_the_others_kept():
    model = net()
    assert same(model, E.randomized(model, seed=0)) == [True] * 4 + [False] * 2
    assert same(model, E.randomized(model, layers="all")) == [False] * 6
    assert same(model, E.randomized(model, layers=["2"])) == [True, True, False, False, True, True]
    a, b, c = (E.randomized(model, seed=seed) for seed in (1, 1, 2))
    assert all(same(a, b)) and not all(same(a, c))
    torch.manual_seed(1)
    model[-1].reset_parameters()
    assert all(same(a, model))


def test_randomizing_leaves_the_global_generator_alone():
    model = net()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    E.randomized(model, seed=3)
    assert torch.equal(torch.rand(3), expected)


def test_the_check_tells_who_looks_at_the_weights():
    model, x, targets = images_net(), randn(20, 2, 8, 10), torch.arange(20) % 4

    def blind(model, x, target):
        return x

    assert E.randomization_check(model, x, targets, blind).tolist() == pytest.approx([1.0] * 3)
    found = E.randomization_check(model, x, targets, E.saliency, layers="all", seeds=range(5))
    assert found.shape == (5,) and found.abs().max() < 0.3
    assert E.randomization_check(
        model, x, targets, lambda model, x, t: -x, layers="all", seeds=[1]
    ).item() == pytest.approx(1.0)


def test_the_absolute_trap_of_gradient_times_input():
    x = randn(20, 2, 8, 10) * (randn(20, 2, 8, 10, seed=1) > 0.8)  # four of five are blank
    how = {"layers": "all", "seeds": [0]}
    signed, absolute = (
        E.randomization_check(
            images_net(), x, 1, E.gradient_times_input, absolute=absolute, **how
        ).item()
        for absolute in (False, True)
    )
    assert abs(signed) < 0.15 and absolute > 0.9


def test_bad_input_to_randomization():
    with pytest.raises(ValueError, match="these names: 0, 2, 4"):
        E.randomized(net(), layers=["1"])
    with pytest.raises(ValueError, match="expected 'last', 'all' or a list"):
        E.randomized(net(), layers=[])
    with pytest.raises(ValueError, match="no layer of the model has parameters"):
        E.randomized(nn.Sequential(nn.ReLU()))
    with pytest.raises(ValueError, match="expected at least one integer"):
        E.randomization_check(net(), X, Y, E.saliency, seeds=())
    with pytest.raises(ValueError, match="two maps of the same shape"):
        E.rank_correlation(X, X[:, :5])
    with pytest.raises(ValueError, match="the map of example 3 is constant"):
        constant_map = X.clone()
        constant_map[3] = 1.0
        E.rank_correlation(X, constant_map)
    with pytest.raises(ValueError, match="nan or inf, which have no rank"):
        E.rank_correlation(X, X / 0)


# ---- deletion and insertion --------------------------------------------------------------------


def curve_by_hand(model, x, targets, attribution, start, end, n_steps):
    """One input after the other, by NumPy's order."""
    values = []
    for step in range(n_steps + 1):
        total = 0.0
        for image, low, high, target, map_ in zip(x, start, end, targets, attribution, strict=True):
            n = round(image.numel() * step / n_steps)
            order = np.argsort(-map_.flatten().numpy(), kind="stable")[:n]
            mixed = low.flatten().clone()
            mixed[order] = high.flatten()[order]
            total += model(mixed.view(1, *image.shape)).softmax(1)[0, target].item()
        values.append(total / len(x))
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("n_steps", [1, 7, 20])
def test_curves_are_those_by_hand(n_steps):
    model, attribution = images_net(), randn(3, 2, 8, 10, seed=9).round(decimals=1)
    base = randn(2, 8, 10, seed=8)
    full = base.expand_as(IMAGES)
    how = {"baseline": base, "n_steps": n_steps}
    with torch.no_grad():
        lost = curve_by_hand(model, IMAGES, CLASSES, attribution, IMAGES, full, n_steps)
        won = curve_by_hand(model, IMAGES, CLASSES, attribution, full, IMAGES, n_steps)
    deletion = E.deletion_curve(model, IMAGES, CLASSES, attribution, **how)
    insertion = E.insertion_curve(model, IMAGES, CLASSES, attribution, **how)
    close(deletion.probabilities, lost)
    close(insertion.probabilities, won)
    assert deletion.area == pytest.approx(np.trapezoid(lost, deletion.shares))
    assert deletion.shares[0] == 0 and deletion.shares[-1] == 1
    close(deletion.probabilities[[0, -1]], insertion.probabilities[[-1, 0]])


def test_the_right_order_beats_the_wrong_one():
    model = nn.Linear(6, 2, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.stack([torch.arange(6.0), -torch.arange(6.0)]))
    x = torch.ones(1, 6).double()
    right, wrong = model.weight[:1].detach() * x, -model.weight[:1].detach() * x
    assert (
        E.deletion_curve(model, x, 0, right, n_steps=6).area
        < E.deletion_curve(model, x, 0, wrong, n_steps=6).area
    )
    assert (
        E.insertion_curve(model, x, 0, right, n_steps=6).area
        > E.insertion_curve(model, x, 0, wrong, n_steps=6).area
    )


def test_curves_in_small_calls(monkeypatch):
    expected = E.deletion_curve(images_net(), IMAGES, CLASSES, IMAGES)
    monkeypatch.setattr("companion.explanation.curves.ROWS_PER_CALL", 45)
    found = E.deletion_curve(images_net(), IMAGES, CLASSES, IMAGES)
    close(found.probabilities, expected.probabilities)


@pytest.mark.parametrize("curve", [E.deletion_curve, E.insertion_curve])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"attribution": X[:, :5]}, "the attribution has shape"),
        ({"attribution": X / 0}, "finite values"),
        ({"n_steps": 7}, "expected an integer from 1 to 6"),
        ({"n_steps": 0}, "n_steps is 0"),
        ({"target": 4}, "target 4 is out of range"),
        ({"target": Y[:1]}, "one class for each of the 7"),
        ({"target": Y.repeat(2)}, "one class for each of the 7"),
        ({"x": X * torch.inf}, "values of x are nan"),
        ({"baseline": randn(2)}, "the baseline has shape"),
    ],
)
def test_bad_input_to_curves(curve, change, match):
    given = {"model": net(), "x": X, "target": Y, "attribution": X, "n_steps": 3} | change
    with pytest.raises(ValueError, match=match):
        curve(**given)
