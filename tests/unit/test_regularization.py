"""Dropout, penalties, steps, stopping and selection equal their twins and obey their laws."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from torch import nn

from companion import regularization as R
from companion.data import Dataset
from companion.training import Callback, evaluate, fit

DTYPES = [torch.float64, torch.float32]


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def assert_close(ours, theirs, tolerance=None):
    """float64 to 1e-10, float32 to 1e-5 of the largest value."""
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    tolerance = tolerance or (1e-10 if ours.dtype == torch.float64 else 1e-5)
    scale = max(1.0, float(theirs.detach().abs().max()))
    assert torch.allclose(ours, theirs, rtol=0, atol=tolerance * scale), (ours - theirs).abs().max()


# ---- dropout -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_dropout_is_torchs_from_the_same_seed(p, dtype):
    x = randn(7, 5, 3, dtype=dtype)
    torch.manual_seed(4)
    theirs = F.dropout(x, p, training=True)
    assert_close(R.dropout(x, p, training=True, generator=seeded(4)), theirs)
    torch.manual_seed(4)
    assert_close(R.dropout(x, p, training=True), theirs)  # without a generator: torch's own


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 5, 4, 3)])
def test_spatial_dropout_is_torchs_from_the_same_seed(shape, dtype):
    x = randn(*shape, dtype=dtype)
    theirs = F.dropout1d if len(shape) == 3 else F.dropout2d
    torch.manual_seed(4)
    assert_close(
        R.spatial_dropout(x, 0.3, training=True, generator=seeded(4)), theirs(x, 0.3, True)
    )


@given(p=st.floats(0, 0.95), seed=st.integers(0, 99), channels=st.booleans())
def test_what_dropout_keeps_it_scales_and_it_is_repeatable(p, seed, channels):
    drop = R.spatial_dropout if channels else R.dropout
    x = randn(4, 3, 5, seed=seed)
    y = drop(x, p, training=True, generator=seeded(seed))
    assert torch.equal(y, drop(x, p, training=True, generator=seeded(seed)))
    kept = y != 0
    assert torch.allclose(y[kept], x[kept] / (1 - p), rtol=1e-12)
    assert torch.equal(drop(x, p, training=False), x)
    assert torch.equal(drop(x, 0.0, training=True), x)
    if channels:
        per_channel = kept.float().mean(2)  # (N, C, L) -> (N, C): all or nothing
        assert set(per_channel.flatten().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("drop", [R.dropout, R.spatial_dropout])
@pytest.mark.parametrize("p", [0.2, 0.5, 0.8])
def test_the_mean_over_masks_is_the_input(drop, p):
    generator, n = seeded(), 20_000
    x = randn(1, 2, 3).expand(n, 2, 3)
    y = drop(x, p, training=True, generator=generator)
    error = y.mean(0) - x[0]
    spread = x[0].abs() * math.sqrt(p / (1 - p) / n)  # standard deviation of the mean
    assert (error.abs() < 5 * spread).all()
    assert abs(float((y == 0).double().mean()) - p) < 0.03


def test_other_seeds_give_other_masks_and_a_generator_moves_on():
    x, generator = torch.ones(100), seeded(0)
    first, second = (R.dropout(x, 0.5, training=True, generator=generator) for _ in range(2))
    assert not torch.equal(first, second)
    state = torch.get_rng_state()
    R.dropout(x, 0.5, training=True, generator=generator)
    assert torch.equal(torch.get_rng_state(), state)  # the global one is left alone


@pytest.mark.parametrize("drop", [R.dropout, R.spatial_dropout])
def test_gradients_of_dropout_pass_where_values_pass(drop):
    def with_one_mask(x):
        return drop(x, 0.4, training=True, generator=seeded(1))

    x = randn(2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(with_one_mask, [x])


def test_the_layer_has_two_modes():
    x = torch.ones(1000)
    layer = R.Dropout(0.25, seeded(3))
    y = layer(x)
    assert torch.equal(y, R.dropout(x, 0.25, training=True, generator=seeded(3)))
    assert not torch.equal(layer(x), y)
    layer.eval()
    assert torch.equal(layer(x), x)
    assert repr(layer) == repr(nn.Dropout(0.25)).replace(", inplace=False", "")
    torch.manual_seed(5)
    theirs = nn.Dropout()(x)
    torch.manual_seed(5)
    assert_close(R.Dropout()(x), theirs)


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, math.nan, "half", None])
def test_dropout_refuses_what_is_no_drop_probability(p):
    says = re.escape("expected a probability in [0, 1): the share of values that is dropped")
    for refuse in (
        lambda: R.dropout(torch.ones(3), p, training=False),
        lambda: R.spatial_dropout(torch.ones(1, 2, 3), p, training=True),
        lambda: R.Dropout(p),
    ):
        with pytest.raises(ValueError, match=says):
            refuse()


def test_dropout_refuses_integers_and_missing_positions():
    with pytest.raises(ValueError, match="got torch.int64: use x.float"):
        R.dropout(torch.arange(3), 0.5, training=True)
    with pytest.raises(ValueError, match="got list"):
        R.dropout([1.0], 0.5, training=True)
    with pytest.raises(ValueError, match=r"takes \(N, C, L\).*got shape \(4, 3\)"):
        R.spatial_dropout(torch.ones(4, 3), 0.5, training=True)


# ---- shifts and doubted labels -----------------------------------------------------------------


@given(limit=st.integers(0, 6), seed=st.integers(0, 30))
def test_every_series_moves_around_the_ring_by_its_own_amount(limit, seed):
    x = randn(20, 7, seed=seed)
    y = R.random_shifts(x, limit, seeded(seed))
    moves = []
    for row, moved in zip(x, y, strict=True):
        found = [m for m in range(-3, 4) if torch.equal(row.roll(m), moved)]
        assert len(found) == 1
        moves.append(found[0])
    assert len(set(moves)) > 1 or limit == 0
    assert limit >= 4 or max(map(abs, moves)) <= limit
    assert torch.equal(y, R.random_shifts(x, limit, seeded(seed)))
    assert limit > 0 or torch.equal(y, x)


def test_channels_and_directions_of_an_image_move_together():
    x = randn(50, 2, 5, 6)
    moved = R.random_shifts(x, 2, seeded())
    seen = set()
    for image, other in zip(x, moved, strict=True):
        seen |= {
            (i, j)
            for i in range(-2, 3)
            for j in range(-2, 3)
            if torch.equal(image.roll((i, j), (1, 2)), other)
        }
    assert len(seen) > 15  # of 25, all in reach
    series = randn(50, 2, 7)
    moved = R.random_shifts(series, 3, seeded())
    for row, other in zip(series, moved, strict=True):
        assert any(torch.equal(row.roll(m, 1), other) for m in range(-3, 4))


def test_shifts_reach_both_ends_equally_often():
    x = torch.arange(9.0).expand(9000, 9)
    first = R.random_shifts(x, 2, seeded())[:, 0].long().bincount(minlength=9)
    assert first[3:7].sum() == 0 and (first[[0, 1, 2, 7, 8]] - 1800).abs().max() < 150


@pytest.mark.parametrize("limit", [-1, 7, 2.5])
def test_shifts_refuse_what_no_ring_has(limit):
    with pytest.raises(ValueError, match="an integer from 0 to 6"):
        R.random_shifts(torch.ones(3, 7), limit, seeded())
    with pytest.raises(ValueError, match="cannot move"):
        R.random_shifts(torch.ones(7), 1, seeded())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 1.0])
def test_label_smoothing_is_torchs(smoothing, dtype):
    logits, targets = 3 * randn(8, 5, dtype=dtype), torch.arange(8) % 5
    mine, twin = (logits.clone().requires_grad_() for _ in range(2))
    ours = R.label_smoothing(mine, targets, smoothing)
    theirs = F.cross_entropy(twin, targets, label_smoothing=smoothing)
    assert_close(ours, theirs)
    ours.backward(), theirs.backward()
    assert_close(mine.grad, twin.grad)
    if dtype == torch.float64:
        assert torch.autograd.gradcheck(lambda z: R.label_smoothing(z, targets, smoothing), [mine])


def test_label_smoothing_is_lowest_at_the_smoothed_labels():
    """Where softmax gives 1 - s + s/K to the right class, the gradient is zero."""
    target = torch.full((1, 4), 0.05, dtype=torch.float64)
    target[0, 2] = 0.85
    logits = target.log().requires_grad_()
    R.label_smoothing(logits, torch.tensor([2]), 0.2).backward()
    assert logits.grad.abs().max() < 1e-12


def test_label_smoothing_refuses():
    with pytest.raises(ValueError, match=r"smoothing is 1.5, expected a probability"):
        R.label_smoothing(torch.zeros(2, 3), torch.zeros(2).long(), 1.5)
    for targets in (torch.zeros(3).long(), torch.zeros(2), torch.zeros(2, 3).long()):
        with pytest.raises(ValueError, match="integer labels"):
            R.label_smoothing(torch.zeros(2, 3), targets, 0.1)


# ---- penalties ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_l2_penalty_pulls_like_weight_decay_of_sgd(dtype):
    """A step on loss + penalty is a step on the loss with torch's weight_decay of that number."""
    start = [randn(3, 4, dtype=dtype), randn(4, seed=1, dtype=dtype)]
    ours, theirs = ([p.clone().requires_grad_() for p in start] for _ in range(2))
    for parameters, decay in ((ours, 0.0), (theirs, 0.3)):
        loss = sum((p**3).sum() for p in parameters)
        if not decay:
            loss = loss + R.l2_penalty(parameters, 0.3)
        loss.backward()
        torch.optim.SGD(parameters, lr=0.1, weight_decay=decay).step()
    for mine, twin in zip(ours, theirs, strict=True):
        assert_close(mine.detach(), twin.detach())


def test_values_and_gradients_of_the_penalties():
    weights = [randn(3, 4), randn(2, seed=1)]
    flat = torch.cat([w.flatten() for w in weights])
    assert_close(R.l2_penalty(weights, 0.4), 0.2 * flat.norm() ** 2)
    assert_close(R.l1_penalty(weights, 0.4), 0.4 * flat.norm(p=1))
    assert_close(R.l2_penalty(iter(weights), 0.4), R.l2_penalty(weights, 0.4))
    assert_close(R.l1_penalty(weights[0], 2), 2 * weights[0].norm(p=1))  # a tensor alone
    for penalty in (R.l2_penalty, R.l1_penalty):
        inputs = [w.clone().requires_grad_() for w in weights]
        assert torch.autograd.gradcheck(lambda *w, f=penalty: f(w, 0.7), inputs)
        assert penalty(weights, 0) == 0
    zero = torch.zeros(3, requires_grad=True)
    R.l1_penalty([zero], 5.0).backward()
    assert zero.grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize("bad", [-1e-9, math.nan, math.inf])
def test_penalties_refuse_coefficients_that_reward(bad):
    says = "finite number of at least 0: a negative one would reward large weights"
    for refuse in (
        lambda: R.l2_penalty([torch.ones(2)], bad),
        lambda: R.l1_penalty([torch.ones(2)], bad),
        lambda: R.decay_groups(nn.Linear(2, 2), bad),
        lambda: R.ridge(torch.ones(2, 1), torch.ones(2), bad),
        lambda: R.choose_coefficient([bad], lambda c: c),
    ):
        with pytest.raises(ValueError, match=says):
            refuse()


def test_penalties_refuse_an_iterator_that_is_used_up():
    parameters = nn.Linear(2, 2).parameters()
    R.l2_penalty(parameters, 1.0)
    with pytest.raises(ValueError, match="empty once it has been used"):
        R.l2_penalty(parameters, 1.0)


class Parts(nn.Module):
    """Everything that a group has to be found for."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.convolution = nn.Conv1d(4, 6, 3)
        self.batch_norm = nn.BatchNorm1d(6)
        self.layer_norm = nn.LayerNorm(6)
        self.gru = nn.GRU(6, 3)
        self.heads = nn.ModuleList([nn.Linear(3, 2, bias=False), nn.Linear(3, 2)])
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.tied = self.heads[0]
        self.bias = nn.Parameter(torch.ones(2, 2))  # two dimensions, and still a bias


def test_decay_groups_find_matrices_by_the_kind_of_layer():
    model = Parts()
    decay, keep = R.decay_groups(model, 0.1)
    assert decay["weight_decay"] == 0.1 and keep["weight_decay"] == 0.0
    matrices = [model.embedding.weight, model.convolution.weight, model.gru.weight_ih_l0,
                model.gru.weight_hh_l0, *(head.weight for head in model.heads)]  # fmt: skip
    assert {id(p) for p in decay["params"]} == {id(p) for p in matrices}
    everything = [*decay["params"], *keep["params"]]
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    assert len(everything) == len(trainable) and {id(p) for p in everything} == trainable


def test_decay_groups_drive_an_optimizer():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.AdamW(R.decay_groups(model, 0.5), lr=0.1)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)  # what moves now is moved by decay
    optimizer.step()
    for name, p in model.named_parameters():
        factor = 0.95 if name == "0.weight" else 1.0
        assert_close(p.detach(), factor * before[name])


def test_decay_groups_leave_out_what_is_empty():
    (only,) = R.decay_groups(nn.Linear(2, 2, bias=False), 0.1)
    assert only["weight_decay"] == 0.1
    (only,) = R.decay_groups(nn.BatchNorm1d(2), 0.1)
    assert only["weight_decay"] == 0.0
    for empty in (nn.ReLU(), nn.Linear(2, 2).requires_grad_(False)):
        with pytest.raises(ValueError, match="no trainable parameters"):
            R.decay_groups(empty, 0.1)


# ---- max-norm ----------------------------------------------------------------------------------


@given(limit=st.floats(0.1, 10), seed=st.integers(0, 30), is_kernel=st.booleans())
def test_max_norm_is_torchs_renorm(limit, seed, is_kernel):
    shape = (5, 3, 2) if is_kernel else (5, 3)
    weight = 3 * randn(*shape, seed=seed)
    ours = R.max_norm_(weight.clone(), limit)
    assert_close(ours, torch.renorm(weight, 2, 0, limit), tolerance=1e-6)
    lengths = ours.flatten(1).norm(dim=1)
    assert (lengths <= limit * (1 + 1e-12)).all()
    short = weight.flatten(1).norm(dim=1) <= limit
    assert torch.equal(ours[short], weight[short])
    assert_close(R.max_norm_(ours.clone(), limit), ours)  # idempotent
    cosine = F.cosine_similarity(ours.flatten(1), weight.flatten(1))
    assert_close(cosine, torch.ones(5, dtype=torch.float64))


def test_max_norm_works_in_place_and_leaves_zeros_alone():
    layer = nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight.fill_(2.0)
        layer.weight[1] = 0
    assert R.max_norm_(layer.weight, 1.0) is layer.weight
    assert layer.weight[1].abs().max() == 0 and layer.weight[0].tolist() == [0.5] * 4


def test_max_norm_refuses():
    for limit in (0, -1, math.nan):
        with pytest.raises(ValueError, match="expected a length above zero"):
            R.max_norm_(torch.ones(2, 2), limit)
        with pytest.raises(ValueError, match="expected a length above zero"):
            R.MaxNorm(limit)
    with pytest.raises(ValueError, match=r"shape \(3,\).*a bias is not one"):
        R.max_norm_(torch.ones(3), 1.0)


def test_the_callback_holds_the_limit_at_every_step_of_fit():
    seen = []

    class Look(Callback):
        def after_step(self, state):
            seen.append(max(row.norm().item() for row in state.model[0].weight))

    model = nn.Sequential(nn.Linear(2, 3), nn.Unflatten(1, (1, 3)), nn.Conv1d(1, 3, 3))
    model.append(nn.Flatten())
    with torch.no_grad():
        model[0].bias.fill_(50.0)
    fit(model, clusters(), epochs=3, lr=0.5, progress=False, callbacks=[R.MaxNorm(0.3), Look()])
    assert max(seen) < 0.3 + 1e-6 and max(seen) > 0.29
    assert model[2].weight.flatten(1).norm(dim=1).max() < 0.3 + 1e-6
    assert model[0].bias.max() > 10  # a bias has no limit


# ---- ridge and the code of weights -------------------------------------------------------------


@given(
    n=st.integers(1, 12),
    d=st.integers(1, 12),
    k=st.integers(0, 3),
    log_c=st.floats(-4, 4),
    seed=st.integers(0, 9),
)
def test_ridge_is_scikit_learns_and_its_gradient_is_zero(n, d, k, log_c, seed):
    x, c = randn(n, d, seed=seed), 10**log_c
    y = randn(n, *([k] if k else []), seed=seed + 1)
    w = R.ridge(x, y, c)
    twin = Ridge(alpha=c, fit_intercept=False, solver="svd").fit(x.numpy(), y.numpy())
    theirs = torch.from_numpy(np.array(twin.coef_.T, dtype=np.float64)).reshape(w.shape)
    assert torch.allclose(w, theirs, rtol=1e-6, atol=1e-8)
    w = w.requires_grad_()
    objective = (x @ w - y).square().sum() + c * w.square().sum()
    (gradient,) = torch.autograd.grad(objective, w)
    assert gradient.abs().max() < 1e-7 * max(1.0, objective.item())


@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (4, 4)])
def test_without_a_penalty_ridge_is_the_shortest_least_squares_solution(shape):
    x, y = randn(*shape), randn(shape[0], seed=1)
    theirs = torch.from_numpy(np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)[0])
    assert_close(R.ridge(x, y, 0), theirs, 1e-9)
    assert_close(R.ridge(x, y, 1e-9), theirs, 1e-5)


def test_more_ridge_never_makes_the_weights_longer_or_the_fit_better():
    x, y = randn(8, 10), randn(8, seed=1)
    found = [R.ridge(x, y, c) for c in (0, 1e-3, 0.1, 1, 10, 1e3, 1e6)]
    lengths = [float(w.norm()) for w in found]
    errors = [float((x @ w - y).norm()) for w in found]
    assert lengths == sorted(lengths, reverse=True) and errors == sorted(errors)
    assert lengths[-1] < 1e-4


def test_ridge_is_differentiable():
    inputs = [randn(5, 3).requires_grad_(), randn(5, seed=1).requires_grad_()]
    assert torch.autograd.gradcheck(lambda x, y: R.ridge(x, y, 0.7), inputs)


def test_ridge_refuses():
    x, y = randn(4, 2), randn(4, seed=1)
    for pair in ((x, y[:3]), (x[0], y), (x, randn(4, 1, 1)), (x[:0], y[:0])):
        with pytest.raises(ValueError, match=r"expected \(N, D\) and"):
            R.ridge(*pair, 1.0)
    for pair in ((x.float(), y), (x.long(), y.long())):
        with pytest.raises(ValueError, match="one floating-point dtype"):
            R.ridge(*pair, 1.0)


@given(
    values=st.lists(st.floats(-20, 20), min_size=1, max_size=8),
    step=st.floats(0.01, 3),
    std=st.floats(0.1, 5),
)
def test_gaussian_bits_are_those_of_the_normal_between_two_half_steps(values, step, std):
    values = torch.tensor(values, dtype=torch.float64)
    place = (values / step).round().numpy()
    high, low = (np.abs(place) + 0.5) * step, (np.abs(place) - 0.5) * step
    log_p = norm.logsf(low / std) + np.log1p(
        -np.exp(norm.logsf(high / std) - norm.logsf(low / std))
    )
    ours = R.gaussian_bits(values, step=step, std=std)
    assert ours == pytest.approx(-log_p.sum() / math.log(2), rel=1e-9, abs=1e-9)


def test_the_code_of_weights_is_a_code_and_pays_like_l2():
    """Its words' lengths fulfil Kraft's equality, and for small steps they are the penalty."""
    grid = torch.arange(-400, 401) * 0.1
    lengths = [R.gaussian_bits(v, step=0.1, std=1.5) for v in grid]
    assert sum(2.0**-length for length in lengths) == pytest.approx(1, abs=1e-9)
    weights, std, step = randn(50), 0.7, 1e-3
    formula = 50 * math.log2(math.sqrt(2 * math.pi) * std / step)
    formula += R.l2_penalty([weights], 1 / std**2).item() / math.log(2)
    assert R.gaussian_bits(weights, step=step, std=std) == pytest.approx(formula, rel=1e-4)
    far = R.gaussian_bits(torch.tensor([1000.0]), step=0.1, std=1.0)
    assert far == pytest.approx(1000**2 / 2 / math.log(2), rel=0.01)


def test_gaussian_bits_refuse():
    for name in ("step", "std"):
        for bad in (0, -1, math.nan, math.inf):
            with pytest.raises(ValueError, match=f"{name} is .* above zero"):
                R.gaussian_bits(torch.ones(2), **{"step": 1.0, "std": 1.0, name: bad})
    with pytest.raises(ValueError, match="nan or inf: no code"):
        R.gaussian_bits(torch.tensor([1.0, math.nan]), step=1.0, std=1.0)


# ---- steps -------------------------------------------------------------------------------------

STEPS = [(R.adam_l2_step, torch.optim.Adam), (R.adamw_step, torch.optim.AdamW)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("decay", [0.0, 0.01, 0.5])
@pytest.mark.parametrize(("step", "twin"), STEPS)
def test_steps_are_torchs(step, twin, decay, dtype):
    how = {"lr": 0.05, "weight_decay": decay, "betas": (0.8, 0.95), "eps": 1e-6}
    weight, state = randn(4, 3, dtype=dtype), {}
    theirs = nn.Parameter(weight.clone())
    optimizer = twin([theirs], **how)
    for t in range(12):
        gradient = randn(4, 3, seed=t, dtype=dtype) * 10.0 ** (t - 6)
        theirs.grad = gradient.clone()
        optimizer.step()
        step(weight, gradient, state, **how)
        assert_close(weight, theirs.detach())


@pytest.mark.parametrize(("step", "twin"), STEPS)
def test_default_numbers_of_the_steps_are_torchs(step, twin):
    weight, state = randn(3), {}
    theirs = nn.Parameter(weight.clone())
    optimizer = twin([theirs], lr=0.1, weight_decay=0.2)
    for t in range(3):
        theirs.grad = randn(3, seed=t)
        optimizer.step()
        step(weight, randn(3, seed=t), state, lr=0.1, weight_decay=0.2)
    assert_close(weight, theirs.detach())


def test_adam_forgets_the_size_of_the_decay_and_adamw_does_not():
    """Without a loss L2 in Adam moves every weight by lr, whatever the coefficient."""
    for decay in (0.001, 10.0):
        weight = torch.tensor([1.0, 100.0], dtype=torch.float64)
        R.adam_l2_step(weight, torch.zeros(2).double(), {}, lr=0.01, weight_decay=decay)
        assert torch.allclose(weight, torch.tensor([0.99, 99.99]).double(), atol=1e-5)
        weight = torch.tensor([1.0, 100.0], dtype=torch.float64)
        R.adamw_step(weight, torch.zeros(2).double(), {}, lr=0.01, weight_decay=decay)
        assert_close(weight, torch.tensor([1.0, 100.0]).double() * (1 - 0.01 * decay))


@pytest.mark.parametrize("step", [R.adam_l2_step, R.adamw_step])
def test_steps_work_on_parameters_and_keep_the_gradient(step):
    layer, states = nn.Linear(3, 2), [{}, {}]
    layer(torch.ones(1, 3)).sum().backward()
    kept = [p.grad.clone() for p in layer.parameters()]
    for p, state in zip(layer.parameters(), states, strict=True):
        step(p, p.grad, state, lr=0.1, weight_decay=0.1)
        assert state["step"] == 1 and p.requires_grad and not state["mean"].requires_grad
    assert all(torch.equal(p.grad, g) for p, g in zip(layer.parameters(), kept, strict=True))


@pytest.mark.parametrize("step", [R.adam_l2_step, R.adamw_step])
def test_steps_refuse(step):
    weight, how = torch.ones(2, 3), {"lr": 0.1, "weight_decay": 0.1}
    for name in ("lr", "weight_decay", "eps"):
        with pytest.raises(ValueError, match=f"{name} is -1"):
            step(weight, weight, {}, **how | {name: -1})
    with pytest.raises(ValueError, match="betas are"):
        step(weight, weight, {}, **how, betas=(0.9, 1.0))
    with pytest.raises(ValueError, match="gradient is None.*call backward first"):
        step(weight, None, {}, **how)
    with pytest.raises(ValueError, match=r"of shape \(3,\)"):
        step(weight, torch.ones(3), {}, **how)
    state = {}
    step(torch.ones(3), torch.ones(3), state, **how)
    with pytest.raises(ValueError, match="one dict for each weight"):
        step(weight, weight, state, **how)
    assert torch.equal(weight, torch.ones(2, 3))


# ---- early stopping ----------------------------------------------------------------------------


def clusters(n=60, seed=0, noise=0.3):
    targets = torch.arange(n) % 3
    centres = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    inputs = centres[targets] + noise * randn(n, 2, seed=seed, dtype=torch.float32)
    return Dataset(inputs, targets, tuple("abc"), "clusters", "train")


class Scripted(Callback):
    """Puts known validation losses into the history, and a mark of the epoch into the model."""

    def __init__(self, losses):
        self.losses = losses

    def after_epoch(self, state):
        state.history.validation_loss[-1] = self.losses[state.epoch]
        with torch.no_grad():
            state.model[0].bias.fill_(state.epoch)
            state.model[1].running_mean.fill_(state.epoch)


def run_scripted(losses, stopping):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    history = fit(
        model, clusters(), epochs=len(losses), validation=clusters(seed=1), progress=False,
        callbacks=[Scripted(losses), stopping],
    )  # fmt: skip
    return model, len(history.loss)


@pytest.mark.parametrize(
    ("losses", "patience", "best", "n_epochs"),
    [
        ([5, 4, 3, 4, 5, 6, 7], 2, 2, 5),
        ([5, 4, 3, 4, 5, 6, 7], 1, 2, 4),
        ([5, 4, 4, 4, 4, 4], 3, 1, 5),  # an equal loss is no improvement
        ([5, 6, 4, 6, 3, 6, 6], 2, 4, 7),
        ([9, 8, 7, 6], 1, 3, 4),  # never stopped
        ([1, 2, 3], 9, 0, 3),  # never stopped, and the best is not the last
        ([2, math.inf, 1], 2, 2, 3),
    ],
)
def test_early_stopping_waits_and_goes_back(losses, patience, best, n_epochs):
    stopping = R.EarlyStopping(patience)
    model, found = run_scripted(losses, stopping)
    assert (stopping.best_epoch, stopping.best_loss, found) == (best, losses[best], n_epochs)
    assert model[0].bias[0] == best  # weights
    assert model[1].running_mean[0] == best  # and buffers
    assert not model.training


def test_small_falls_do_not_count():
    stopping = R.EarlyStopping(2, min_delta=0.5)
    _, n_epochs = run_scripted([5, 4.8, 4.6, 4.4, 4.2], stopping)
    assert (stopping.best_epoch, n_epochs) == (0, 3)


def test_one_instance_serves_two_runs():
    stopping = R.EarlyStopping(2)
    run_scripted([3, 1, 2, 2], stopping)
    model, n_epochs = run_scripted([9, 8, 7, 8, 8], stopping)
    assert (stopping.best_epoch, stopping.best_loss, n_epochs) == (2, 7, 5)
    assert model[0].bias[0] == 2


def test_early_stopping_leaves_a_real_run_where_its_validation_loss_was_lowest():
    torch.manual_seed(0)
    train, validation = clusters(30, noise=2.0), clusters(60, seed=1, noise=2.0)
    model = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 3))
    stopping = R.EarlyStopping(5)
    history = fit(
        model, train, epochs=200, lr=0.03, batch_size=10, validation=validation, progress=False,
        callbacks=[stopping],
    )  # fmt: skip
    assert len(history.loss) < 200
    assert stopping.best_loss == min(history.validation_loss)
    assert evaluate(model, validation).loss == pytest.approx(stopping.best_loss, abs=1e-6)
    assert len(history.loss) - 1 - stopping.best_epoch == 5


def test_early_stopping_refuses():
    for patience in (0, -1, 2.5, True, None):
        with pytest.raises(ValueError, match="integer of at least 1: it counts epochs"):
            R.EarlyStopping(patience)
    with pytest.raises(ValueError, match="min_delta"):
        R.EarlyStopping(1, min_delta=-0.1)
    with pytest.raises(ValueError, match=r"fit\(validation"):
        fit(nn.Linear(2, 3), clusters(), epochs=1, progress=False, callbacks=[R.EarlyStopping(1)])
    with pytest.raises(ValueError, match="validation loss is nan in epoch 1"):
        run_scripted([1, math.nan, 1], R.EarlyStopping(1))


# ---- folds -------------------------------------------------------------------------------------


class Dealt(np.random.RandomState):
    """Shuffles as a given order says, so that scikit-learn deals the cards that we do."""

    def __init__(self, order):
        super().__init__(0)
        self.order = order

    def shuffle(self, x):
        x[:] = x[self.order]


@given(n=st.integers(2, 40), data=st.data(), seed=st.integers(0, 9))
def test_folds_are_scikit_learns(n, data, seed):
    k = data.draw(st.integers(2, n))
    order = torch.randperm(n, generator=seeded(seed)).numpy()
    twin = KFold(k, shuffle=True, random_state=Dealt(order)).split(np.zeros(n))
    for (train, held_out), (train_twin, held_out_twin) in zip(
        R.k_fold(n, k, seeded(seed)), twin, strict=True
    ):
        assert train.tolist() == train_twin.tolist()
        assert held_out.tolist() == held_out_twin.tolist()


@given(n=st.integers(20, 60), k=st.integers(2, 4), seed=st.integers(0, 9), labelled=st.booleans())
def test_folds_partition_the_data(n, k, seed, labelled):
    targets = (torch.arange(n) * 7 % 5 % 3).sort().values  # sorted, as files often are
    folds = R.k_fold(n, k, seeded(seed), targets=targets if labelled else None)
    held_out = torch.cat([held for _, held in folds])
    assert held_out.sort().values.tolist() == list(range(n))
    for train, held in folds:
        assert torch.cat([train, held]).sort().values.tolist() == list(range(n))
        assert held.tolist() == sorted(held.tolist())
    sizes = [len(held) for _, held in folds]
    assert max(sizes) - min(sizes) <= 1 and sizes == sorted(sizes, reverse=True)
    if labelled:
        for label in range(3):
            counts = [int((targets[held] == label).sum()) for _, held in folds]
            assert max(counts) - min(counts) <= 1 and min(counts) >= 1


def test_folds_are_drawn_and_repeatable():
    same = [R.k_fold(30, 3, seeded(1)) for _ in range(2)]
    assert all(torch.equal(a[1], b[1]) for a, b in zip(*same, strict=True))
    assert not torch.equal(same[0][0][1], R.k_fold(30, 3, seeded(2))[0][1])
    targets = torch.arange(30) % 3
    one, other = (R.k_fold(30, 3, seeded(s), targets=targets)[0][1] for s in (1, 2))
    assert not torch.equal(one, other)
    assert R.k_fold(3, 3, seeded())[0][1].dtype == torch.int64


def test_folds_refuse():
    for n, k in ((5, 6), (5, 1), (5, 0), (5, 2.0), (1, 1)):
        with pytest.raises(ValueError, match=f"cannot deal n={n} examples into k={k} parts"):
            R.k_fold(n, k, seeded())
    with pytest.raises(ValueError, match="generator is None"):
        R.k_fold(5, 2, None)
    with pytest.raises(ValueError, match="class 7 has 2 examples, fewer than the 3 folds"):
        R.k_fold(8, 3, seeded(), targets=torch.tensor([1, 1, 1, 7, 7, 4, 4, 4]))
    for targets in (torch.zeros(4).long(), torch.zeros(5)):
        with pytest.raises(ValueError, match="one class label for each of 5"):
            R.k_fold(5, 2, seeded(), targets=targets)


# ---- choosing ----------------------------------------------------------------------------------

TABLE = {  # three folds each: means 5, 3, 3.2, 3.4, 6
    0.0: [5, 5, 5],
    0.1: [2, 3, 4],
    1.0: [3.1, 3.2, 3.3],
    10.0: [3.3, 3.4, 3.5],
    100.0: [6, 6, 6],
}


def test_the_rules_choose():
    best = R.choose_coefficient(TABLE, TABLE.get)
    assert best.coefficient == 0.1 and best.rule == "best"
    assert best.values == pytest.approx([5, 3, 3.2, 3.4, 6])
    errors = [np.std(s, ddof=1) / math.sqrt(3) for s in TABLE.values()]
    assert best.standard_errors == pytest.approx(errors)
    simplest = R.choose_coefficient(TABLE, TABLE.get, rule="one_standard_error")
    assert simplest.coefficient == 10.0  # 3.4 <= 3 + 1 / sqrt(3)
    assert simplest.scores == tuple(tuple(map(float, s)) for s in TABLE.values())
    code = R.choose_coefficient(TABLE, TABLE.get, rule="description_length")
    assert code.coefficient == 0.1 and code.values == pytest.approx([15, 9, 9.6, 10.2, 18])


def test_candidates_come_in_any_order_and_each_is_asked_once():
    asked = []

    def score(c):
        asked.append(c)
        return torch.tensor((c - 2) ** 2)

    choice = R.choose_coefficient([5, 1, 2, 3], score)
    assert choice.coefficient == 2.0 and choice.coefficients == (1.0, 2.0, 3.0, 5.0)
    assert asked == [1.0, 2.0, 3.0, 5.0] and all(math.isnan(e) for e in choice.standard_errors)


@given(
    st.dictionaries(
        st.floats(0, 100),
        st.lists(st.floats(-9, 9), min_size=3, max_size=3),
        min_size=1,
        max_size=6,
    )
)
def test_one_standard_error_is_never_less_regularized_and_never_far_worse(table):
    best = R.choose_coefficient(table, table.get)
    simple = R.choose_coefficient(table, table.get, rule="one_standard_error")
    assert simple.coefficient >= best.coefficient
    place = best.coefficients.index(best.coefficient)
    limit = best.values[place] + best.standard_errors[place]
    assert simple.values[simple.coefficients.index(simple.coefficient)] <= limit + 1e-12
    assert min(best.values) == best.values[place]


def test_ties_go_to_the_larger_coefficient():
    assert R.choose_coefficient([0, 1, 2], lambda c: 1.0).coefficient == 2.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, [1.0, math.nan], []])
def test_scores_that_are_no_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="scores of coefficient 2 are .*expected finite numbers"):
        R.choose_coefficient([1, 2], lambda c: bad if c == 2 else 0.0)


def test_choosing_refuses():
    with pytest.raises(ValueError, match="no rule 'median'"):
        R.choose_coefficient([1], lambda c: c, rule="median")
    for candidates in ([], [1, 1.0]):
        with pytest.raises(ValueError, match="at least one and all different"):
            R.choose_coefficient(candidates, lambda c: c)
    with pytest.raises(ValueError, match="equally many"):
        R.choose_coefficient([1, 2], lambda c: [0.0] * int(c))
    with pytest.raises(ValueError, match="one score has no standard error"):
        R.choose_coefficient([1, 2], lambda c: c, rule="one_standard_error")


@pytest.mark.parametrize(
    ("rule", "labels"),
    [
        ("best", {"mean", "chosen"}),
        ("one_standard_error", {"mean", "chosen", "lowest + one standard error"}),
        ("description_length", {"total", "model", "labels", "chosen"}),
    ],
)
def test_the_table_is_drawn(rule, labels):
    choice = R.choose_coefficient([0, 0.1, 1], lambda c: [c, 1 + c**2], rule=rule)
    (ax,) = choice.figure(title="a title").axes
    assert {text.get_text() for text in ax.get_legend().get_texts()} == labels
    assert ax.get_title() == "a title" and ax.get_xlabel() == "coefficient"
    assert ax.get_ylabel() == ("bits" if "length" in rule else "mean score (lower is better)")
    (ax,) = R.choose_coefficient([0.5], lambda c: c).figure(ylabel="error").axes
    assert ax.get_ylabel() == "error"
