"""Reference layers against PyTorch's own, forward and backward, on one thread."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from companion import architecture
from tools.bench import Comparison, Timed


def two_convolutions(conv2d: Callable[..., Tensor]) -> Timed:
    """Forward and backward of 1 → 32 → 64 channels, kernel 3, on 64 images of 28 x 28."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(64, 1, 28, 28, generator=generator)
    first = torch.randn(32, 1, 3, 3, generator=generator, requires_grad=True)
    second = torch.randn(64, 32, 3, 3, generator=generator, requires_grad=True)

    def run() -> None:
        hidden = conv2d(images, first).relu()  # (64, 32, 26, 26)
        conv2d(hidden, second).sum().backward()  # (64, 64, 24, 24)
        first.grad = second.grad = None

    return run


ENTRIES = [
    Comparison(
        name="conv2d",
        chapter="02",
        prepare=lambda: (two_convolutions(architecture.conv2d), two_convolutions(F.conv2d)),
        peer_name="torch.nn.functional.conv2d",
        n_repeats=15,
        bar=3.0,
    )
]
