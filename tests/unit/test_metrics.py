"""Scores agree with scikit-learn and torchmetrics, ties and absent classes included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchmetrics.classification as tm
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from companion import metrics

labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


def split(pairs):
    return torch.tensor([p for p, _ in pairs]), torch.tensor([t for _, t in pairs])


@given(pairs=labels)
def test_label_scores_are_scikit_learns(pairs):
    predicted, targets = split(pairs)
    confusion = metrics.confusion_matrix(predicted, targets, 5)
    how = {"labels": list(range(5))}
    assert confusion.tolist() == sk.confusion_matrix(targets, predicted, **how).tolist()
    assert metrics.accuracy(predicted, targets) == pytest.approx(
        sk.accuracy_score(targets, predicted)
    )
    how |= {"average": None, "zero_division": 0}
    for ours, theirs in (
        (metrics.precision, sk.precision_score),
        (metrics.recall, sk.recall_score),
        (metrics.f1, sk.f1_score),
    ):
        assert ours(confusion).tolist() == pytest.approx(list(theirs(targets, predicted, **how)))


@given(pairs=labels)
def test_label_scores_are_torchmetrics(pairs):
    predicted, targets = split(pairs)
    confusion = metrics.confusion_matrix(predicted, targets, 5)
    assert torch.equal(confusion, tm.MulticlassConfusionMatrix(5)(predicted, targets))
    for ours, theirs in (
        (metrics.precision, tm.MulticlassPrecision),
        (metrics.recall, tm.MulticlassRecall),
        (metrics.f1, tm.MulticlassF1Score),
    ):
        expected = theirs(5, average="none")(predicted, targets)
        assert torch.allclose(ours(confusion).float(), expected)


def test_rows_of_the_confusion_matrix_are_the_truth():
    confusion = metrics.confusion_matrix(torch.tensor([1, 1]), torch.tensor([0, 0]), 2)
    assert confusion.tolist() == [[0, 2], [0, 0]]


scores = st.lists(
    st.tuples(st.integers(-3, 3) | st.floats(-3, 3, width=32), st.booleans()),
    min_size=2,
    max_size=40,
).filter(lambda pairs: len({positive for _, positive in pairs}) == 2)


@given(pairs=scores)
def test_roc_curve_and_its_area_are_scikit_learns(pairs):
    """Small integers tie often."""
    values = torch.tensor([float(v) for v, _ in pairs])
    positive = torch.tensor([p for _, p in pairs])
    ours = metrics.roc_curve(values, positive)
    theirs = sk.roc_curve(positive, values, drop_intermediate=False)
    for a, b in zip(ours, theirs, strict=True):
        assert a.tolist() == pytest.approx(b.tolist())
    area = metrics.auroc(values, positive)
    ranks = values.unique(return_inverse=True)[1]  # torchmetrics would round scores to float32
    assert area == pytest.approx(sk.roc_auc_score(positive, values))
    assert area == pytest.approx(
        tm.BinaryAUROC()(ranks / len(pairs), positive.int()).item(), abs=1e-5
    )


def test_area_is_scikit_learns_on_a_thousand_cases_with_ties():
    generator, n_tied = np.random.default_rng(0), 0
    for _ in range(1000):
        n, n_levels = generator.integers(2, 80), generator.integers(2, 12)
        values = generator.integers(0, n_levels, n) / n_levels  # few levels: ties
        positive = generator.random(n) < generator.uniform(0.1, 0.9)
        positive[:2] = True, False
        n_tied += len(np.unique(values)) < n
        found = metrics.auroc(torch.from_numpy(values), torch.from_numpy(positive))
        assert found == pytest.approx(sk.roc_auc_score(positive, values), abs=1e-12)
    assert n_tied > 900


@given(pairs=scores)
def test_area_is_the_chance_that_a_positive_outscores_a_negative(pairs):
    values = torch.tensor([float(v) for v, _ in pairs])
    positive = torch.tensor([p for _, p in pairs])
    gap = values[positive][:, None] - values[~positive]
    wins = (gap > 0).double() + (gap == 0).double() / 2
    assert metrics.auroc(values, positive) == pytest.approx(wins.mean().item())
    assert metrics.auroc(-values, positive) == pytest.approx(1 - wins.mean().item())


@given(seed=st.integers(0, 99), n_bins=st.integers(1, 20))
def test_calibration_error_is_torchmetrics(seed, n_bins):
    generator = torch.Generator().manual_seed(seed)
    probabilities = (2 * torch.randn(50, 4, generator=generator, dtype=torch.float64)).softmax(1)
    targets = torch.randint(0, 4, (50,), generator=generator)
    found = metrics.calibration(probabilities, targets, n_bins)
    expected = tm.MulticlassCalibrationError(4, n_bins=n_bins)(probabilities, targets)
    assert found["error"].item() == pytest.approx(expected.item(), abs=1e-6)
    assert found["count"].sum() == 50 and len(found["accuracy"]) == n_bins
    used = found["count"] > 0
    edges = torch.arange(n_bins) / n_bins
    assert (found["confidence"][used] >= edges[used] - 1e-9).all()
    assert (found["confidence"][used] <= edges[used] + 1 / n_bins + 1e-9).all()


def test_calibration_of_one_sure_answer():
    sure = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    found = metrics.calibration(sure, torch.tensor([0, 1]), n_bins=5)
    assert found["confidence"].tolist() == [0, 0, 0, 0, 1]
    assert found["accuracy"].tolist() == [0, 0, 0, 0, 0.5]
    assert found["error"] == 0.5


FIVE, LOGITS = torch.arange(5), torch.randn(5, 5)


@pytest.mark.parametrize(
    ("says", "function"),
    [
        (r"\(5, 5\).*must both be \(N,\).*argmax", lambda: metrics.accuracy(LOGITS, FIVE)),
        (r"\(4,\) and targets \(5,\)", lambda: metrics.accuracy(FIVE[:4], FIVE)),
        ("no examples to score", lambda: metrics.accuracy(FIVE[:0], FIVE[:0])),
        ("targets run from 0 to 4, expected 0 to 3",
         lambda: metrics.confusion_matrix(FIVE.clamp(max=3), FIVE, 4)),
        ("predicted labels run from -1 to 3",
         lambda: metrics.confusion_matrix(FIVE - 1, FIVE, 5)),
        ("argmax", lambda: metrics.confusion_matrix(LOGITS, FIVE, 5)),
        ("needs both classes, got 5 positive, 0 negative",
         lambda: metrics.roc_curve(FIVE, torch.ones(5))),
        ("needs both classes, got 0 positive, 5 negative",
         lambda: metrics.auroc(FIVE, torch.zeros(5))),
        ("nan", lambda: metrics.auroc(FIVE / 0.0 * 0, FIVE > 2)),
        (r"\(5, 5\)", lambda: metrics.roc_curve(LOGITS, FIVE > 2)),
        ("softmax", lambda: metrics.calibration(LOGITS, FIVE)),
        ("no examples", lambda: metrics.calibration(LOGITS[:0], FIVE[:0])),
    ],
)  # fmt: skip
def test_bad_input_says_what_came_and_what_was_expected(says, function):
    with pytest.raises(ValueError, match=says) as caught:
        function()
    assert "\n" not in str(caught.value)
