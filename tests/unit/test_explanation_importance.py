"""Permutation importance against scikit-learn's, Shapley values against shap's, and their laws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import shap
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import inspection
from sklearn.base import BaseEstimator
from torch import nn

from companion import explanation as E
from companion import models
from companion.metrics import accuracy

seeds = st.integers(0, 99)


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def net(n_inputs=5, n_classes=3, seed=0):
    torch.manual_seed(seed)
    return models.mlp(n_inputs, 12, n_classes).double().eval()


def right(logits, y):
    return accuracy(logits.argmax(1), y)


class Estimator(BaseEstimator):
    """A network as scikit-learn sees one."""

    def __init__(self, model):
        self.model = model

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, x, y):
        raise NotImplementedError

    def predict(self, x):
        with torch.no_grad():
            return self.model(torch.from_numpy(x)).argmax(1).numpy()


def replayed(n, n_groups, n_repeats, seed):
    """The orders that scikit-learn draws: each repeat shuffles what the one before left."""
    state = np.random.RandomState(np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1))
    order, column, orders = np.arange(n), np.arange(n), []
    for _ in range(n_repeats):
        state.shuffle(order)
        column = column[order]
        orders.append(column)
    return torch.from_numpy(np.stack([orders] * n_groups))  # every column starts from one seed


# ---- permutation importance --------------------------------------------------------------------


@given(seed=seeds)
def test_drops_are_scikit_learns_on_the_same_permutations(seed):
    x, y = randn(40, 5, seed=seed), torch.arange(40) % 3
    model = net(seed=seed)
    theirs = inspection.permutation_importance(
        Estimator(model), x.numpy(), y.numpy(), scoring="accuracy", n_repeats=4, random_state=seed
    )
    orders = replayed(40, 5, 4, seed)
    ours = E.permutation_importance(model, x, y, metric=right, permutations=orders)
    np.testing.assert_allclose(ours.drops, theirs.importances, atol=1e-12)
    np.testing.assert_allclose(ours.mean, theirs.importances_mean, atol=1e-12)
    np.testing.assert_allclose(ours.std, theirs.importances_std, atol=1e-12)
    assert ours.baseline == right(model(x), y)


def loss(outputs, y):
    return -float((outputs - y).square().mean())


def linear(weight):
    return lambda x: x @ weight


def test_an_ignored_column_scores_exactly_zero():
    x, weight = randn(50, 4), torch.tensor([1.0, 0.0, -2.0, 0.0], dtype=torch.float64)
    found = E.permutation_importance(
        linear(weight), x, x @ weight, metric=loss, generator=generator()
    )
    assert found.baseline == 0 and found.drops.shape == (4, 5)
    assert (found.drops[[1, 3]] == 0).all() and (found.drops[[0, 2]] > 0).all()


def test_the_drop_of_a_linear_model_is_twice_the_variance():
    x, weight = randn(20_000, 2), torch.tensor([1.0, -2.0], dtype=torch.float64)
    found = E.permutation_importance(
        linear(weight), x, x @ weight, metric=loss, generator=generator()
    )
    expected = 2 * weight.square() * x.var(0)  # E (w x - w x')^2 of two independent draws
    torch.testing.assert_close(found.mean, expected, rtol=0.02, atol=0)


def test_columns_of_a_group_move_together():
    first = randn(60, 1)
    x = torch.cat([first, first, randn(60, 1, seed=1)], 1)
    together = E.permutation_importance(
        lambda x: x[:, 0] - x[:, 1], x, torch.zeros(60), metric=loss, groups=[[0, 1], [0], [2]],
        generator=generator(),
    )  # fmt: skip
    assert (together.drops[[0, 2]] == 0).all() and (together.drops[1] > 1).all()


def test_importance_of_a_twin_is_shared():
    first = randn(200, 1)
    x, y = torch.cat([first, first], 1), first[:, 0]
    found = E.permutation_importance(
        lambda x: x.mean(1), x, y, metric=loss, groups=[[0], [0, 1]], generator=generator()
    )
    assert found.mean[0] < 0.3 * found.mean[1]


def test_large_data_give_the_same_as_small_calls(monkeypatch):
    x, y, model = randn(30, 5), torch.arange(30) % 3, net()

    def drops():
        return E.permutation_importance(
            model, x, y, metric=right, n_repeats=7, generator=generator(3)
        ).drops

    expected = drops()
    monkeypatch.setattr("companion.explanation.permutation.ROWS_PER_CALL", 61)
    assert torch.equal(drops(), expected)


def test_the_generator_decides():
    x, y, model = randn(30, 5), torch.arange(30) % 3, net()
    a, b, c = (
        E.permutation_importance(model, x, y, metric=right, generator=generator(s)).drops
        for s in (0, 0, 1)
    )
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_the_data_and_the_model_stay_as_they_were():
    x, y, model = randn(30, 5), torch.arange(30) % 3, net()
    before = x.clone()
    E.permutation_importance(model, x, y, metric=right)
    assert torch.equal(x, before) and all(p.grad is None for p in model.parameters())


def with_nan(x):
    x = x.clone()
    x[1, 2] = torch.nan
    return x


X, Y = randn(20, 3), torch.arange(20) % 3
ORDERS = torch.stack([torch.randperm(20) for _ in range(6)]).view(3, 2, 20)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"x": with_nan(X)}, "1 of 60 values of x are nan"),
        ({"x": X[:1], "y": Y[:1]}, "nothing to be exchanged"),
        ({"x": X[0], "y": Y[:1]}, "keeps its batch dimension"),
        ({"y": Y[:19]}, "19 labels"),
        ({"x": X > 0}, "torch.bool, expected a floating-point"),
        ({"groups": [[0], [3]]}, "no column 3"),
        ({"groups": [0, 1]}, "list of lists"),
        ({"groups": [[0], []]}, "none empty"),
        ({"groups": []}, "none empty"),
        ({"n_repeats": 0}, "n_repeats is 0"),
        ({"permutations": ORDERS[:2]}, "3 groups and 20 rows"),
        ({"permutations": ORDERS.clamp(min=1)}, "each row"),
        ({"metric": lambda output, y: float("nan")}, "expected a finite number"),
    ],
)
def test_bad_input_to_permutation_importance(change, match):
    given = {"x": X, "y": Y, "metric": right} | change
    with pytest.raises(ValueError, match=match):
        E.permutation_importance(net(3), given.pop("x"), given.pop("y"), **given)


def test_train_mode_is_refused():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout()).double()
    with pytest.raises(ValueError, match="attribution in train mode: Dropout"):
        E.permutation_importance(model, X, Y, metric=right)


# ---- Shapley values ----------------------------------------------------------------------------


def game(seed, d=5):
    """Worths of all coalitions of `d` players."""
    return randn(2**d, seed=seed)


def by_orders(worth, d):
    """The mean gain over all orders, one after the other."""
    values = np.zeros(d)
    orders = list(itertools.permutations(range(d)))
    for order in orders:
        there = 0
        for player in order:
            values[player] += float(worth[there | 1 << player] - worth[there])
            there |= 1 << player
    return torch.from_numpy(values / len(orders))


@given(seed=seeds, d=st.integers(1, 5))
def test_exact_values_are_the_mean_over_all_orders(seed, d):
    worth = game(seed, d)
    found = E.exact_shapley(lambda masks: worth, d)
    torch.testing.assert_close(found, by_orders(worth, d), rtol=1e-10, atol=1e-10)


def test_coalitions_are_bits():
    masks = E.coalitions(3)
    assert masks.dtype == torch.bool and masks.shape == (8, 3)
    assert not masks[0].any() and masks[7].all() and masks[5].tolist() == [True, False, True]


@given(seed=seeds)
def test_efficiency_and_linearity(seed):
    a, b = game(seed), game(seed + 1)
    first, second, both = (
        E.exact_shapley(lambda masks, worth=worth: worth, 5) for worth in (a, b, 2 * a - b)
    )
    torch.testing.assert_close(first.sum(), a[-1] - a[0])
    torch.testing.assert_close(both, 2 * first - second)
    table = E.exact_shapley(lambda masks: torch.stack([a, b], 1), 5)
    torch.testing.assert_close(table, torch.stack([first, second], 1))


@given(seed=seeds)
def test_a_dummy_gets_nothing_and_twins_the_same(seed):
    small = game(seed, 3)  # of players 0, 1 and the number of twins that are there

    def value(masks):
        n_twins = masks[:, 2].long() + masks[:, 3].long()
        return small[masks[:, 0] + 2 * masks[:, 1]] * (1 + n_twins)

    found = E.exact_shapley(value, 5)
    torch.testing.assert_close(found[4], torch.tensor(0.0).double())
    torch.testing.assert_close(found[2], found[3])


def positive(model, target):
    def output(x):
        with torch.no_grad():
            return model(torch.from_numpy(x).double())[:, target].numpy()

    return output


@pytest.mark.parametrize("seed", range(3))
def test_exact_values_are_shaps(seed):
    model, x, background = net(6, seed=seed), randn(4, 6, seed=seed), randn(9, 6, seed=seed + 50)
    masker = shap.maskers.Independent(background.numpy(), max_samples=100)
    theirs = shap.explainers.ExactExplainer(positive(model, 1), masker)(x.numpy())
    ours = E.shapley_values(model, x, background, target=1)
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-10)
    np.testing.assert_allclose(ours.base.expand(4), theirs.base_values, atol=1e-10)
    assert ours.standard_error is None


@given(seed=seeds)
def test_of_a_linear_model_values_are_exact(seed):
    weight, x, background = randn(6, seed=seed), randn(3, 6, seed=seed + 1), randn(8, 6, seed=7)
    expected = weight * (x - background.mean(0))
    exact = E.shapley_values(linear(weight), x, background)
    torch.testing.assert_close(exact.values, expected)
    torch.testing.assert_close(exact.base, (background @ weight).mean())
    sampled = E.shapley_values(
        linear(weight), x, background, method="sampled", n_samples=4, generator=generator()
    )
    torch.testing.assert_close(sampled.values, expected)
    assert sampled.standard_error.max() < 1e-10


@pytest.mark.parametrize("method", ["exact", "sampled"])
def test_values_add_up_to_the_output(method):
    model, x, background = net(), randn(4, 5), randn(9, 5, seed=3)
    targets = torch.tensor([0, 2, 1, 2])
    found = E.shapley_values(
        model, x, background, target=targets, method=method, n_samples=6, generator=generator()
    )
    expected = model(x).gather(1, targets[:, None])[:, 0]
    assert found.values.shape == (4, 5) and found.base.shape == (4,)
    torch.testing.assert_close(found.base + found.values.sum(1), expected)
    one = E.shapley_values(
        model, x[1:2], background, target=2, method=method, n_samples=6, generator=generator()
    )
    assert one.base.shape == ()
    torch.testing.assert_close(one.values[0], found.values[1])


def test_the_standard_error_is_that_of_the_sampled_values():
    model, x, background = net(), randn(2, 5), randn(6, 5, seed=3)
    exact = E.shapley_values(model, x, background, target=0).values
    draws = [
        E.shapley_values(
            model, x, background, target=0, method="sampled", n_samples=20,
            generator=generator(seed),
        )
        for seed in range(60)
    ]  # fmt: skip
    missed = torch.stack([draw.values - exact for draw in draws]).square().mean()
    told = torch.stack([draw.standard_error for draw in draws]).square().mean()
    assert 0.8 < (missed / told).sqrt() < 1.25
    assert draws[0].standard_error.shape == (2, 5)


def test_small_calls_give_the_same(monkeypatch):
    model, x, background = net(), randn(3, 5), randn(9, 5, seed=3)
    expected = E.shapley_values(model, x, background, target=0).values
    monkeypatch.setattr("companion.explanation.shapley.ROWS_PER_CALL", 50)
    torch.testing.assert_close(E.shapley_values(model, x, background, target=0).values, expected)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"x": randn(2, 30), "background": randn(10, 30)},
         r"2\^30 x 10 = 10,737,418,240 model calls for each example.*sampled"),
        ({"background": randn(5, 4)}, r"background \(5, 4\)"),
        ({"background": X[0]}, "background has shape"),
        ({"x": with_nan(X)}, "values of x are nan"),
        ({"background": with_nan(X)}, "values of background are nan"),
        ({"x": X[0]}, "keeps its batch dimension"),
        ({"target": None}, "the model has 3 outputs: target says which"),
        ({"target": 3}, "target 3 is out of range"),
        ({"target": torch.tensor([0, 1, 5])}, "one class for each of the 20"),
        ({"target": torch.full((20,), 5)}, "target 5 is out of range"),
        ({"method": "kernel"}, "expected one of exact, sampled"),
        ({"method": "sampled", "n_samples": 7}, "even integer of at least 4"),
        ({"method": "sampled", "n_samples": 2}, "even integer of at least 4"),
    ],
)  # fmt: skip
def test_bad_input_to_shapley_values(change, match):
    given = {"x": X, "background": X, "target": 0} | change
    model = net(given["x"].shape[-1])
    with pytest.raises(ValueError, match=match):
        E.shapley_values(model, given.pop("x"), given.pop("background"), **given)


def test_bad_input_to_exact_shapley():
    with pytest.raises(ValueError, match=r"30 players have 2\^30 = 1,073,741,824 coalitions"):
        E.exact_shapley(lambda masks: masks.sum(1), 30)
    with pytest.raises(ValueError, match="n_players is 0"):
        E.exact_shapley(lambda masks: masks.sum(1), 0)
    with pytest.raises(ValueError, match="one worth for each of the 8"):
        E.exact_shapley(lambda masks: masks.sum(), 3)
    with pytest.raises(ValueError, match="the model gives"):
        E.shapley_values(lambda x: x.sum(), X, X)


def test_thirty_features_can_be_sampled():
    weight, x = randn(30), randn(2, 30, seed=1)

    def model(x):
        return (x @ weight).tanh()

    found = E.shapley_values(model, x, randn(5, 30, seed=2), method="sampled", n_samples=8)
    torch.testing.assert_close(found.base + found.values.sum(1), model(x))
