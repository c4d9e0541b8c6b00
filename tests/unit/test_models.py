"""The shared networks: shapes, numbers of parameters, and tables computed by running them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from companion import models

SERIES, IMAGES = torch.randn(6, 40), torch.randn(3, 1, 28, 28)
NETWORKS = [  # maker, inputs, trainable values, counted by hand
    (models.logistic, SERIES, 40 * 10 + 10),
    (models.mlp, SERIES, (40 + 1) * 100 + (100 + 1) * 100 + (100 + 1) * 10),
    (models.cnn1d, SERIES, (5 + 1) * 25 + 2 * (5 * 25 + 1) * 25 + (25 * 10 + 1) * 10),
    (
        lambda: models.cnn1d(25, batch_norm=True),
        SERIES,
        5 * 25 + 2 * 5 * 25 * 25 + 3 * 2 * 25 + (25 * 10 + 1) * 10,
    ),
    (models.gru1d, SERIES, 2 * (3 * 32 * 1 + 3 * 32 * 32 + 2 * 3 * 32) + (64 + 1) * 10),
    (models.lenet5, IMAGES, 156 + 2416 + 401 * 120 + 121 * 84 + 85 * 10),
    (models.lenet_300_100, IMAGES, 785 * 300 + 301 * 100 + 101 * 10),
    (models.lenet5_caffe, IMAGES, 26 * 20 + (500 + 1) * 50 + 801 * 500 + 501 * 10),
    (
        models.small_resnet,
        IMAGES,
        # first layer, then blocks 16-16, 16-32 and 32-64, the latter two with a 1x1 shortcut
        (9 * 16 + 32)
        + 2 * (9 * 16 * 16 + 32)
        + (9 * 16 * 32 + 9 * 32 * 32 + 16 * 32 + 3 * 64)
        + (9 * 32 * 64 + 9 * 64 * 64 + 32 * 64 + 3 * 128)
        + 65 * 10,
    ),
]


@pytest.mark.parametrize(("make", "inputs", "n"), NETWORKS)
def test_networks_give_logits_and_have_the_counted_parameters(make, inputs, n):
    model = make()
    logits = model(inputs)
    assert logits.shape == (len(inputs), 10) and logits.dtype == torch.float32
    assert models.n_parameters(model) == n
    logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(("make", "inputs", "n"), NETWORKS)
def test_an_example_does_not_depend_on_its_batch_in_evaluation_mode(make, inputs, n):
    model = make().eval()
    assert torch.allclose(model(inputs)[:1], model(inputs[:1]), atol=1e-5)


def test_logits_are_not_squashed():
    for make, inputs, _ in NETWORKS:
        torch.manual_seed(0)
        logits = make()(inputs)
        assert logits.min() < 0 and not torch.allclose(logits.sum(1), torch.ones(len(logits)))


@pytest.mark.parametrize("n_points", [40, 37, 16])
def test_cnn1d_fits_its_last_layer_to_the_series(n_points):
    model = models.cnn1d(4, n_points=n_points, n_classes=3)
    assert model(torch.randn(2, n_points)).shape == (2, 3)


def test_sizes_can_be_chosen():
    assert models.logistic(30, 2)(torch.randn(5, 30)).shape == (5, 2)
    assert models.mlp(30, 7, 2)(torch.randn(5, 30)).shape == (5, 2)
    assert models.gru1d(5, 3)(torch.randn(5, 17)).shape == (5, 3)
    assert models.lenet5(4)(IMAGES).shape == (3, 4)
    assert models.small_resnet(4, 5)(IMAGES).shape == (3, 5)


def test_gru1d_reads_in_both_directions():
    """The first point reaches the forward state of all, the last point the backward one."""
    model = models.gru1d(4)
    for point in (0, 39):
        x = SERIES[:1].clone().requires_grad_()
        model(x).sum().backward()
        assert x.grad[0, point] != 0
    assert model.gru.bidirectional


def test_residual_block_keeps_or_halves():
    x = torch.randn(2, 4, 8, 8)
    same, halved = models.ResidualBlock(4, 4), models.ResidualBlock(4, 6, stride=2)
    assert same(x).shape == x.shape and isinstance(same.shortcut, nn.Identity)
    assert halved(x).shape == (2, 6, 4, 4)
    with torch.no_grad():
        same.body[-1].weight.zero_(), same.body[-1].bias.zero_()
    assert torch.equal(same(x), torch.relu(x))


def test_small_resnet_has_the_layers_it_names():
    model = models.small_resnet()
    layers = [m for n, m in model.named_modules()
              if isinstance(m, nn.Conv2d | nn.Linear) and "shortcut" not in n]  # fmt: skip
    assert "one convolution, three blocks, one linear layer" in models.small_resnet.__doc__
    assert len(layers) == 1 + 3 * 2 + 1


def test_frozen_values_are_not_counted():
    model = models.logistic()
    model[0].bias.requires_grad_(False)
    assert models.n_parameters(model) == 400


def test_layer_table_of_lenet5():
    assert models.layer_table(models.lenet5(), IMAGES[:1]) == [
        ("input", (1, 28, 28), 0),
        ("Conv2d", (6, 28, 28), 156),
        ("ReLU", (6, 28, 28), 0),
        ("MaxPool2d", (6, 14, 14), 0),
        ("Conv2d", (16, 10, 10), 2416),
        ("ReLU", (16, 10, 10), 0),
        ("MaxPool2d", (16, 5, 5), 0),
        ("Flatten", (400,), 0),
        ("Linear", (120,), 48120),
        ("ReLU", (120,), 0),
        ("Linear", (84,), 10164),
        ("ReLU", (84,), 0),
        ("Linear", (10,), 850),
    ]


def test_layer_table_leaves_the_model_as_it_was():
    model = models.small_resnet(4).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    rows = models.layer_table(model, IMAGES[:1])
    assert sum(n for _, _, n in rows) == models.n_parameters(model)
    assert model.training and all(m.training for m in model.modules())
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in before.items())


@pytest.mark.parametrize(
    ("says", "make"),
    [
        ("n_inputs must be an integer of at least 1, got -1", lambda: models.logistic(-1)),
        ("n_classes must be .* got 0", lambda: models.logistic(40, 0)),
        ("n_hidden must be .* got 0", lambda: models.mlp(n_hidden=0)),
        ("n_inputs must be .* got 40.0", lambda: models.mlp(40.0)),
        ("n_channels must be .* got -3", lambda: models.cnn1d(-3)),
        ("n_channels must be .* got 0", lambda: models.cnn1d(0)),
        ("n_points must be .* got 0", lambda: models.cnn1d(n_points=0)),
        ("n_hidden must be .* got 0", lambda: models.gru1d(0)),
        ("n_classes must be .* got '10'", lambda: models.GRU1d(4, "10")),
        ("n_classes must be .* got -1", lambda: models.lenet5(-1)),
        ("n_channels must be .* got 0", lambda: models.small_resnet(0)),
        ("n_classes must be .* got 2.5", lambda: models.small_resnet(4, 2.5)),
        ("n_out must be .* got 0", lambda: models.ResidualBlock(4, 0)),
        ("stride must be .* got 0", lambda: models.ResidualBlock(4, 4, 0)),
    ],
)
def test_impossible_sizes_are_refused_in_one_line(says, make):
    with pytest.raises(ValueError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)
