"""The few named networks that chapters share.

The ones for series take (N, 40), the ones for images (N, 1, 28, 28); all give logits (N, classes).
Built from `torch.nn`, because a chapter that compares networks wants them fast; that the layers of
`companion.architecture` are the same functions is what chapter 02 shows.
"""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor, nn


def logistic(n_inputs: int = 40, n_classes: int = 10) -> nn.Sequential:
    """One linear layer: logistic regression."""
    _check_sizes(n_inputs=n_inputs, n_classes=n_classes)
    return nn.Sequential(nn.Linear(n_inputs, n_classes))


def mlp(n_inputs: int = 40, n_hidden: int = 100, n_classes: int = 10) -> nn.Sequential:
    """Two hidden layers with ReLU."""
    _check_sizes(n_inputs=n_inputs, n_hidden=n_hidden, n_classes=n_classes)
    return nn.Sequential(
        nn.Linear(n_inputs, n_hidden),
        nn.ReLU(),
        nn.Linear(n_hidden, n_hidden),
        nn.ReLU(),
        nn.Linear(n_hidden, n_classes),
    )


def cnn1d(
    n_channels: int = 25, *, batch_norm: bool = False, n_points: int = 40, n_classes: int = 10
) -> nn.Sequential:
    """Three convolutions over the series, the length halved twice, then one linear layer."""
    _check_sizes(n_channels=n_channels, n_points=n_points, n_classes=n_classes)
    layers: list[nn.Module] = [nn.Unflatten(1, (1, n_points))]  # (N, L) -> (N, 1, L)
    n_in, length = 1, n_points
    for stride in (2, 1, 2):
        bias = not batch_norm  # batch norm brings its own
        layers.append(nn.Conv1d(n_in, n_channels, 5, stride, padding=2, bias=bias))
        if batch_norm:
            layers.append(nn.BatchNorm1d(n_channels))
        layers.append(nn.ReLU())
        n_in, length = n_channels, (length - 1) // stride + 1
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(n_channels * length, n_classes))


class GRU1d(nn.Module):
    """A gated recurrent network that reads a series point by point, in both directions."""

    def __init__(self, n_hidden: int = 32, n_classes: int = 10) -> None:
        super().__init__()
        _check_sizes(n_hidden=n_hidden, n_classes=n_classes)
        self.gru = nn.GRU(1, n_hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * n_hidden, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x.unsqueeze(-1))  # (N, L) -> (N, L, 2H)
        return self.head(states.mean(1))  # mean over the points: (N, 2H)


def gru1d(n_hidden: int = 32, n_classes: int = 10) -> GRU1d:
    """Bidirectional GRU over the points, its states averaged, then one linear layer."""
    return GRU1d(n_hidden, n_classes)


def lenet5(n_classes: int = 10) -> nn.Sequential:
    """LeNet-5 with today's parts (ReLU, max pooling) for 28 x 28 images.

    Source: LeCun, Bottou, Bengio & Haffner, Proc. IEEE 86(11), 1998.
    """
    _check_sizes(n_classes=n_classes)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),  # (N, 1, 28, 28) -> (N, 6, 28, 28)
        nn.ReLU(),
        nn.MaxPool2d(2),  # (N, 6, 14, 14)
        nn.Conv2d(6, 16, 5),  # (N, 16, 10, 10)
        nn.ReLU(),
        nn.MaxPool2d(2),  # (N, 16, 5, 5)
        nn.Flatten(),  # (N, 400)
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, n_classes),
    )


def lenet_300_100(n_classes: int = 10) -> nn.Sequential:
    """Two hidden layers of 300 and 100 units on 28 x 28 pixels: 266,610 values for 10 classes.

    Source: LeCun, Bottou, Bengio & Haffner, Proc. IEEE 86(11), 1998; with ReLU as in Han, Mao &
    Dally, ICLR 2016, who compress it.
    """
    _check_sizes(n_classes=n_classes)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 300),
        nn.ReLU(),
        nn.Linear(300, 100),
        nn.ReLU(),
        nn.Linear(100, n_classes),
    )


def lenet5_caffe(n_classes: int = 10) -> nn.Sequential:
    """The LeNet-5 of the Caffe library, which papers on compression use: 431,080 values.

    Two convolutions of 20 and 50 channels without padding, each halved by pooling and without a
    non-linearity of its own, then 500 hidden units.
    """
    _check_sizes(n_classes=n_classes)
    return nn.Sequential(
        nn.Conv2d(1, 20, 5),  # (N, 1, 28, 28) -> (N, 20, 24, 24)
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),  # (N, 20, 12, 12) -> (N, 50, 8, 8)
        nn.MaxPool2d(2),
        nn.Flatten(),  # (N, 50 * 4 * 4)
        nn.Linear(800, 500),
        nn.ReLU(),
        nn.Linear(500, n_classes),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, and a shortcut around them (He et al., 2016)."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        _check_sizes(n_in=n_in, n_out=n_out, stride=stride)
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def small_resnet(n_channels: int = 16, n_classes: int = 10) -> nn.Sequential:
    """A residual network for 28 x 28 images: one convolution, three blocks, one linear layer."""
    _check_sizes(n_channels=n_channels, n_classes=n_classes)
    c = n_channels
    return nn.Sequential(
        nn.Conv2d(1, c, 3, padding=1, bias=False),
        nn.BatchNorm2d(c),
        nn.ReLU(),
        ResidualBlock(c, c),
        ResidualBlock(c, 2 * c, stride=2),  # (N, 2C, 14, 14)
        ResidualBlock(2 * c, 4 * c, stride=2),  # (N, 4C, 7, 7)
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * c, n_classes),
    )


def n_parameters(model: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def layer_table(model: nn.Sequential, inputs: Tensor) -> list[tuple[str, tuple[int, ...], int]]:
    """Rows `(layer, output shape without the batch, parameters)`, computed by running `inputs`.

    The layers run in evaluation mode; their own mode is restored afterwards.
    """
    rows, x = [("input", tuple(inputs.shape[1:]), 0)], inputs
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        for layer in model:
            x = layer(x)
            rows.append((type(layer).__name__, tuple(x.shape[1:]), n_parameters(layer)))
    for module, mode in modes.items():
        module.training = mode
    return rows


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if not isinstance(size, Integral) or size < 1:
            raise ValueError(f"{name} must be an integer of at least 1, got {size!r}")
