"""Masks, noise, autoencoders, contrasts, transfer and anomaly scores on every device."""

from __future__ import annotations

import pytest
import torch
from accelerators import check_agrees, check_repeats_itself
from test_on_accelerator import examples, on_device, randn, with_gradients
from torch import nn

from companion import self_supervision as ss
from companion import training

pytestmark = pytest.mark.device

CASES = {}  # public name -> (function of a device that returns tensors, tolerance)


def case(name, tolerance=1e-4):
    def register(function):
        CASES[name] = (function, tolerance)
        return function

    return register


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def same_device(found, where):
    assert all(x.device.type == torch.device(where).type for x in found)
    return found


TABLE, TRAIN = randn(9, 12), randn(40, 12, seed=1)
IMAGES = torch.rand(6, 1, 28, 28, generator=seeded(3))
MASK = ss.random_mask((9, 12), 0.4, generator=seeded(4))


@case("random_mask")
def _(where):
    return [ss.hide(TABLE.to(where), ss.random_mask((9, 12), 0.4, generator=seeded(4)))]


@case("patch_mask")
def _(where):
    mask = ss.patch_mask(IMAGES.shape, patch=7, share=0.5, generator=seeded())
    return [ss.hide(IMAGES.to(where), mask), mask.float()]


@case("stretch_mask")
def _(where):
    return [ss.hide(TABLE.to(where), ss.stretch_mask((9, 12), length=5, generator=seeded()))]


@case("masked_mse")
def _(where):
    target = randn(9, 12, seed=2).to(where)
    return with_gradients(lambda x: ss.masked_mse(x, target, MASK)[None], [randn(9, 12)], where)


@case("hide")
def _(where):
    return same_device([ss.hide(TABLE.to(where), MASK.to(where), fill=0.3)], where)


@case("with_mask_channel")
def _(where):
    return same_device([ss.with_mask_channel(TABLE.to(where), MASK)], where)


for name, how in {"fill_mean": {}, "fill_knn": {"k": 3}, "fill_pca": {"n_components": 4}}.items():

    @case(name, tolerance=1e-3)
    def _(where, name=name, how=how):
        fill = getattr(ss, name)
        return same_device([fill(TABLE.to(where), MASK, TRAIN.to(where), **how)], where)


@case("PCA", tolerance=1e-3)
def _(where):
    plane = ss.PCA(4).fit(TRAIN.to(where))
    code = plane.encode(TABLE.to(where))
    return same_device([plane.components, plane.variances, code, plane.decode(code)], where)


@case("ridge_denoiser")
def _(where):
    model = ss.ridge_denoiser(TRAIN.to(where), TRAIN.flip(1).to(where), 0.5)
    return same_device([model(TABLE.to(where))], where)


@case("add_noise")
def _(where):
    kinds = ("gaussian", "salt_and_pepper", "masking")
    found = [
        ss.add_noise(IMAGES.to(where), kind=kind, amount=0.3, generator=seeded()) for kind in kinds
    ]
    return same_device(found, where)


@case("psnr")
def _(where):
    return [torch.tensor(ss.psnr(TABLE.to(where), TABLE.flip(0).to(where)))]


@case("median_filter")
def _(where):
    return same_device([ss.median_filter(IMAGES.to(where), 3)], where)


@case("gaussian_filter")
def _(where):
    return with_gradients(lambda x: ss.gaussian_filter(x, 0.8), [IMAGES.clone()], where)


@case("warp")
def _(where):
    return with_gradients(lambda x: ss.warp(x, seeded(), shear=0.1), [IMAGES.clone()], where)


@case("nt_xent")
def _(where):
    return with_gradients(
        lambda a, b: ss.nt_xent(a, b, temperature=0.3)[None],
        [randn(9, 12), randn(9, 12, seed=2)],
        where,
    )


NETWORKS = {
    "Autoencoder": (lambda: ss.Autoencoder(12, (8,), 3), TABLE),
    "ConvAutoencoder": (lambda: ss.ConvAutoencoder(4, 8), IMAGES),
    "SkipAutoencoder": (lambda: ss.SkipAutoencoder(4), IMAGES),
    "conv_encoder": (lambda: ss.conv_encoder(8, 4), IMAGES),
    "projector": (lambda: ss.projector(12, 8, 4), TABLE),
    "Classifier": (
        lambda: ss.Classifier(ss.conv_encoder(8, 4), nn.Linear(8, 3), "batch_norm"), IMAGES,
    ),
}  # fmt: skip
for name, (make, x) in NETWORKS.items():

    @case(name, tolerance=1e-3)
    def _(where, make=make, x=x):
        return with_gradients(on_device(make, where), [x.clone()], where)


@case("pretrain", tolerance=1e-2)
def _(where):
    losses = []
    for task in ("reconstruct", "masked", "denoise"):
        model = on_device(lambda: ss.Autoencoder(12, (8,), 3), where)
        how = {"task": task, "epochs": 2, "batch_size": 20, "optimizer": "sgd", "lr": 0.01}
        losses += ss.pretrain(model, TRAIN.to(where), **how).step_loss
    encoder = on_device(lambda: ss.conv_encoder(8, 4), where)
    losses += ss.pretrain(
        encoder, IMAGES.to(where), task="contrastive", epochs=2, optimizer="sgd", lr=0.01
    ).step_loss
    return [torch.tensor(losses)]


def encoder_of(where):
    return on_device(lambda: nn.Sequential(nn.Linear(40, 16), nn.BatchNorm1d(16)), where)


@case("linear_probe", tolerance=1e-2)
def _(where):
    probe = ss.linear_probe(encoder_of(where), examples(where))
    return same_device([probe(examples(where).inputs)], where)


@case("fine_tune", tolerance=1e-2)
def _(where):
    model = ss.fine_tune(encoder_of(where), examples(where), n_steps=5, lr=1e-3)
    return same_device([model(examples(where).inputs)], where)


@case("few_labels")
def _(where):
    few = ss.few_labels(examples(where), 3, seeded())
    return same_device([few.inputs, few.targets], where)


@case("label_efficiency_curve")
def _(where):
    curve = ss.label_efficiency_curve(
        {"probe": lambda few, seed: ss.linear_probe(encoder_of(where), few)},
        examples(where), examples(where, n=50), labels_per_class=(2, 5), seeds=(0, 1),
    )  # fmt: skip
    return [torch.tensor([curve["probe"][2], curve["probe"][5]])]


@case("knn_score")
def _(where):
    return same_device([ss.knn_score(TABLE.to(where), TRAIN.to(where), k=2)], where)


@case("pca_score", tolerance=1e-3)
def _(where):
    return same_device([ss.pca_score(TABLE.to(where), TRAIN.to(where), n_components=4)], where)


@case("reconstruction_score")
def _(where):
    model = on_device(lambda: ss.Autoencoder(12, (8,), 3), where)
    spoiled = ss.reconstruction_score(
        model, TABLE.to(where), n_draws=2, generator=seeded(),
        corrupt=lambda x, g: ss.add_noise(x, amount=0.1, generator=g),
    )  # fmt: skip
    return same_device([ss.reconstruction_score(model, TABLE.to(where)), spoiled], where)


@case("DeepSVDD", tolerance=1e-2)
def _(where):
    svdd = ss.DeepSVDD(on_device(lambda: nn.Linear(12, 4, bias=False), where))
    svdd.fit(TRAIN.to(where), epochs=2, optimizer="sgd", lr=0.01)
    return same_device([svdd.score(TABLE.to(where)), svdd.centre], where)


@case("choose_threshold")
def _(where):
    return [torch.tensor(ss.choose_threshold(TABLE[:, 0].to(where), false_alarm_rate=0.2))]


def test_every_public_name_has_a_case():
    assert set(CASES) == set(ss.__all__)


@pytest.mark.parametrize("name", CASES)
def test_the_case_repeats_itself_on_the_cpu(name):
    check_repeats_itself(CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_the_device_agrees_with_the_cpu(name, accelerator):
    check_agrees(CASES[name][0], accelerator, f"self_supervision.{name}", CASES[name][1])


def test_training_moves_inputs_to_the_models_device(accelerator):
    where = accelerator or "cpu"
    model = on_device(lambda: ss.Autoencoder(12, (8,), 3), where)
    ss.pretrain(model, TRAIN, epochs=1)  # from the CPU
    assert training.predict(model, TABLE).device.type == where
    svdd = ss.DeepSVDD(on_device(lambda: nn.Linear(12, 4, bias=False), where))
    svdd.fit(TRAIN, epochs=1)
    assert svdd.score(TABLE).device.type == "cpu"
