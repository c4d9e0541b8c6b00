"""Masks keep the largest, pruned weights stay zero, and what is cut out is really gone."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from companion import compression as C
from companion import models, training
from companion.data import Dataset

seeds = st.integers(0, 99)
densities = st.floats(0.05, 1.0)


def randn(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def examples(n=200):
    targets = torch.arange(n) % 10
    inputs = randn(10, 40)[targets] + 0.5 * randn(n, 40, seed=1)
    return Dataset(inputs, targets, tuple("0123456789"), "examples", "train")


def mlp(seed=0):
    torch.manual_seed(seed)
    return models.mlp(40, 16)


# ---- masks -------------------------------------------------------------------------------------


@given(seed=seeds, density=densities)
def test_masks_are_torchs(seed, density):
    layer = nn.Linear(9, 7)
    with torch.no_grad():
        layer.weight.copy_(randn(7, 9, seed=seed))
    mask = C.magnitude_mask(layer.weight, density)
    n_kept = round(density * 63)
    assert mask.dtype == torch.bool and mask.shape == (7, 9) and mask.sum() == n_kept
    prune.l1_unstructured(layer, "weight", amount=63 - n_kept)
    assert torch.equal(mask, layer.weight_mask.bool())


@given(seed=seeds, small=densities, large=densities)
def test_a_lower_density_keeps_a_part(seed, small, large):
    small, large = sorted((small, large))
    weight = randn(8, 10, seed=seed).round(decimals=1)  # with ties
    sparse, dense = C.magnitude_mask(weight, small), C.magnitude_mask(weight, large)
    assert not (sparse & ~dense).any()
    if not sparse.all():
        assert weight[sparse].abs().min() >= weight[~sparse].abs().max()


def test_of_equal_weights_the_first_are_kept():
    assert C.magnitude_mask(torch.ones(2, 3), 0.5).tolist() == [[True] * 3, [False] * 3]
    assert C.magnitude_mask(torch.tensor([1.0, -2, 2, -1]), 0.75).tolist() == [True] * 3 + [False]
    assert C.magnitude_mask(torch.zeros(4), 0.25).tolist() == [True, False, False, False]


@given(seed=seeds, density=densities)
def test_global_masks_are_torchs(seed, density):
    model = mlp()
    with torch.no_grad():  # torch's uniform draws of float32 hold ties
        for i, weight in enumerate(C.prunable(model).values()):
            weight.copy_((1 + i / 5) * randn(*weight.shape, seed=seed + i))
    masks = C.pruning_masks(model, density, scope="global")
    n_weights = sum(w.numel() for w in C.prunable(model).values())
    assert sum(int(m.sum()) for m in masks.values()) == round(density * n_weights)
    layers = [model.get_submodule(name) for name in masks]
    prune.global_unstructured(
        [(layer, "weight") for layer in layers],
        pruning_method=prune.L1Unstructured,
        amount=n_weights - round(density * n_weights),
    )
    for layer, mask in zip(layers, masks.values(), strict=True):
        assert mask.any()
        assert torch.equal(mask, layer.weight_mask.bool())


@given(seed=seeds, density=st.floats(0.001, 0.2), keep=st.integers(1, 400))
def test_no_layer_is_emptied(seed, density, keep):
    model = mlp(seed)
    with torch.no_grad():
        model[2].weight.mul_(1e-3)  # 256 weights that lose every comparison
    for scope in ("global", "layer"):
        masks = C.pruning_masks(model, density, scope=scope, keep_at_least=keep)
        sizes = {name: w.numel() for name, w in C.prunable(model).items()}
        n_kept = {name: int(mask.sum()) for name, mask in masks.items()}
        least = {name: min(keep, size) for name, size in sizes.items()}
        assert all(n_kept[name] >= least[name] for name in sizes)
        if scope == "global":
            wanted = round(density * sum(sizes.values()))
            assert sum(n_kept.values()) == max(wanted, sum(least.values()))
            assert n_kept["2"] == least["2"]
        else:
            assert n_kept == {n: max(round(density * sizes[n]), least[n]) for n in sizes}
        for name, mask in masks.items():
            alone = C.magnitude_mask(model[int(name)].weight, n_kept[name] / sizes[name])
            assert torch.equal(mask, alone)


def test_layers_may_have_densities_of_their_own():
    masks = C.pruning_masks(mlp(), {"0": 0.1, "4": 1.0})
    assert set(masks) == {"0", "4"} and masks["4"].all() and masks["0"].sum() == 64
    model = models.small_resnet(4)
    assert set(C.prunable(model)) == {
        name for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)
    }
    assert all(w is model.get_parameter(f"{n}.weight") for n, w in C.prunable(model).items())


@pytest.mark.parametrize("density", [0, 0.0, -0.1, 1.1, 90, math.nan, None, "half", True])
def test_densities_are_refused(density):
    for use in (
        lambda: C.magnitude_mask(randn(3, 4), density),
        lambda: C.pruning_masks(mlp(), density),
        lambda: C.pruning_masks(mlp(), density, scope="global"),
        lambda: C.pruning_masks(mlp(), {"0": density}),
        lambda: C.sensitivity(mlp(), examples(), [density]),
        lambda: C.gradual_density(1, 2, density),
    ):
        with pytest.raises(ValueError, match=r"density is .*a share in \(0, 1\].*leaves nothing"):
            use()


def test_masks_refuse():
    with pytest.raises(ValueError, match="density 0.04 of 12 weights rounds to none"):
        C.magnitude_mask(randn(3, 4), 0.04)
    for bad, message in (
        (torch.tensor([1.0, math.nan]), "1 of 2 values of weight are nan or inf"),
        (torch.zeros(0), "weight has shape .*empty"),
        (torch.arange(3), "weight is torch.int64"),
    ):
        with pytest.raises(ValueError, match=message):
            C.magnitude_mask(bad, 0.5)
    with pytest.raises(ValueError, match="scope is 'all', expected one of layer, global"):
        C.pruning_masks(mlp(), 0.5, scope="all")
    for keep in (0, -1, 1.5):
        with pytest.raises(ValueError, match="keep_at_least is .*integer of at least 1"):
            C.pruning_masks(mlp(), 0.5, keep_at_least=keep)
    with pytest.raises(ValueError, match="no prunable layer '1': there are 0, 2, 4"):
        C.pruning_masks(mlp(), {"1": 0.5})
    with pytest.raises(ValueError, match="goes with scope='layer'"):
        C.pruning_masks(mlp(), {"0": 0.5}, scope="global")
    with pytest.raises(ValueError, match="no Linear or Conv layer"):
        C.prunable(nn.BatchNorm1d(3))
    model = mlp()
    with torch.no_grad():
        model[2].weight[0, 0] = math.inf
    with pytest.raises(ValueError, match="1 of 256 values of the weight of '2' are nan or inf"):
        C.pruning_masks(model, 0.5)


# ---- the pruner --------------------------------------------------------------------------------

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
}


def run(model, optimizer, n_steps, data):
    for _ in range(n_steps):
        optimizer.zero_grad()
        F.cross_entropy(model(data.inputs), data.targets).backward()
        optimizer.step()


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_pruned_weights_stay_zero_through_a_hundred_steps(make):
    data, model = examples(), mlp()
    optimizer = make(model.parameters())
    run(model, optimizer, 10, data)  # momentum and averages now remember every weight
    masks = C.pruning_masks(model, 0.2)
    forgetful = copy.deepcopy(model)
    pruner = C.Pruner(model, masks)
    assert pruner.attach(optimizer) is optimizer
    before = {name: w.detach().clone() for name, w in C.prunable(model).items()}
    for _ in range(100):
        run(model, optimizer, 1, data)
        for name, weight in C.prunable(model).items():
            assert (weight[~masks[name]] == 0).all() and (weight.grad[~masks[name]] == 0).all()
    for name, weight in C.prunable(model).items():
        moved = (weight != before[name])[masks[name]]
        assert moved.float().mean() > 0.9
        state = optimizer.state[weight]  # what it remembers of pruned weights has faded as well
        memory = state["exp_avg" if "exp_avg" in state else "momentum_buffer"].abs()
        assert memory[~masks[name]].max() < 1e-3 * memory[masks[name]].max()
    assert pruner.density() == sum(int(m.sum()) for m in masks.values()) / (640 + 256 + 160)
    # The same without a pruner: the weights come back.
    other = make(forgetful.parameters())
    with torch.no_grad():
        for name, weight in C.prunable(forgetful).items():
            weight.mul_(masks[name])
    run(forgetful, other, 1, data)
    assert (C.prunable(forgetful)["0"][~masks["0"]] != 0).any()


def test_momentum_brings_a_weight_back_that_has_no_gradient_any_more():
    """Masked gradients alone are not enough: the velocity of before goes on."""
    data, model = examples(), mlp()
    optimizer = OPTIMIZERS["sgd"](model.parameters())
    run(model, optimizer, 5, data)
    masks = C.pruning_masks(model, 0.2)
    with torch.no_grad():
        for name, weight in C.prunable(model).items():
            weight.mul_(masks[name])
    optimizer.zero_grad()
    F.cross_entropy(model(data.inputs), data.targets).backward()
    for name, weight in C.prunable(model).items():
        weight.grad.mul_(masks[name])
    optimizer.step()
    assert (C.prunable(model)["0"][~masks["0"]] != 0).any()
    C.Pruner(model, masks)
    assert (C.prunable(model)["0"][~masks["0"]] == 0).all()


def test_fit_trains_a_pruned_network():
    data, model = examples(), mlp()
    training.fit(model, data, epochs=20, lr=1e-2, progress=False)
    pruner = C.Pruner(model, C.pruning_masks(model, 0.2, scope="global"))
    damaged = training.evaluate(model, data).accuracy
    training.fit(
        model, data, epochs=20, progress=False,
        optimizer=lambda params: pruner.attach(torch.optim.AdamW(params, lr=1e-2)),
    )  # fmt: skip
    assert training.evaluate(model, data).accuracy > max(0.95, damaged)
    n_zero = sum(int((w == 0).sum()) for w in C.prunable(model).values())
    assert n_zero == 1056 - round(0.2 * 1056) and pruner.density() == round(0.2 * 1056) / 1056


def test_masks_shrink_and_never_grow():
    model = mlp()
    pruner = C.Pruner(model, C.pruning_masks(model, 0.5))
    half = copy.deepcopy(pruner.masks)
    pruner.update(C.pruning_masks(model, 0.2))
    assert pruner.density() == pytest.approx(0.2, abs=0.001)
    assert (C.prunable(model)["0"] != 0).sum() == 128
    with pytest.raises(ValueError, match="192 pruned weights of '0' would come back"):
        pruner.update(half)
    with pytest.raises(ValueError, match="512 pruned weights of '0' would come back"):
        pruner.update({name: mask for name, mask in pruner.masks.items() if name != "0"})
    assert pruner.density() == pytest.approx(0.2, abs=0.001)


def test_a_pruner_lets_go():
    data, model = examples(), mlp()
    pruner = C.Pruner(model, C.pruning_masks(model, 0.2))
    optimizer = pruner.attach(torch.optim.SGD(model.parameters(), lr=0.1))
    pruner.detach()
    run(model, optimizer, 1, data)
    assert (model[0].weight[~pruner.masks["0"]] != 0).any()
    pruner.apply_()
    assert (model[0].weight[~pruner.masks["0"]] == 0).all()


def test_the_pruner_works_on_the_weights_behind_a_grid():
    data, model = examples(), C.quantize_model(mlp(), weight_bits=4, trainable=True)
    pruner = C.Pruner(model, C.pruning_masks(model, 0.3))
    run(model, pruner.attach(torch.optim.AdamW(model.parameters(), lr=0.01)), 20, data)
    fixed = C.quantize_model(model, weight_bits=4)
    for mask, weight in zip(pruner.masks.values(), C.prunable(fixed).values(), strict=True):
        assert (weight[~mask] == 0).all() and weight.any()


def test_pruners_refuse():
    model = mlp()
    with pytest.raises(ValueError, match="there are no masks"):
        C.Pruner(model, {})
    masks = C.pruning_masks(model, 0.5)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match="no prunable layer '1': there are 0, 2, 4"):
        C.Pruner(model, {"1": masks["0"]})
    for bad in (masks["0"].float(), masks["0"].T, masks["2"]):
        with pytest.raises(
            ValueError, match=r"the mask of '0' is .*expected torch.bool \(16, 40\)"
        ):
            C.Pruner(model, {"0": bad})
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())
    pruner = C.Pruner(model, masks)
    with pytest.raises(ValueError, match="does not hold the weight of '0'.*Make a new optimizer"):
        pruner.attach(torch.optim.SGD(mlp().parameters(), lr=0.1))
    model[0].weight.requires_grad_(False)
    pruner.attach(torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1))


# ---- sensitivity and schedules -----------------------------------------------------------------


def test_sensitivity_prunes_one_layer_alone_and_leaves_the_model():
    data, model = examples(), mlp()
    training.fit(model, data, epochs=20, lr=1e-2, progress=False)
    before = copy.deepcopy(model.state_dict())
    found = C.sensitivity(model, data, (1.0, 0.3, 0.05))
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())
    full = training.evaluate(model, data).accuracy
    assert set(found) == {"0", "2", "4"}
    for name, scores in found.items():
        assert list(scores) == [1.0, 0.3, 0.05] and scores[1.0] == full
        for density, score in scores.items():
            alone = copy.deepcopy(model)
            C.Pruner(alone, C.pruning_masks(alone, {name: density}))
            assert score == training.evaluate(alone, data).accuracy
    assert found["0"][0.05] < full
    counted = C.sensitivity(model, data, [1.0], metric=lambda p, t: int((p == t).sum()))
    assert counted["2"][1.0] == round(full * 200)


def test_the_gradual_density_falls_fast_and_then_slowly():
    found = [C.gradual_density(step, 10, 0.1) for step in range(11)]
    assert found[0] == 1.0 and found[10] == 0.1
    assert found[5] == pytest.approx(0.1 + 0.9 / 8)
    drops = [a - b for a, b in zip(found, found[1:], strict=False)]
    assert all(a > b > 0 for a, b in zip(drops, drops[1:], strict=False))
    assert C.gradual_density(0, 4, 0.2, initial=0.5) == 0.5
    for step, n_steps in ((-1, 10), (11, 10), (0, 0), (math.nan, 10)):
        with pytest.raises(ValueError, match="expected 0 <= step <= n_steps"):
            C.gradual_density(step, n_steps, 0.1)
    with pytest.raises(ValueError, match="the density would grow from 0.2 to 0.5"):
        C.gradual_density(1, 10, 0.5, initial=0.2)


# ---- surgery -----------------------------------------------------------------------------------


def images(bias=True):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3, bias=bias),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (N, 6, 5, 5)
        nn.Conv2d(6, 8, 3, padding=1),
        nn.BatchNorm2d(8, affine=False),
        nn.Sigmoid(),
        nn.AvgPool2d(2),  # (N, 8, 2, 2)
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.BatchNorm1d(32),
        nn.Linear(32, 12),
        nn.Tanh(),
        nn.Linear(12, 5),
    )
    model(randn(64, 1, 12, 12))  # batch statistics that are not 0 and 1
    for p in model.parameters():
        with torch.no_grad():
            p.add_(0.1 * torch.randn_like(p))
    return model.double().eval()


def series():
    torch.manual_seed(1)
    model = models.cnn1d(8, batch_norm=True)
    model(randn(64, 40))
    return model.double().eval()


CASES = {
    "first convolution": (images, "0", 6, "4"),
    "second convolution": (images, "4", 8, "11"),
    "units": (images, "11", 12, "13"),
    "no bias": (lambda: images(bias=False), "0", 6, "4"),
    "series": (series, "1", 8, "4"),
    "series, flattened": (series, "7", 8, "11"),
}


def with_zeros_read(model, reader, is_removed, x):
    """The model's outputs when the layer `reader` reads zeros for the removed channels."""

    def blank(_, args):
        values = args[0].reshape(len(x), len(is_removed), -1)
        return (values.masked_fill(is_removed[:, None], 0.0).view_as(args[0]),)

    handle = model.get_submodule(reader).register_forward_pre_hook(blank)
    y = model(x)
    handle.remove()
    return y


@pytest.mark.parametrize("make, name, n, reader", CASES.values(), ids=CASES)
@given(data=st.data())
def test_without_channels_the_outputs_are_those_with_zeros(make, name, n, reader, data):
    kept = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=n, unique=True))
    model = make()
    before = copy.deepcopy(model.state_dict())
    is_removed = torch.ones(n, dtype=torch.bool)
    is_removed[kept] = False
    shape = (4, 40) if make is series else (4, 1, 12, 12)
    x = randn(*shape, dtype=torch.float64)
    cut = C.remove_channels(model, name, kept)
    # BatchNorm after Flatten moves zeros, so `reader` is the next Linear or Conv.
    expected = with_zeros_read(model, reader, is_removed, x)
    assert torch.allclose(cut(x), expected, atol=1e-12)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert [type(m) for m in cut] == [type(m) for m in model]
    assert models.n_parameters(cut) < models.n_parameters(model) or len(kept) == n
    layer = cut.get_submodule(name)
    assert layer.weight.shape[0] == len(kept)
    assert getattr(layer, "out_channels", getattr(layer, "out_features", None)) == len(kept)
    by_mask = C.remove_channels(model, name, ~is_removed)
    assert all(torch.equal(v, cut.state_dict()[k]) for k, v in by_mask.state_dict().items())


def test_a_smaller_network_is_built_like_one_made_so():
    """Sizes that a layer reports agree with its weights, and it trains."""
    cut = C.remove_channels(C.remove_channels(images(), "0", [1, 4]), "4", [0, 2, 5])
    assert (cut[0].out_channels, cut[1].num_features, cut[4].in_channels) == (2, 2, 2)
    assert (cut[4].out_channels, cut[5].num_features) == (3, 3)
    assert (cut[10].num_features, cut[11].in_features) == (12, 12)
    cut.train()
    cut(randn(8, 1, 12, 12, dtype=torch.float64)).square().sum().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in cut.parameters())
    frozen = images()
    frozen[0].weight.requires_grad_(False)
    cut = C.remove_channels(frozen, "0", [0])
    assert not cut[0].weight.requires_grad and cut[0].bias.requires_grad
    assert set(cut.state_dict()) == set(frozen.state_dict())


def test_an_optimizer_of_before_is_noticed():
    model = images()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    cut = C.remove_channels(model, "0", [0, 1])
    with pytest.raises(ValueError, match="does not hold the weight of '0'"):
        C.Pruner(cut, C.pruning_masks(cut, 0.5)).attach(optimizer)


def test_norms_are_those_of_the_output_channels():
    for layer in (nn.Linear(5, 3), nn.Conv1d(2, 3, 4), nn.Conv2d(2, 3, (2, 3))):
        expected = [w.square().sum().sqrt().item() for w in layer.weight]
        assert C.channel_norms(layer).tolist() == pytest.approx(expected)
        assert not C.channel_norms(layer).requires_grad


def test_surgery_refuses():
    model = images()
    for name in ("12", "1", "x", ""):
        with pytest.raises(ValueError, match=f"named '{name}': there are 0, 4, 11, 13"):
            C.remove_channels(model, name, [0])
    with pytest.raises(ValueError, match="'13' is the last layer: its outputs"):
        C.remove_channels(model, "13", [0])
    for nothing in ([], torch.zeros(6, dtype=torch.bool)):
        with pytest.raises(ValueError, match="nothing of 6 channels is kept"):
            C.remove_channels(model, "0", nothing)
    for keep in ([6], [-1], [0, 0], [0.5], [[0]], torch.ones(5, dtype=torch.bool)):
        with pytest.raises(ValueError, match=r"different indices 0 to 5 or a mask \(6,\)"):
            C.remove_channels(model, "0", keep)
    with pytest.raises(ValueError, match="is a GRU1d, expected an nn.Sequential"):
        C.remove_channels(models.gru1d(), "head", [0])
    with pytest.raises(ValueError, match="'3' is a ResidualBlock, which may mix channels"):
        C.remove_channels(models.small_resnet(4), "0", [0])
    mixed = nn.Sequential(nn.Linear(4, 3), nn.Softmax(1), nn.Linear(3, 2))
    with pytest.raises(ValueError, match="'1' is a Softmax, which may mix channels"):
        C.remove_channels(mixed, "0", [0])
    grouped = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.Conv2d(4, 4, 3, groups=4))
    with pytest.raises(ValueError, match="'0' has 2 groups, expected 1"):
        C.remove_channels(grouped, "0", [0])
    grouped[0] = nn.Conv2d(2, 4, 3)
    with pytest.raises(ValueError, match="'1' has 4 groups, expected 1"):
        C.remove_channels(grouped, "0", [0])
    with pytest.raises(ValueError, match="'1' is a Linear on images or series: Flatten is missing"):
        C.remove_channels(nn.Sequential(nn.Conv1d(1, 4, 3), nn.Linear(8, 2)), "0", [0])
