"""What chapter 04's explorables show: two networks that heal, and the scores of two that alarm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from companion import models, training
from companion.data import Dataset
from companion.device import seed_everything
from companion.explorables import alarm_scores, healing
from companion.explorables.alarm_scores import PARTS, multiples, pictures
from companion.explorables.dropout_committee import split_mnist
from companion.self_supervision import (
    ConvAutoencoder,
    DeepSVDD,
    anomaly,
    autoencoders,
    conv_encoder,
    masked_mse,
    masks,
    patch_mask,
    pretrain,
    pretraining,
    random_mask,
    reconstruction_score,
    svdd,
    with_mask_channel,
)

SEED = 0
N_EPOCHS = 40
N_CODE, N_COMPONENTS = 16, 20  # of what raises an alarm
ALARM_EPOCHS = 40


def holes(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Holes of one kind for a batch: tiles of 2, 4 or 7 pixels or single ones, 30 to 80 % of all.

    One batch in five has half of its quarters hidden.
    """
    kind = int(torch.randint(5, (), generator=generator))
    share = 0.3 + 0.5 * torch.rand((), generator=generator).item()
    if kind == 0:
        return random_mask(shape, share, generator=generator)
    if kind == 1:
        return patch_mask(shape, patch=14, share=0.5, generator=generator)
    return patch_mask(shape, patch=(2, 4, 7)[kind - 2], share=share, generator=generator)


def healer(name: str, images: Tensor) -> nn.Module:
    """One of the two networks of "erase and heal", trained on images without labels."""
    seed_everything(SEED)
    if name == "autoencoder":
        model = healing.plain_autoencoder()
        pretrain(model, images, epochs=N_EPOCHS, lr=3e-3, seed=SEED, progress=False)
        return model
    model, generator = healing.masked_autoencoder(), torch.Generator().manual_seed(SEED)

    def loss(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
        mask = holes(x.shape, generator)
        return masked_mse(model(with_mask_channel(x, mask)), x, mask)

    training.fit(
        model, pretraining.unlabelled(images), epochs=N_EPOCHS, lr=3e-3, schedule="one_cycle",
        batch_size=128, loss=loss, seed=SEED, progress=False,
    )  # fmt: skip
    return model


def errors(model: nn.Module, name: str, images: Tensor) -> dict[str, float]:
    """Mean squared error on whole held-out digits, or on their hidden half."""
    with torch.no_grad():
        if name == "autoencoder":
            return {"whole": round((model(images) - images).square().mean().item(), 4)}
        generator = torch.Generator().manual_seed(SEED)
        mask = patch_mask(images.shape, patch=4, share=0.5, generator=generator)
        filled = model(with_mask_channel(images, mask))
        return {"hidden tiles": round(masked_mse(filled, images, mask).item(), 4)}


def erase() -> dict[str, Any]:
    """The two networks, as base64 of float16, and their errors on held-out digits."""
    train, held_out = split_mnist()
    networks, found, sizes = {}, {}, {}
    for name in healing.NETWORKS:
        model = healer(name, train.inputs)
        networks[name] = healing.packed(model)
        found[name] = errors(model, name, held_out.inputs)
        sizes[name] = models.n_parameters(model)
        print(name, sizes[name], found[name], flush=True)
    return {"seeds": [SEED], "errors": found, "n_parameters": sizes, "networks": networks}


class Precisely(nn.Module):
    """A model that computes in float64, whatever it is given.

    Another processor's rounding then moves no score by what could be seen.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x.double())


def alarmed(method: str, shown: alarm_scores.Pictures) -> dict[str, Tensor]:
    """Scores of all parts by a plane or a network that knows the normal pictures alone."""
    seed_everything(SEED)
    parts = {name: getattr(shown, name) for name in PARTS}
    if method == "pca":
        x = torch.cat(list(parts.values()))
        found = anomaly.pca_score(x, shown.fit, n_components=N_COMPONENTS)
        return dict(zip(PARTS, found.split([len(part) for part in parts.values()]), strict=True))
    settings = {"epochs": ALARM_EPOCHS, "batch_size": 32, "seed": SEED, "progress": False}
    if method == "autoencoder":
        model = Precisely(ConvAutoencoder(n_channels=8, n_code=N_CODE))
        pretrain(model, shown.fit, task="reconstruct", lr=3e-3, **settings)
        return {name: reconstruction_score(model, x) for name, x in parts.items()}
    detector = DeepSVDD(Precisely(conv_encoder(N_CODE, 8, bias=False)))
    detector.fit(shown.fit, lr=1e-3, **settings)
    return {name: detector.score(x) for name, x in parts.items()}


def alarm() -> dict[str, Any]:
    """Scores by ten planes, ten autoencoders and ten Deep SVDDs, one for each normal digit.

    Multiples of the median normal validation score, three significant digits.
    """
    scores: dict[str, Any] = {}
    for normal in range(10):
        for method in alarm_scores.STORED:
            found = multiples(alarmed(method, pictures(normal)))
            scores[f"{normal}|{method}"] = {
                part: [float(f"{value:.3g}") for value in values.tolist()]
                for part, values in found.items()
            }
            medians = {part: round(values.median().item(), 2) for part, values in found.items()}
            print(normal, method, medians, flush=True)
    return {"seeds": [SEED], "scores": scores}


JOBS = {"alarm": alarm, "erase": erase}

LOOP = (
    "mnist.npz",
    training._run_epoch,
    training._make_optimizer,
    training._make_schedule,
    Dataset.batches,
    pretraining.pretrain,
    pretraining._reconstruct,
    autoencoders.ConvAutoencoder,
    autoencoders.conv_encoder,
)
COVERS = {
    "alarm": (
        *LOOP,
        "fashion_mnist.npz",
        Precisely,
        alarmed,
        alarm_scores.pictures,
        alarm_scores.multiples,
        svdd.DeepSVDD,
        anomaly.pca_score,
        anomaly.reconstruction_score,
        anomaly._error,
    ),
    "erase": (
        *LOOP,
        split_mnist,
        healer,
        errors,
        healing.plain_autoencoder,
        healing.masked_autoencoder,
        healing.packed,
        healing.SmallHealer,
        healing._conv,
        holes,
        masks.patch_mask,
        masks.random_mask,
        masks.masked_mse,
        masks.with_mask_channel,
    ),
}
