"""Networks that give back their input through a bottleneck, and the encoder that chapters share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral

import torch
from torch import Tensor, nn


class Autoencoder(nn.Module):
    """Fully connected: inputs -> hidden layers -> code -> the hidden layers again -> inputs.

    `n_hidden` lists the widths of the hidden layers, each followed by a ReLU; with `()` the network
    is linear, the twin of PCA.  Takes (N, ...) with `n_inputs` values an example and gives the same
    shape; `encode` gives (N, n_code).

    Source: Hinton & Salakhutdinov, Science 313, 2006 (from memory, unverified).

    Raises:
        ValueError: a size that is no integer of at least 1.
    """

    def __init__(self, n_inputs: int, n_hidden: Sequence[int] = (), n_code: int = 32) -> None:
        super().__init__()
        sizes = [n_inputs, *n_hidden, n_code]
        _check_sizes(**{f"size {i}": size for i, size in enumerate(sizes)})
        self.encoder = _layers(sizes)
        self.decoder = _layers(sizes[::-1])

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x.flatten(1))  # (N, n_code)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encode(x)).view_as(x)


def conv_encoder(
    n_code: int = 64, n_channels: int = 16, *, in_channels: int = 1, bias: bool = True
) -> nn.Sequential:
    """Images (N, in_channels, 28, 28) -> codes (N, n_code): three convolutions of stride 2.

    Each is followed by batch norm and a ReLU.  With `bias=False` nothing is ever added: no biases,
    and batch norm without gain and bias, as Deep SVDD wants it.

    Raises:
        ValueError: a size that is no integer of at least 1.
    """
    _check_sizes(n_code=n_code, n_channels=n_channels, in_channels=in_channels)
    layers: list[nn.Module] = []
    n_in = in_channels
    for n_out in (n_channels, 2 * n_channels, 2 * n_channels):  # 28 -> 14 -> 7 -> 4
        layers += [
            nn.Conv2d(n_in, n_out, 3, 2, 1, bias=False),  # batch norm brings its own
            nn.BatchNorm2d(n_out, affine=bias),
            nn.ReLU(),
        ]
        n_in = n_out
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * n_in, n_code, bias=bias))


class ConvAutoencoder(nn.Module):
    """`conv_encoder` and its mirror image: (N, in_channels, 28, 28) -> (N, 1, 28, 28).

    `encode` gives (N, n_code).  With a mask as second channel `in_channels` is 2.

    Raises:
        ValueError: a size that is no integer of at least 1.
    """

    def __init__(self, n_channels: int = 16, n_code: int = 32, in_channels: int = 1) -> None:
        super().__init__()
        self.encoder = conv_encoder(n_code, n_channels, in_channels=in_channels)
        c = n_channels
        self.decoder = nn.Sequential(
            nn.Linear(n_code, 16 * 2 * c),
            nn.Unflatten(1, (2 * c, 4, 4)),
            nn.BatchNorm2d(2 * c),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * c, 2 * c, 3, 2, 1, bias=False),  # (N, 2C, 7, 7)
            nn.BatchNorm2d(2 * c),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * c, c, 3, 2, 1, output_padding=1, bias=False),  # (N, C, 14, 14)
            nn.BatchNorm2d(c),
            nn.ReLU(),
            nn.ConvTranspose2d(c, 1, 3, 2, 1, output_padding=1),  # (N, 1, 28, 28)
        )

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class SkipAutoencoder(nn.Module):
    """A small U-Net for filling gaps and removing noise: (N, in_channels, H, W) -> (N, 1, H, W).

    H and W are multiples of 4.  Fine detail goes around the narrow middle on skip connections, so
    there is no code that holds the whole image, and nothing stops it from copying: it learns only
    where its input is spoiled.

    Source: Ronneberger, Fischer & Brox, MICCAI 2015 (from memory, unverified).

    Raises:
        ValueError: a size that is no integer of at least 1, or images that do not fit.
    """

    def __init__(self, n_channels: int = 16, in_channels: int = 1) -> None:
        super().__init__()
        _check_sizes(n_channels=n_channels, in_channels=in_channels)
        c = n_channels
        self.down1 = nn.Sequential(nn.PixelUnshuffle(2), *_conv(4 * in_channels, c), *_conv(c, c))
        self.down2 = nn.Sequential(*_conv(c, 2 * c, stride=2), *_conv(2 * c, 2 * c))
        self.up = nn.ConvTranspose2d(2 * c, c, 2, 2)
        self.out = nn.Sequential(
            *_conv(2 * c, c), nn.Conv2d(c, 4, 3, padding=1), nn.PixelShuffle(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[2] % 4 or x.shape[3] % 4:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, expected (N, C, H, W) with H and W multiples of 4: "
                "the image is halved twice"
            )
        fine = self.down1(x)  # (N, C, H/2, W/2)
        coarse = self.down2(fine)  # (N, 2C, H/4, W/4)
        return self.out(torch.cat([fine, self.up(coarse)], dim=1))


def _conv(n_in: int, n_out: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
    return [conv, nn.BatchNorm2d(n_out), nn.ReLU()]


def _layers(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers of these sizes with ReLU between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if not isinstance(size, Integral) or size < 1:
            raise ValueError(f"{name} must be an integer of at least 1, got {size!r}")
