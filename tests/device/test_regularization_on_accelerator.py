"""Dropout, penalties, steps, stopping and selection on every device, against the CPU."""

from __future__ import annotations

import pytest
import torch
from accelerators import check_agrees, check_repeats_itself
from test_on_accelerator import examples, on_device, randn, with_gradients
from torch import nn

from companion import models, training
from companion import regularization as rg

pytestmark = pytest.mark.device

CASES = {}  # public name -> function of a device that returns tensors
TOLERANCE = 1e-4


def case(name):
    def register(function):
        CASES[name] = function
        return function

    return register


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


SERIES, LOGITS, LABELS = randn(4, 3, 17), 3 * randn(7, 5), torch.arange(7) % 5

for name in ("dropout", "spatial_dropout"):

    @case(name)
    def _(where, name=name):
        drop = getattr(rg, name)
        return with_gradients(
            lambda x: drop(x, 0.4, training=True, generator=seeded(1)), [SERIES], where
        )


@case("Dropout")
def _(where):
    layer = rg.Dropout(0.3, seeded(2)).to(where)
    found = with_gradients(layer, [SERIES], where)
    y = rg.Dropout(0.5)(torch.ones(10_000, device=where))  # masks of the device's own generator
    assert y.device.type == torch.device(where).type and abs(float(y.mean()) - 1) < 0.1
    return [*found, layer.eval()(SERIES.to(where))]


@case("random_shifts")
def _(where):
    pictures = randn(5, 2, 6, 7)
    found = [rg.random_shifts(x.to(where), 3, seeded()) for x in (LOGITS, SERIES, pictures)]
    assert all(x.device.type == torch.device(where).type for x in found)
    return found


@case("label_smoothing")
def _(where):
    return with_gradients(
        lambda z: rg.label_smoothing(z, LABELS.to(where), 0.2)[None], [LOGITS], where
    )


for name in ("l2_penalty", "l1_penalty"):

    @case(name)
    def _(where, name=name):
        penalty = getattr(rg, name)
        return with_gradients(lambda *w: penalty(w, 0.3)[None], [SERIES, randn(5, seed=1)], where)


def stepped(model, x):
    optimizer = torch.optim.AdamW(rg.decay_groups(model, 0.1), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    return [p.detach() for p in model.parameters()]


@case("decay_groups")
def _(where):
    return stepped(on_device(models.mlp, where), randn(8, 40).to(where))


@case("max_norm_")
def _(where):
    weight = randn(5, 3, 2).to(where)
    return [rg.max_norm_(weight, 1.5), weight]


def fitted(where, callbacks):
    model = on_device(lambda: nn.Sequential(nn.Linear(40, 10), nn.BatchNorm1d(10)), where)
    history = training.fit(
        model, examples(where), epochs=4, lr=0.05, batch_size=32, optimizer="sgd", progress=False,
        validation=examples(where, n=30), callbacks=callbacks,
    )  # fmt: skip
    state = [v for v in model.state_dict().values() if v.is_floating_point()]
    return [*state, torch.tensor(history.validation_loss)]


@case("MaxNorm")
def _(where):
    return fitted(where, [rg.MaxNorm(0.5)])


@case("EarlyStopping")
def _(where):
    stopping = rg.EarlyStopping(1)
    return [*fitted(where, [stopping]), torch.tensor(stopping.best_loss)]


@case("ridge")
def _(where):
    x, y = randn(12, 5), randn(12, 2, seed=1)
    shortest = rg.ridge(x[:4].to(where), y[:4].to(where), 0)
    return [shortest, *with_gradients(lambda x, y: rg.ridge(x, y, 0.5), [x, y], where)]


@case("gaussian_bits")
def _(where):
    return [torch.tensor(rg.gaussian_bits(SERIES.to(where), step=0.1, std=1.0))]


for name in ("adam_l2_step", "adamw_step"):

    @case(name)
    def _(where, name=name):
        weight, state = SERIES.to(where).clone(), {}
        for t in range(4):
            gradient = randn(*SERIES.shape, seed=t).to(where)
            getattr(rg, name)(weight, gradient, state, lr=0.1, weight_decay=0.2)
        return [weight, state["mean"], state["square"]]


@case("k_fold")
def _(where):
    folds = rg.k_fold(20, 4, seeded(), targets=(torch.arange(20) % 3).to(where))
    folds += rg.k_fold(20, 3, seeded())
    return [part for fold in folds for part in fold]


def choice(where):
    x, y = randn(12, 5).to(where), randn(12, seed=1).to(where)
    return rg.choose_coefficient(
        [0.1, 1.0, 10.0], lambda c: (x @ rg.ridge(x, y, c) - y).square().view(3, 4).mean(1)
    )


@case("choose_coefficient")
def _(where):
    found = choice(where)
    return [torch.tensor(found.values), torch.tensor(found.coefficient)]


@case("Choice")
def _(where):
    return [torch.tensor(choice(where).scores), torch.tensor(choice(where).standard_errors)]


def test_every_public_name_has_a_case():
    assert set(CASES) == set(rg.__all__)


@pytest.mark.parametrize("name", CASES)
def test_the_case_repeats_itself_on_the_cpu(name):
    check_repeats_itself(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_the_device_agrees_with_the_cpu(name, accelerator):
    check_agrees(CASES[name], accelerator, f"regularization.{name}", TOLERANCE)
