"""Masks hide what they say, the loss is on the hidden part, and gaps are filled as the twins do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import decomposition
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import Ridge

from companion import self_supervision as S
from companion.data import Dataset

shares = st.floats(0.05, 0.95)
seeds = st.integers(0, 99)


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- masks -------------------------------------------------------------------------------------


@given(share=shares, seed=seeds)
def test_random_masks_hide_the_share(share, seed):
    mask = S.random_mask((40, 1, 10, 10), share, generator=seeded(seed))
    assert mask.dtype == torch.bool and mask.shape == (40, 1, 10, 10)
    deviation = math.sqrt(share * (1 - share) / mask.numel())
    assert abs(mask.double().mean().item() - share) < 5 * deviation
    assert torch.equal(mask, S.random_mask(mask.shape, share, generator=seeded(seed)))


def test_random_masks_are_independent():
    mask = S.random_mask((200, 40), 0.3, generator=seeded()).double()
    for a, b in ((mask[:, 1:], mask[:, :-1]), (mask[1:], mask[:-1])):  # neighbours, examples
        correlation = torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]
        assert abs(correlation) < 5 / math.sqrt(a.numel())


@given(patch=st.sampled_from([1, 2, 4]), share=shares, seed=seeds, size=st.sampled_from([8, 16]))
def test_patch_masks_hide_whole_tiles_and_exactly_their_number(patch, share, seed, size):
    shape, n_tiles = (5, 3, size, 8), size * 8 // patch**2
    n_hidden = round(share * n_tiles)
    if not 0 < n_hidden < n_tiles:
        with pytest.raises(ValueError, match=f"rounds to {n_hidden} hidden ones"):
            S.patch_mask(shape, patch=patch, share=share, generator=seeded(seed))
        return
    mask = S.patch_mask(shape, patch=patch, share=share, generator=seeded(seed))
    assert mask.shape == (5, 1, size, 8) and mask.dtype == torch.bool
    for image in mask[:, 0].numpy():
        tiles = [
            image[i : i + patch, j : j + patch]
            for i in range(0, size, patch)
            for j in range(0, 8, patch)
        ]
        assert all(tile.all() or not tile.any() for tile in tiles)
        assert sum(bool(tile.all()) for tile in tiles) == n_hidden


def test_every_tile_is_hidden_equally_often():
    mask = S.patch_mask((4000, 1, 4, 4), patch=2, share=0.5, generator=seeded())
    rate = mask[:, 0, ::2, ::2].double().mean(0)
    assert (rate - 0.5).abs().max() < 5 * 0.5 / math.sqrt(4000)


@given(length=st.integers(1, 19), seed=seeds, has_channels=st.booleans())
def test_stretches_are_one_piece_of_the_length(length, seed, has_channels):
    shape = (30, 2, 20) if has_channels else (30, 20)
    mask = S.stretch_mask(shape, length=length, generator=seeded(seed))
    assert mask.shape == ((30, 1, 20) if has_channels else (30, 20))
    rows = mask.view(30, 20).int()
    assert (rows.sum(1) == length).all()
    n_edges = (rows.diff(prepend=torch.zeros(30, 1), append=torch.zeros(30, 1)) != 0).sum(1)
    assert (n_edges == 2).all()


def test_stretches_start_anywhere():
    mask = S.stretch_mask((4000, 5), length=3, generator=seeded())
    first = mask.int().argmax(1)
    counts = torch.bincount(first, minlength=3)
    assert len(counts) == 3 and (counts - 4000 / 3).abs().max() < 5 * math.sqrt(4000 * 2 / 9)


@pytest.mark.parametrize("share", [0, 1, 0.0, 1.0, 50, -0.1, math.nan, "half", True, None])
def test_shares_are_refused(share):
    for draw in (
        lambda: S.random_mask((2, 3), share, generator=seeded()),
        lambda: S.patch_mask((2, 1, 4, 4), patch=2, share=share, generator=seeded()),
    ):
        with pytest.raises(ValueError, match="share is .*expected a share between 0 and 1"):
            draw()


def test_masks_refuse():
    for draw in (
        lambda: S.random_mask((2, 3), 0.5, generator=None),
        lambda: S.patch_mask((2, 1, 4, 4), patch=2, share=0.5, generator=7),
        lambda: S.stretch_mask((2, 5), length=2, generator=None),
    ):
        with pytest.raises(ValueError, match="expected a torch.Generator"):
            draw()
    for patch in (3, 0, 2.0, 8):
        with pytest.raises(ValueError, match="divides the height 4 and the width 28"):
            S.patch_mask((2, 1, 4, 28), patch=patch, share=0.5, generator=seeded())
    with pytest.raises(ValueError, match=r"shape is \(4, 28\), expected that of images"):
        S.patch_mask((4, 28), patch=2, share=0.5, generator=seeded())
    for length in (0, 5, 1.0, -1):
        with pytest.raises(ValueError, match="length is .*integer from 1 to 4"):
            S.stretch_mask((2, 5), length=length, generator=seeded())
    with pytest.raises(ValueError, match="expected that of series"):
        S.stretch_mask((2, 1, 5, 5), length=2, generator=seeded())


# ---- the loss and the input --------------------------------------------------------------------


@given(seed=seeds, share=shares, n_channels=st.integers(1, 3), shared=st.booleans())
def test_masked_mse_is_numpys_mean_over_what_is_hidden(seed, share, n_channels, shared):
    x, y = randn(4, n_channels, 3, 5, seed=seed), randn(4, n_channels, 3, 5, seed=seed + 100)
    mask = S.random_mask((4, 1 if shared else n_channels, 3, 5), share, generator=seeded(seed))
    if not mask.any():
        with pytest.raises(ValueError, match="nothing is hidden"):
            S.masked_mse(x, y, mask)
        return
    twin = np.ma.array(((x - y) ** 2).numpy(), mask=np.broadcast_to(~mask.numpy(), x.shape))
    assert S.masked_mse(x, y, mask).item() == pytest.approx(twin.mean(), rel=1e-10)


@given(seed=seeds)
def test_visible_outputs_have_no_gradient_and_no_say(seed):
    x, y = randn(3, 8, seed=seed).requires_grad_(), randn(3, 8, seed=seed + 100)
    mask = S.stretch_mask((3, 8), length=3, generator=seeded(seed))
    S.masked_mse(x, y, mask).backward()
    assert (x.grad[~mask] == 0).all() and (x.grad[mask] != 0).all()
    assert torch.allclose(x.grad[mask], 2 * (x - y)[mask] / mask.sum())
    elsewhere = torch.where(mask, x, 1e6)
    assert S.masked_mse(elsewhere, y, mask) == S.masked_mse(x, y, mask)


def test_everything_hidden_is_a_loss_but_no_input():
    x, mask = randn(2, 3), torch.ones(2, 3, dtype=torch.bool)
    assert torch.isclose(S.masked_mse(x, 0 * x, mask), x.square().mean())
    train = randn(9, 3)
    for use in (
        lambda: S.hide(x, mask),
        lambda: S.with_mask_channel(x, mask),
        lambda: S.fill_mean(x, mask, train),
        lambda: S.fill_knn(x, mask, train),
        lambda: S.fill_pca(x, mask, train, n_components=1),
    ):
        with pytest.raises(ValueError, match="hides everything.*use ~mask"):
            use()


@given(seed=seeds, fill=st.floats(-2, 2))
def test_hide_changes_the_hidden_alone(seed, fill):
    x = randn(3, 2, 4, 4, seed=seed)
    before = x.clone()
    mask = S.patch_mask(x.shape, patch=2, share=0.5, generator=seeded(seed))
    hidden = S.hide(x, mask, fill=fill)
    wide = mask.expand_as(x)
    assert (hidden[wide] == fill).all() and torch.equal(hidden[~wide], x[~wide])
    assert torch.equal(x, before)
    assert torch.equal(S.hide(hidden, mask, fill=fill), hidden)
    both = S.with_mask_channel(x, mask, fill=fill)
    assert both.shape == (3, 3, 4, 4) and torch.equal(both[:, :2], hidden)
    assert torch.equal(both[:, 2:], mask.double())


def test_one_mask_serves_all_examples_and_tables_get_a_channel():
    x, mask = randn(5, 4), torch.tensor([[True, False, False, True]])
    both = S.with_mask_channel(x, mask)
    assert both.shape == (5, 2, 4) and both.dtype == x.dtype
    assert torch.equal(both[:, 1], mask.double().expand(5, 4))
    assert torch.equal(both[:, 0], x * ~mask)
    assert S.hide(x, mask).equal(both[:, 0])


@pytest.mark.parametrize("shape", [(4, 5, 5), (3, 1, 5, 5), (4, 1, 5, 4), (4, 2, 5, 5), (5, 5)])
def test_masks_of_another_shape_are_refused(shape):
    x, mask = randn(4, 1, 5, 5), torch.arange(math.prod(shape)).view(shape) % 2 == 0
    for use in (
        lambda: S.masked_mse(x, x, mask),
        lambda: S.hide(x, mask),
        lambda: S.with_mask_channel(x, mask),
        lambda: S.fill_mean(x, mask, x),
        lambda: S.fill_knn(x, mask, x, k=1),
        lambda: S.fill_pca(x, mask, x, n_components=1),
    ):
        with pytest.raises(ValueError, match="the mask has shape .*and the data"):
            use()


def test_the_loss_and_the_input_refuse():
    x = randn(4, 2, 5, 5)
    for mask in (torch.ones_like(x), torch.ones_like(x).long(), [[True]], None):
        with pytest.raises(ValueError, match="expected torch.bool with True = hidden"):
            S.hide(x, mask)
    with pytest.raises(ValueError, match="the output has shape"):
        S.masked_mse(x[:, :1], x, x > 0)
    with pytest.raises(ValueError, match="nothing is hidden"):
        S.masked_mse(x, x, torch.zeros_like(x, dtype=torch.bool))
    with pytest.raises(ValueError, match="the mask has 2 channels, expected 1"):
        S.with_mask_channel(x, x > 0)


# ---- completion --------------------------------------------------------------------------------


def holes(n=12, d=6, seed=0):
    """Data of rank about 3, gaps in them, and more complete data of their kind."""
    mixing = randn(3, d, seed=50)
    x, train = (randn(m, 3, seed=seed + i) @ mixing + 1 for i, m in enumerate((n, 40)))
    train = train + 0.3 * randn(40, d, seed=seed + 7)
    mask = S.random_mask((n, d), 0.4, generator=seeded(seed))
    mask[:, seed % d] = False  # something is left to see in each row
    return x, mask, train


@given(seed=seeds)
def test_mean_completion_is_scikit_learns(seed):
    x, mask, train = holes(seed=seed)
    twin = SimpleImputer().fit(train.numpy())
    expected = twin.transform(torch.where(mask, math.nan, x).numpy())
    assert np.allclose(S.fill_mean(x, mask, train), expected, atol=1e-12)


@given(seed=seeds, k=st.integers(1, 40))
def test_neighbour_completion_is_scikit_learns(seed, k):
    x, mask, train = holes(seed=seed)
    twin = KNNImputer(n_neighbors=k).fit(train.numpy())
    expected = twin.transform(torch.where(mask, math.nan, x).numpy())
    assert np.allclose(S.fill_knn(x, mask, train, k=k), expected, atol=1e-10)


@given(seed=seeds, k=st.integers(1, 5), ridge=st.sampled_from([None, 0.01, 0.5]))
def test_plane_completion_is_the_conditional_mean_of_the_gaussian(seed, k, ridge):
    """Hidden given visible, from the covariance alone: mean_h + C_hv C_vv^-1 (x_v - mean_v)."""
    x, mask, train = holes(seed=seed)
    pca = decomposition.PCA(6).fit(train.numpy())
    noise = ridge or pca.explained_variance_[k:].mean()
    axes = pca.components_[:k]
    covariance = axes.T @ np.diag(pca.explained_variance_[:k]) @ axes + noise * np.eye(6)
    expected = x.numpy().copy()
    for row, hidden in zip(expected, mask.numpy(), strict=True):
        gain = covariance[hidden][:, ~hidden] @ np.linalg.inv(covariance[~hidden][:, ~hidden])
        row[hidden] = pca.mean_[hidden] + gain @ (row - pca.mean_)[~hidden]
    found = S.fill_pca(x, mask, train, n_components=k, ridge=ridge)
    assert np.allclose(found, expected, atol=1e-8)


def test_a_plane_without_noise_completes_exactly():
    mixing = randn(2, 6, seed=1)
    train, x = randn(30, 2) @ mixing, randn(5, 2, seed=3) @ mixing
    mask = torch.tensor([[True, True, False, False, False, True]]).expand(5, 6)
    found = S.fill_pca(x, mask, train, n_components=2)
    assert torch.allclose(found, x, atol=1e-4)
    assert torch.isfinite(S.fill_pca(x, mask, train, n_components=6)).all()


FILLS = {
    "mean": S.fill_mean,
    "knn": S.fill_knn,
    "pca": lambda *a: S.fill_pca(*a, n_components=3),
}


@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_what_is_visible_stays_and_what_is_hidden_is_never_read(fill, dtype):
    x, mask, train = (randn(140, 1, 4, 3), None, randn(60, 1, 4, 3, seed=1))  # over two batches
    mask = S.random_mask(x.shape, 0.5, generator=seeded())
    exact = fill(x, mask, train)
    assert torch.equal(exact[~mask], x[~mask])
    assert torch.allclose(fill(torch.where(mask, 1e6, x), mask, train), exact, atol=1e-12)
    found = fill(x.to(dtype), mask, train.to(dtype))
    assert found.dtype == dtype and found.shape == x.shape
    assert torch.allclose(found.double(), exact, atol=1e-4 if dtype == torch.float32 else 1e-12)


def test_completion_refuses():
    x, mask, train = holes()
    for fill in FILLS.values():
        with pytest.raises(ValueError, match=r"examples of shape \(6,\), train of \(5,\)"):
            fill(x, mask, train[:, :5])
        with pytest.raises(ValueError, match="12 of 12 examples of x hold nan or inf: a missing"):
            fill(x / 0, mask, train)
        with pytest.raises(ValueError, match=r"train has shape \(0, 6\)"):
            fill(x, mask, train[:0])
    for k in (0, 41, 2.0):
        with pytest.raises(ValueError, match="integer from 1 to 40"):
            S.fill_knn(x, mask, train, k=k)
    for ridge in (0, -1, math.nan):
        with pytest.raises(ValueError, match="ridge is .*variance above zero"):
            S.fill_pca(x, mask, train, n_components=2, ridge=ridge)


# ---- the plane ---------------------------------------------------------------------------------


@given(seed=seeds, k=st.integers(1, 6))
def test_the_plane_is_scikit_learns(seed, k):
    x = (randn(20, 6, seed=seed) @ randn(6, 6, seed=seed + 1)).view(20, 2, 3)
    new = randn(7, 2, 3, seed=seed + 2)
    twin = decomposition.PCA(k).fit(x.flatten(1).numpy())
    ours = S.PCA(k).fit(x)
    assert np.allclose(ours.mean, twin.mean_) and ours.components.shape == (k, 6)
    assert np.allclose(ours.variances, twin.explained_variance_)
    assert ours.noise_variance == pytest.approx(twin.noise_variance_, abs=1e-10)
    flat = new.flatten(1).numpy()
    code = ours.encode(new)
    assert np.allclose(code.abs(), np.abs(twin.transform(flat)))
    expected = twin.inverse_transform(twin.transform(flat)).reshape(7, 2, 3)
    assert np.allclose(ours.reconstruct(new), expected)
    assert torch.allclose(ours.decode(code), ours.reconstruct(new))


@given(seed=seeds)
def test_reconstruction_is_a_projection_and_its_signs_are_fixed(seed):
    x = randn(20, 6, seed=seed)
    ours = S.PCA(3).fit(x)
    once = ours.reconstruct(x)
    assert torch.allclose(ours.reconstruct(once), once)
    assert torch.allclose(ours.components @ ours.components.T, torch.eye(3).double(), atol=1e-10)
    peaks = ours.components.gather(1, ours.components.abs().argmax(1, keepdim=True))
    assert (peaks > 0).all()
    single = S.PCA(3).fit(x.float())
    assert single.components.dtype == torch.float32
    assert torch.allclose(single.reconstruct(x.float()).double(), once, atol=1e-5)


def test_the_plane_refuses():
    x = randn(5, 8)
    for k in (0, 1.5, -1):
        with pytest.raises(ValueError, match="integer of at least 1"):
            S.PCA(k)
    with pytest.raises(ValueError, match="expected at most 4: 5 examples of 8 values"):
        S.PCA(5).fit(x)
    for use in (S.PCA(2).encode, S.PCA(2).decode, S.PCA(2).reconstruct):
        with pytest.raises(ValueError, match="no plane yet: call fit"):
            use(x)
    with pytest.raises(ValueError, match=r"examples of shape \(7,\), fitted were \(8,\)"):
        S.PCA(2).fit(x).encode(x[:, :7])
    data = Dataset(x.float(), torch.arange(5), tuple("abcde"), "five", "train")
    with pytest.raises(ValueError, match="x is a Dataset with labels.*data.inputs"):
        S.PCA(2).fit(data)
    with pytest.raises(ValueError, match="torch.int64.*were labels passed"):
        S.PCA(2).fit(data.targets)


@pytest.mark.parametrize("coefficient", [0.1, 10.0])
def test_the_linear_denoiser_is_scikit_learns_ridge(coefficient):
    clean = randn(50, 1, 2, 3) @ randn(3, 3, seed=3) + 2
    noisy = clean + 0.5 * randn(50, 1, 2, 3, seed=1)
    twin = Ridge(coefficient).fit(noisy.flatten(1).numpy(), clean.flatten(1).numpy())
    model = S.ridge_denoiser(noisy, clean, coefficient)
    new = randn(9, 1, 2, 3, seed=2)
    expected = twin.predict(new.flatten(1).numpy()).reshape(9, 1, 2, 3)
    with torch.no_grad():
        assert np.allclose(model(new), expected)
        single = S.ridge_denoiser(noisy.float(), clean.float(), coefficient)(new.float())
    assert single.dtype == torch.float32 and np.allclose(single, expected, atol=1e-4)


def test_the_linear_denoiser_refuses():
    with pytest.raises(ValueError, match="expected pairs"):
        S.ridge_denoiser(randn(5, 3), randn(4, 3), 1.0)
    with pytest.raises(ValueError, match="coefficient is -1"):
        S.ridge_denoiser(randn(5, 3), randn(5, 3), -1)
