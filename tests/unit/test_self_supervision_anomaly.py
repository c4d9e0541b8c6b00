"""Scores of strangeness are their twins', and thresholds need normal examples alone."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import decomposition
from sklearn.neighbors import NearestNeighbors
from torch import nn

from companion import self_supervision as S
from companion.metrics import auroc
from companion.training import predict

seeds = st.integers(0, 99)


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- scores ------------------------------------------------------------------------------------


@given(seed=seeds, k=st.integers(1, 30), offset=st.sampled_from([0.0, 1000.0]))
def test_neighbour_scores_are_scikit_learns(seed, k, offset):
    x, normal = (randn(n, 2, 3, seed=seed + n) + offset for n in (9, 30))
    twin = NearestNeighbors(n_neighbors=k).fit(normal.flatten(1).numpy())
    expected = twin.kneighbors(x.flatten(1).numpy())[0].mean(1)
    assert np.allclose(S.knn_score(x, normal, k=k), expected, atol=1e-9)


def test_one_neighbour_by_default_and_many_rows():
    x, normal = randn(1100, 4), randn(20, 4, seed=1)
    expected = torch.cdist(x, normal).min(1).values
    assert torch.allclose(S.knn_score(x, normal), expected)
    single = S.knn_score(x.float(), normal.float())
    assert single.dtype == torch.float32 and torch.allclose(single, expected.float(), atol=1e-5)
    assert not S.knn_score(normal.float(), normal.float()).any()  # each is its own neighbour


@given(seed=seeds, k=st.integers(1, 5))
def test_plane_scores_are_scikit_learns(seed, k):
    x, normal = (randn(n, 2, 3, seed=seed + n) for n in (9, 30))
    twin = decomposition.PCA(k).fit(normal.flatten(1).numpy())
    flat = x.flatten(1).numpy()
    rest = twin.inverse_transform(twin.transform(flat)) - flat
    assert np.allclose(S.pca_score(x, normal, n_components=k), (rest**2).mean(1))


def test_reconstruction_scores_are_the_error_of_each_example():
    torch.manual_seed(0)
    model = S.Autoencoder(6, (5,), 2).train()
    x = randn(7, 2, 3, dtype=torch.float32)
    errors = [((predict(model, x[i : i + 1]) - x[i : i + 1]) ** 2).mean() for i in range(7)]
    assert torch.allclose(S.reconstruction_score(model, x), torch.stack(errors))
    assert model.training


def test_a_model_that_restores_is_shown_what_is_spoiled():
    x = randn(7, 40, dtype=torch.float32)

    def corrupt(x, generator):
        return S.add_noise(x, amount=0.5, generator=generator)

    found = S.reconstruction_score(
        nn.Identity(), x, corrupt=corrupt, n_draws=3, generator=seeded(1)
    )
    generator = seeded(1)
    expected = sum((corrupt(x, generator) - x).square().mean(1) for _ in range(3)) / 3
    assert torch.allclose(found, expected) and found.mean() == pytest.approx(0.25, rel=0.3)
    with pytest.raises(ValueError, match="corrupt draws from a generator"):
        S.reconstruction_score(nn.Identity(), x, corrupt=corrupt)
    with pytest.raises(ValueError, match="corrupt draws from a generator, at least once"):
        S.reconstruction_score(nn.Identity(), x, corrupt=corrupt, n_draws=0, generator=seeded())


def test_a_channel_given_to_the_model_is_no_part_of_the_target():
    x = torch.rand(5, 1, 4, 4)
    mask = S.patch_mask(x.shape, patch=2, share=0.5, generator=seeded())

    class First(nn.Module):
        def forward(self, x):
            return x[:, :1]

    found = S.reconstruction_score(
        First(), x, corrupt=lambda x, g: S.with_mask_channel(x, mask), generator=seeded()
    )
    assert torch.allclose(found, (x * mask).square().mean((1, 2, 3)))


def test_scores_refuse():
    x, normal = randn(4, 6), randn(9, 6, seed=1)
    for score in (S.knn_score, lambda x, n: S.pca_score(x, n, n_components=2)):
        with pytest.raises(ValueError, match=r"normal has shape \(0, 6\).*at least one example"):
            score(x, normal[:0])
        with pytest.raises(ValueError, match=r"shape \(6,\), normal of \(5,\)"):
            score(x, normal[:, :5])
        with pytest.raises(ValueError, match="examples of normal hold nan or inf"):
            score(x, normal * math.nan)
        with pytest.raises(ValueError, match="were labels passed"):
            score(x, torch.arange(9))
    for k in (0, 10, 1.0):
        with pytest.raises(ValueError, match="integer from 1 to 9"):
            S.knn_score(x, normal, k=k)
    with pytest.raises(ValueError, match="n_components is 9, expected at most 6"):
        S.pca_score(x, normal, n_components=9)
    with pytest.raises(ValueError, match="a reconstruction has the shape of its target"):
        S.reconstruction_score(nn.Linear(6, 2).double(), x)


# ---- thresholds --------------------------------------------------------------------------------


scores = st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 7.0]), min_size=2, max_size=40)


@given(values=scores, rate=st.floats(0, 0.999))
def test_the_threshold_is_the_smallest_that_keeps_the_rate(values, rate):
    found_for = torch.tensor(values)
    if len(set(values)) == 1:
        with pytest.raises(ValueError, match="a constant score orders nothing"):
            S.choose_threshold(found_for, false_alarm_rate=rate)
        return
    threshold = S.choose_threshold(found_for, false_alarm_rate=rate)
    assert threshold in values
    assert (found_for > threshold).double().mean().item() <= rate
    smaller = [v for v in values if v < threshold] + [min(values) - 1]
    assert (found_for > max(smaller)).double().mean().item() > rate


@given(n=st.integers(2, 300), data=st.data())
def test_exact_shares_are_used_up(n, data):
    n_alarms = data.draw(st.integers(0, n - 1))
    values = torch.randperm(n, generator=seeded(n)).float()
    threshold = S.choose_threshold(values, false_alarm_rate=n_alarms / n)
    assert (values > threshold).sum() == n_alarms
    assert Fraction(int((values > threshold).sum()), n) == Fraction(n_alarms, n)


def test_thresholds_keep_the_rate_on_new_normal_examples():
    threshold = S.choose_threshold(randn(4000), false_alarm_rate=0.05)
    alarms = (randn(4000, seed=1) > threshold).double().mean().item()
    assert abs(alarms - 0.05) < 5 * math.sqrt(2 * 0.05 * 0.95 / 4000)
    assert S.choose_threshold(randn(50), false_alarm_rate=0.0) == randn(50).max().item()


def test_single_precision_scores_are_split_as_asked():
    values = torch.rand(100, generator=seeded())
    for n_alarms in range(100):  # 0.29 * 100 is 28.999...
        rate = n_alarms / 100
        assert (values > S.choose_threshold(values, false_alarm_rate=rate)).sum() == n_alarms
        below = math.nextafter(rate, -1)
        if n_alarms:
            threshold = S.choose_threshold(values, false_alarm_rate=below)
            assert (values > threshold).sum() == n_alarms - 1


def test_thresholds_refuse():
    values = torch.tensor([1.0, 2.0])
    for rate in (-0.1, 1, 5, math.nan, None, "0.1"):
        with pytest.raises(ValueError, match=r"false_alarm_rate is .*\[0, 1\)"):
            S.choose_threshold(values, false_alarm_rate=rate)
    with pytest.raises(ValueError, match="no normal scores"):
        S.choose_threshold(values[:0], false_alarm_rate=0.1)
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="a normal score is nan or inf"):
            S.choose_threshold(torch.tensor([1.0, bad]), false_alarm_rate=0.1)
    with pytest.raises(ValueError, match="all 5 normal scores are 3: .*did the model collapse"):
        S.choose_threshold(torch.full((5,), 3.0), false_alarm_rate=0.1)


# ---- Deep SVDD ---------------------------------------------------------------------------------


def small_encoder(bias=False):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 16, bias=bias), nn.ReLU(), nn.Linear(16, 4, bias=bias))


def normal_and_strange(n=200, seed=0):
    plane = randn(2, 10, seed=60, dtype=torch.float32)
    normal = (randn(n, 2, seed=seed, dtype=torch.float32).abs() + 1) @ plane
    return normal, 3 * randn(n, 10, seed=seed + 1, dtype=torch.float32)


def test_deep_svdd_scores_the_squared_distance_from_its_first_mean():
    normal, strange = normal_and_strange()
    encoder = small_encoder()
    mean = predict(encoder, normal).mean(0)
    svdd = S.DeepSVDD(encoder)
    first = S.DeepSVDD(small_encoder())
    first.fit(normal, epochs=1, lr=0.0)
    expected = torch.where(mean.abs() < 0.1, 0.1 * torch.where(mean < 0, -1.0, 1.0), mean)
    assert torch.allclose(first.centre, expected, atol=1e-5)
    untrained = (predict(small_encoder(), strange) - expected).square().sum(1)
    assert torch.allclose(first.score(strange), untrained, rtol=1e-4)
    history = svdd.fit(normal, epochs=30, lr=0.01, batch_size=50)
    assert torch.equal(svdd.centre, first.centre) and history.loss[-1] < 0.7 * history.loss[0]
    new = normal_and_strange(seed=5)[0]
    is_strange = torch.cat([torch.zeros(200), torch.ones(200)])
    assert auroc(svdd.score(torch.cat([new, strange])), is_strange) > 0.95


def test_no_coordinate_of_the_centre_is_near_zero():
    encoder = nn.Linear(3, 3, bias=False)
    nn.init.eye_(encoder.weight)
    svdd = S.DeepSVDD(encoder)
    svdd.fit(torch.tensor([[0.01, -0.01, 5.0], [0.03, -0.03, 7.0]]), epochs=1, lr=0.0)
    assert torch.allclose(svdd.centre, torch.tensor([0.1, -0.1, 6.0]))


def test_the_centre_is_measured_with_the_batchs_own_norm():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.BatchNorm1d(10, affine=False), *small_encoder())
    normal = 50 + 9 * normal_and_strange()[0]
    expected = small_encoder()((normal - normal.mean(0)) / normal.std(0, correction=0)).mean(0)
    svdd = S.DeepSVDD(encoder)
    svdd.fit(normal, epochs=1, lr=0.0, batch_size=200)
    big = expected.abs() > 0.1
    assert big.any() and torch.allclose(svdd.centre[big], expected[big], atol=1e-4)


def test_biases_are_refused_because_they_collapse():
    with pytest.raises(ValueError, match=r"has biases \(0.bias, 2.bias\).*a loss of zero that"):
        S.DeepSVDD(small_encoder(bias=True))
    with pytest.raises(ValueError, match="collapse.*bias=False and batch norm with affine=False"):
        S.DeepSVDD(S.conv_encoder(8, 4))
    with pytest.raises(ValueError, match="has biases"):
        S.DeepSVDD(nn.Sequential(nn.Linear(4, 2, bias=False), nn.BatchNorm1d(2)))
    S.DeepSVDD(S.conv_encoder(8, 4, bias=False))
    collapsed = S.DeepSVDD(small_encoder(bias=True), allow_bias=True)
    normal, strange = normal_and_strange()
    collapsed.fit(normal, epochs=1, lr=0.0)
    with torch.no_grad():  # what the message says: no weights, and the centre for a bias
        for parameter in collapsed.encoder.parameters():
            parameter.zero_()
        collapsed.encoder[2].bias.copy_(collapsed.centre)
    assert not collapsed.score(torch.cat([normal, strange])).any()
    with pytest.raises(ValueError, match="a constant score orders nothing"):
        S.choose_threshold(collapsed.score(normal), false_alarm_rate=0.1)


def test_deep_svdd_refuses():
    svdd = S.DeepSVDD(small_encoder())
    with pytest.raises(ValueError, match=r"no centre yet: call fit\(normal\)"):
        svdd.score(randn(3, 10, dtype=torch.float32))
    with pytest.raises(ValueError, match="normal has shape .0, 10."):
        svdd.fit(torch.zeros(0, 10))
