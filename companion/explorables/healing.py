"""Five ways to fill the hidden part of a picture, all from the same 3,000 digits."""

from __future__ import annotations

import base64
from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from companion.data import load
from companion.data.loading import GARMENTS
from companion.explorables.dropout_committee import split_mnist
from companion.self_supervision import (
    PCA,
    ConvAutoencoder,
    fill_knn,
    fill_mean,
    hide,
    with_mask_channel,
)
from companion.self_supervision.autoencoders import _conv
from companion.storage import precomputed

FILLS = {
    "mean": "mean",
    "knn": "k-NN",
    "pca": "PCA",
    "autoencoder": "autoencoder",
    "masked": "masked autoencoder",
}
NETWORKS = ("autoencoder", "masked")
SIDE = 28
N_COPIES = 6  # pictures on offer of each digit and each garment
N_OTHERS = 40  # further pictures, over which a mean error is taken
MOST_NEIGHBOURS, MOST_COMPONENTS = 30, 200


class SmallHealer(nn.Module):
    """`SkipAutoencoder` without its fully connected middle, so a tenth of the weights to store.

    (N, 2, 28, 28), the picture with its holes and the mask -> (N, 1, 28, 28).
    """

    def __init__(self, n_channels: int = 16) -> None:
        super().__init__()
        c = n_channels
        self.down1 = nn.Sequential(nn.PixelUnshuffle(2), *_conv(8, c), *_conv(c, c))
        self.down2 = nn.Sequential(*_conv(c, 2 * c, stride=2), *_conv(2 * c, 2 * c))
        self.up = nn.ConvTranspose2d(2 * c, c, 2, 2)
        self.out = nn.Sequential(
            *_conv(2 * c, c), nn.Conv2d(c, 4, 3, padding=1), nn.PixelShuffle(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down1(x)  # (N, C, 14, 14)
        coarse = self.up(self.down2(fine))  # (N, C, 14, 14), by way of (N, 2C, 7, 7)
        return self.out(torch.cat([fine, coarse], dim=1))


def plain_autoencoder() -> nn.Module:
    """Trained to give back whole digits through a code of 32 numbers."""
    return ConvAutoencoder(n_channels=4, n_code=32)


def masked_autoencoder() -> nn.Module:
    """Trained to fill hidden tiles; the mask is its second channel."""
    return SmallHealer()


@cache
def pictures(kind: str) -> tuple[Tensor, Tensor]:
    """Pictures that no method learned from: on offer (10, copies, 1, 28, 28), and others (N, ...).

    `kind` is "digit" (held out of MNIST's training split) or "garment" (Fashion-MNIST).
    """
    data = split_mnist()[1] if kind == "digit" else load("fashion_mnist")
    n = N_COPIES + N_OTHERS // 10
    of_class = torch.stack([data.inputs[data.targets == k][:n] for k in range(10)])
    return of_class[:, :N_COPIES], of_class[:, N_COPIES:].flatten(0, 1)


def names() -> dict[str, tuple[str, int]]:
    """What can be chosen: "digit 3" -> ("digit", 3), "coat" -> ("garment", 4)."""
    digits = {f"digit {k}": ("digit", k) for k in range(10)}
    return digits | {name: ("garment", k) for k, name in enumerate(GARMENTS)}


@cache
def train() -> Tensor:
    """The digits that every method has learned from: (3000, 1, 28, 28)."""
    return split_mnist()[0].inputs


@cache
def average() -> Tensor:
    """The mean training digit, as the one picture of a set: (1, 1, 28, 28)."""
    return train().mean(0, keepdim=True)


@cache
def plane() -> PCA:
    """All directions of the training digits, from the one along which they vary most."""
    return PCA(SIDE * SIDE).fit(train())


def fill_from_plane(x: Tensor, mask: Tensor, n_components: int) -> Tensor:
    """`companion.self_supervision.fill_pca` for one mask on all of x, the plane found only once.

    x (N, 1, 28, 28), mask (1, 1, 28, 28).
    """
    found = plane()
    noise = max(found.variances[n_components:].mean().item(), 1e-12)
    scaled = found.components[:n_components] * found.variances[:n_components].sqrt()[:, None]
    seen = ~mask.flatten()  # (D,)
    part = scaled[:, seen]  # (K, S)
    system = part @ part.T + noise * torch.eye(n_components)
    z = torch.linalg.solve(system, part @ (x.flatten(1) - found.mean)[:, seen].T)  # (K, N)
    return torch.where(mask, (found.mean + z.T @ scaled).view_as(x), x)


@cache
def network(name: str) -> nn.Module:
    """The stored network `name`, in evaluation mode."""
    stored = precomputed("04", "erase")["networks"][name]
    with torch.random.fork_rng(devices=()):  # building it draws weights that are thrown away
        model = plain_autoencoder() if name == "autoencoder" else masked_autoencoder()
    model.load_state_dict(unpacked(stored, model.state_dict()))
    return model.eval()


def packed(model: nn.Module) -> list[str]:
    """Weights and the averages of batch norm as base64 of float16."""
    return [
        base64.b64encode(value.numpy().astype("<f2").tobytes()).decode()
        for value in model.state_dict().values()
        if value.is_floating_point()
    ]


def unpacked(stored: list[str], shapes: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of a model of these shapes; what counts batches stays as it is."""
    floats = [name for name, value in shapes.items() if value.is_floating_point()]
    values = {
        name: torch.from_numpy(
            np.frombuffer(base64.b64decode(text), dtype="<f2").astype(np.float32)
        ).view(shapes[name].shape)
        for name, text in zip(floats, stored, strict=True)
    }
    return {**shapes, **values}


@torch.no_grad()
def fill_from_network(x: Tensor, mask: Tensor, name: str) -> Tensor:
    """The plain autoencoder gets zeros in the holes, the masked one is told where they are."""
    seen = with_mask_channel(x, mask) if name == "masked" else hide(x, mask)
    return torch.where(mask, network(name)(seen).clamp(0, 1), x)


def fill(name: str, x: Tensor, mask: Tensor, *, k: int, n_components: int) -> Tensor:
    """x (N, 1, 28, 28) with the hidden part, where mask (1, 1, 28, 28) is True, filled."""
    if name == "mean":
        return fill_mean(x, mask, average())
    if name == "knn":
        return fill_knn(x, mask, train(), k=k)
    if name == "pca":
        return fill_from_plane(x, mask, n_components).clamp(0, 1)
    return fill_from_network(x, mask, name)


@lru_cache(maxsize=64)
def healed(
    kind: str, place: int, copy: int, rows: tuple[str, ...], name: str, setting: int
) -> tuple[Tensor, float, float]:
    """One picture filled by one method (28, 28), its error, and the mean error over the others.

    Errors are mean squares over the hidden pixels.  `setting` is k for k-NN, the number of
    components for PCA.
    """
    offered, others = pictures(kind)
    mask = as_mask(rows)
    x = torch.cat([offered[place, copy : copy + 1], others])  # (1 + N, 1, 28, 28)
    filled = fill(name, x, mask, k=setting, n_components=setting)
    errors = (filled - x)[:, mask[0]].square().mean(1)  # (1 + N,)
    return filled[0, 0], errors[0].item(), errors[1:].mean().item()


def as_mask(rows: tuple[str, ...]) -> Tensor:
    """28 strings of 28 signs, "#" hidden and "." visible -> (1, 1, 28, 28) bool."""
    return torch.tensor([[sign == "#" for sign in row] for row in rows])[None, None]


def as_rows(mask: Tensor) -> list[str]:
    """The mask (..., 28, 28) as strings, for a state that a page can hold."""
    return ["".join("#" if hidden else "." for hidden in row) for row in mask.view(SIDE, SIDE)]
