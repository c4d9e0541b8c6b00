"""Permutation importance against scikit-learn's, Shapley values against shap's, and their laws."""

from __future__ import annotations

import numpy as np
import pytest
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
