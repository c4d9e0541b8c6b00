"""Noise obeys its laws, filters are scipy's, views are scipy's, and NT-Xent is its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch import nn
from torchmetrics.image import PeakSignalNoiseRatio

from companion import self_supervision as S
from companion.data import Dataset

seeds = st.integers(0, 99)
KINDS = ("gaussian", "salt_and_pepper", "masking")


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def rand(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- noise -------------------------------------------------------------------------------------


@given(seed=seeds, amount=st.floats(0.01, 3))
def test_gaussian_noise_has_its_mean_and_deviation(seed, amount):
    x = rand(30, 100, seed=seed + 1)
    noise = S.add_noise(x, amount=amount, generator=seeded(seed)) - x
    assert abs(noise.mean()) < 5 * amount / math.sqrt(3000)
    assert noise.std().item() == pytest.approx(amount, rel=5 / math.sqrt(2 * 3000))
    assert abs((noise[:, 1:] * noise[:, :-1]).mean()) < 5 * amount**2 / math.sqrt(2970)


@given(seed=seeds, amount=st.floats(0, 1))
def test_salt_and_pepper_and_masking_spoil_their_share(seed, amount):
    x = 0.2 + 0.5 * rand(20, 100, seed=seed + 1)  # neither 0 nor 1
    bound = 5 * math.sqrt(0.25 / 2000)
    salted = S.add_noise(x, kind="salt_and_pepper", amount=amount, generator=seeded(seed))
    masked = S.add_noise(x, kind="masking", amount=amount, generator=seeded(seed))
    for noisy, share_of_ones in ((salted, amount / 2), (masked, 0.0)):
        kept = noisy == x
        assert abs((~kept).double().mean().item() - amount) <= bound
        assert ((noisy == 0) | (noisy == 1) | kept).all()
        assert abs((noisy == 1).double().mean().item() - share_of_ones) <= bound
    assert not amount or (salted != masked).any() or amount < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_repeatable_and_leaves_its_input(kind):
    x = rand(4, 1, 5, 5)
    before = x.clone()
    first, second = (S.add_noise(x, kind=kind, amount=0.5, generator=seeded(1)) for _ in "12")
    assert torch.equal(first, second) and torch.equal(x, before)
    other = S.add_noise(x, kind=kind, amount=0.5, generator=seeded(2))
    assert not torch.equal(first, other) and other.dtype == x.dtype
    assert torch.equal(S.add_noise(x, kind=kind, amount=0, generator=seeded()), x)


def test_noise_refuses():
    x = rand(2, 3)
    with pytest.raises(ValueError, match="no noise 'speckle': expected one of gaussian, salt"):
        S.add_noise(x, kind="speckle", amount=0.1, generator=seeded())
    for kind, amounts in (("gaussian", (-0.1, math.inf, math.nan, "0.1")), ("masking", (-1, 1.1))):
        for amount in amounts:
            with pytest.raises(ValueError, match=f"the amount of {kind} noise is"):
                S.add_noise(x, kind=kind, amount=amount, generator=seeded())
    with pytest.raises(ValueError, match="0 to 1"):
        S.add_noise(x, kind="salt_and_pepper", amount=20, generator=seeded())
    with pytest.raises(ValueError, match="expected a torch.Generator"):
        S.add_noise(x, amount=0.1, generator=None)
    with pytest.raises(ValueError, match=r"bytes: x.float\(\) / 255"):
        S.add_noise(x.to(torch.uint8), amount=0.1, generator=seeded())


# ---- how good is it ----------------------------------------------------------------------------


@given(seed=seeds, peak=st.floats(0.5, 255))
def test_psnr_is_torchmetrics(seed, peak):
    x, y = rand(3, 1, 4, 4, seed=seed), rand(3, 1, 4, 4, seed=seed + 1)
    twin = PeakSignalNoiseRatio(data_range=peak)(x, y).item()
    assert S.psnr(x, y, peak=peak) == pytest.approx(twin, abs=1e-4)


def test_psnr_of_known_errors():
    x = torch.zeros(2, 5)
    assert S.psnr(x + 0.1, x) == pytest.approx(20, abs=1e-5)
    assert S.psnr(x + 0.1, x) - S.psnr(x + 0.1 * math.sqrt(2), x) == pytest.approx(3.01, abs=0.01)
    assert S.psnr(x, x) == math.inf
    assert S.psnr(x + 1, x, peak=10) == pytest.approx(20)


def test_psnr_refuses():
    x = torch.zeros(2, 5)
    for a, b in ((x, x[:1]), (x[:0], x[:0])):
        with pytest.raises(ValueError, match="the same shape and at least one value"):
            S.psnr(a, b)
    for peak in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="peak is"):
            S.psnr(x, x, peak=peak)


# ---- filters -----------------------------------------------------------------------------------


@given(seed=seeds, size=st.sampled_from([1, 3, 5]), height=st.integers(4, 9))
def test_the_median_filter_is_scipys(seed, size, height):
    x = rand(2, 2, height, 7, seed=seed)
    expected = ndimage.median_filter(x.numpy(), size=(1, 1, size, size), mode="mirror")
    assert np.array_equal(S.median_filter(x, size), expected)


@given(seed=seeds, sigma=st.floats(0.2, 2), height=st.integers(9, 12))
def test_the_gaussian_filter_is_scipys(seed, sigma, height):
    x = rand(2, 3, height, 10, seed=seed)
    expected = ndimage.gaussian_filter(x.numpy(), (0, 0, sigma, sigma), mode="mirror")
    assert np.allclose(S.gaussian_filter(x, sigma), expected, atol=1e-12)


def test_filters_refuse():
    x = rand(2, 1, 5, 9)
    for size in (0, 2, -3, 3.0):
        with pytest.raises(ValueError, match="size is .*odd number of pixels"):
            S.median_filter(x, size)
    for sigma in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="sigma is"):
            S.gaussian_filter(x, sigma)
    for use in (
        lambda: S.gaussian_filter(x, 1.3),  # reaches 5 pixels
        lambda: S.median_filter(x, 11),
        lambda: S.median_filter(x[:, 0], 3),
    ):
        with pytest.raises(ValueError, match="expected images .N, C, H, W. of more than"):
            use()


# ---- views -------------------------------------------------------------------------------------


@given(seed=seeds)
def test_without_bounds_a_view_is_the_image(seed):
    x = rand(3, 2, 6, 9, seed=seed)
    view = S.warp(x, seeded(seed), shift=0, rotate=0, scale=0)
    assert torch.allclose(view, x, atol=1e-12)


@given(seed=seeds, height=st.sampled_from([7, 10]))
def test_views_are_scipys_affine_transforms(seed, height):
    bounds = {"shift": 2.0, "rotate": 40.0, "scale": 0.3, "shear": 0.2}
    x = rand(3, 2, height, 8, seed=seed)
    found = S.warp(x, seeded(seed), **bounds)
    draws = 2 * torch.rand(3, 5, generator=seeded(seed)).double() - 1
    middle = np.array([(height - 1) / 2, 3.5])
    for image, view, (dx, dy, angle, zoom, slant) in zip(x, found, draws.tolist(), strict=True):
        angle, slant = math.radians(40) * angle, 0.2 * slant
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        # scipy's first axis points down; rows are then columns: (y, x) of the source of a pixel.
        matrix = turn @ np.array([[1, 0], [slant, 1]]) / (1 + 0.3 * zoom)
        offset = middle - matrix @ middle + np.array([2 * dy, 2 * dx])
        for plane, seen in zip(image, view, strict=True):
            expected = ndimage.affine_transform(
                plane.numpy(), matrix, offset, order=1, mode="grid-constant"
            )
            assert np.allclose(seen, expected, atol=1e-6)


def test_whole_pixels_are_moved_within_the_bound():
    x = torch.zeros(400, 1, 15, 15)
    x[:, :, 7, 7] = 1
    view = S.warp(x, seeded(), shift=3, rotate=0, scale=0)[:, 0].double()
    assert torch.allclose(view.sum((1, 2)), torch.ones(400).double(), atol=1e-5)
    place = torch.arange(15).double()
    for centre in (view.sum(1) @ place - 7, view.sum(2) @ place - 7):
        assert centre.abs().max() <= 3 + 1e-4 and centre.max() > 2.9 and centre.min() < -2.9
        assert abs(centre.mean()) < 5 * math.sqrt(3 / 400)


def test_larger_and_turned():
    x = torch.zeros(300, 1, 21, 21)
    x[:, :, 8:13, 8:13] = 1
    areas = S.warp(x, seeded(), shift=0, rotate=30, scale=0.2).sum((1, 2, 3)) / 25
    assert areas.max() < 1.2**2 + 0.1 and areas.min() > 0.8**2 - 0.1
    assert areas.max() > 1.3 and areas.min() < 0.72
    turned = S.warp(x, seeded(), shift=0, rotate=30, scale=0)
    assert torch.allclose(turned.sum((1, 2, 3)), torch.tensor(25.0), rtol=0.03)
    assert (turned - x).abs().amax((1, 2, 3)).max() > 0.3


def test_views_are_drawn_and_keep_their_input():
    x = rand(4, 1, 8, 8)
    before = x.clone()
    assert torch.equal(S.warp(x, seeded(1)), S.warp(x, seeded(1)))
    assert not torch.equal(S.warp(x, seeded(1)), S.warp(x, seeded(2)))
    assert torch.equal(x, before)
    same = S.warp(x[:1].expand(5, 1, 8, 8), seeded())
    assert not torch.allclose(same[0], same[1])  # each image has its own


def test_views_refuse():
    x = rand(2, 1, 8, 8)
    with pytest.raises(ValueError, match=r"images \(N, C, H, W\)"):
        S.warp(x[:, 0], seeded())
    with pytest.raises(ValueError, match="torch.uint8"):
        S.warp(x.to(torch.uint8), seeded())
    with pytest.raises(ValueError, match="expected a torch.Generator"):
        S.warp(x, None)
    for name, value in (("shift", -1), ("rotate", math.nan), ("scale", 1), ("shear", math.inf)):
        with pytest.raises(ValueError, match=f"{name} is .*bound of at least 0"):
            S.warp(x, seeded(), **{name: value})


# ---- NT-Xent -----------------------------------------------------------------------------------


def looped_nt_xent(z1, z2, temperature):
    """View by view, from the formula: no matrix, no mask."""
    views = [v / (v @ v).sqrt() for v in (*z1, *z2)]
    n, total = len(z1), 0.0
    for i, view in enumerate(views):
        partner = i + n if i < n else i - n
        others = [j for j in range(2 * n) if j != i]
        logits = torch.stack([view @ views[j] / temperature for j in others])
        total += F.cross_entropy(logits[None], torch.tensor([others.index(partner)]))
    return total / (2 * n)


@given(
    n=st.integers(2, 6), d=st.integers(1, 5), seed=seeds,
    temperature=st.sampled_from([0.05, 0.5, 1.0, 3.0]),
)  # fmt: skip
def test_nt_xent_is_its_formula(n, d, seed, temperature):
    z1, z2 = (randn(n, d, seed=seed + i).requires_grad_() for i in (0, 100))
    ours = S.nt_xent(z1, z2, temperature=temperature)
    expected = looped_nt_xent(z1, z2, temperature)
    assert ours.item() == pytest.approx(expected.item(), rel=1e-10, abs=1e-12)
    gradients = zip(
        torch.autograd.grad(ours, [z1, z2]), torch.autograd.grad(expected, [z1, z2]), strict=True
    )
    assert all(torch.allclose(a, b, atol=1e-9) for a, b in gradients)
    single = S.nt_xent(z1.float(), z2.float(), temperature=temperature)
    assert single.item() == pytest.approx(expected.item(), rel=1e-4, abs=1e-5)


def test_nt_xent_has_a_half_for_temperature():
    z1, z2 = randn(5, 3), randn(5, 3, seed=1)
    assert S.nt_xent(z1, z2) == S.nt_xent(z1, z2, temperature=0.5)


@given(n=st.integers(2, 6), seed=seeds)
def test_nt_xent_knows_no_order_no_length_and_no_side(n, seed):
    z1, z2 = randn(n, 4, seed=seed), randn(n, 4, seed=seed + 100)
    loss = S.nt_xent(z1, z2).item()
    order = torch.randperm(n, generator=seeded(seed))
    lengths = 0.1 + rand(n, 1, seed=seed)
    assert S.nt_xent(z2, z1).item() == pytest.approx(loss)
    assert S.nt_xent(z1[order], z2[order]).item() == pytest.approx(loss)
    assert S.nt_xent(z1 * lengths, 7 * z2).item() == pytest.approx(loss)
    same = torch.ones(n, 4).double()
    assert S.nt_xent(same, same).item() == pytest.approx(math.log(2 * n - 1))


def test_partners_are_cheaper_than_strangers():
    z = torch.eye(4).double()
    together, apart = S.nt_xent(z, z), S.nt_xent(z, z.roll(1, 0))
    expected = math.log(1 + 6 * math.exp(-2))
    assert together.item() == pytest.approx(expected) and apart.item() == pytest.approx(
        expected + 2
    )


def test_nt_xent_refuses():
    z = randn(4, 3)
    for z1, z2 in ((z, z[:3]), (z[:1], z[:1]), (z[0], z[0]), (z, randn(4, 2))):
        with pytest.raises(ValueError, match=r"expected \(N, D\) for both with N of at least 2"):
            S.nt_xent(z1, z2)
    for temperature in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="temperature is"):
            S.nt_xent(z, z, temperature=temperature)


# ---- networks ----------------------------------------------------------------------------------


def shape_of(model, *shape):
    return tuple(model(torch.zeros(shape)).shape)


def test_shapes_of_the_networks():
    assert shape_of(S.Autoencoder(40, (20, 10), 3), 5, 40) == (5, 40)
    assert shape_of(S.Autoencoder(64, (), 3), 5, 1, 8, 8) == (5, 1, 8, 8)
    assert S.Autoencoder(64, (9,), 3).encode(torch.zeros(5, 1, 8, 8)).shape == (5, 3)
    assert shape_of(S.conv_encoder(), 2, 1, 28, 28) == (2, 64)
    assert shape_of(S.conv_encoder(7, 4, in_channels=2), 2, 2, 28, 28) == (2, 7)
    model = S.ConvAutoencoder(4, 9, 2)
    assert shape_of(model, 3, 2, 28, 28) == (3, 1, 28, 28)
    assert model.encode(torch.zeros(3, 2, 28, 28)).shape == (3, 9)
    assert shape_of(model.decoder, 3, 9) == (3, 1, 28, 28)
    assert shape_of(S.SkipAutoencoder(4, 2), 3, 2, 28, 28) == (3, 1, 28, 28)
    assert shape_of(S.projector(5, 6, 7), 3, 5) == (3, 7)


def test_the_encoder_is_the_one_of_the_autoencoder():
    ours, theirs = S.conv_encoder(9, 4).state_dict(), S.ConvAutoencoder(4, 9).encoder.state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


def test_layers_of_the_fully_connected_autoencoder():
    model = S.Autoencoder(40, (20, 10), 3)
    sizes = [m.out_features for m in [*model.encoder, *model.decoder] if isinstance(m, nn.Linear)]
    assert sizes == [20, 10, 3, 10, 20, 40]
    assert sum(isinstance(m, nn.ReLU) for m in model.modules()) == 4
    assert isinstance(model.encoder[-1], nn.Linear) and isinstance(model.decoder[-1], nn.Linear)


def test_without_hidden_layers_the_autoencoder_is_linear():
    model = S.Autoencoder(6, (), 2).double()
    x, y = randn(4, 6), randn(4, 6, seed=1)
    assert torch.allclose(model(x + y) + model(0 * x), model(x) + model(y))


def test_an_encoder_without_biases_adds_nothing():
    encoder = S.conv_encoder(8, 4, bias=False).eval()
    assert not [name for name, _ in encoder.named_parameters() if "bias" in name]
    x = randn(3, 1, 28, 28, dtype=torch.float32)
    assert torch.equal(encoder(0 * x), torch.zeros(3, 8))
    assert torch.allclose(encoder(2 * x), 2 * encoder(x), atol=1e-4)  # no weight but a scale
    assert [name for name, _ in S.conv_encoder().named_parameters() if "bias" in name]


@pytest.mark.parametrize("make", [S.conv_encoder, S.ConvAutoencoder, S.SkipAutoencoder])
def test_every_weight_is_used(make):
    torch.manual_seed(0)
    model = make()
    model(randn(4, 1, 28, 28, dtype=torch.float32)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_the_middle_of_the_skip_network_sees_the_whole_image():
    torch.manual_seed(0)
    model = S.SkipAutoencoder(4).eval()
    x = randn(1, 1, 28, 28, dtype=torch.float32).requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)[0, 0, 0, 0], x)
    assert (gradient != 0).double().mean() > 0.9


def test_networks_refuse():
    for make in (
        lambda: S.Autoencoder(0, (), 3),
        lambda: S.Autoencoder(4, (2.5,), 3),
        lambda: S.conv_encoder(0),
        lambda: S.conv_encoder(4, 0),
        lambda: S.ConvAutoencoder(n_code=-1),
        lambda: S.SkipAutoencoder(0),
        lambda: S.SkipAutoencoder(in_channels=0),
    ):
        with pytest.raises(ValueError, match="must be an integer of at least 1"):
            make()
    for x in (torch.zeros(2, 1, 8, 8), torch.zeros(2, 28, 28)):
        with pytest.raises(ValueError, match=r"expected images \(N, C, 28, 28\)"):
            S.SkipAutoencoder(4)(x)


def test_a_dataset_is_no_input():
    x = torch.rand(3, 4)
    data = Dataset(x, torch.arange(3), tuple("abc"), "three", "train")
    with pytest.raises(ValueError, match="x is a Dataset with labels"):
        S.add_noise(data, amount=0.1, generator=seeded())
