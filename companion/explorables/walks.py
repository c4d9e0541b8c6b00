"""The straight way from a baseline to a picture, and what each method of attribution says on it."""

from __future__ import annotations

from functools import cache, lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion.explanation import (
    deletion_curve,
    guided_backpropagation,
    randomized,
    rank_correlation,
    saliency,
)
from companion.explorables.dropout_committee import split_mnist
from companion.explorables.healing import unpacked
from companion.storage import precomputed

SIDE = 28
N_PLACES = 40  # of the logit along the way, besides its start
N_DELETIONS = 28  # steps of a deletion curve, as many pixels each
N_ORDERS = 10  # random orders beside it
NETWORKS = {"trained": "trained", "random": "last layer random"}
BASELINES = {"black": "black", "white": "white", "mean": "the mean digit", "blurred": "blurred"}


def small_network() -> nn.Sequential:
    """Two convolutions and two linear layers, 20 thousand weights."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(12 * 7 * 7, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip


@cache
def stored_network() -> nn.Module:
    """The stored weights of `small_network`, in evaluation mode."""
    with torch.random.fork_rng(devices=()):  # building it draws weights that are thrown away
        model = small_network()
    stored = precomputed("06", "lie_detector")["networks"]["trained"]
    model.load_state_dict(unpacked(stored, model.state_dict()))
    return model.eval()


@cache
def stored_images() -> Tensor:
    """Digits that the network has not learned from, two of each: (20, 1, 28, 28)."""
    held_out = split_mnist()[1]
    return torch.cat([held_out.inputs[held_out.targets == k][:2] for k in range(10)])


class Walks:
    """A network, the same with its last layer drawn anew, and pictures to be explained.

    `images` is (n, 1, 28, 28), `model` gives ten logits and is in evaluation mode.
    """

    def __init__(self, model: nn.Module, images: Tensor) -> None:
        self.networks = {"trained": model, "random": randomized(model, layers="last", seed=0)}
        self.images = images
        with torch.no_grad():
            self.answers = model(images).argmax(1).tolist()
        # A walk is kept as long as its widget.
        self.baseline = lru_cache(maxsize=256)(self._baseline)
        self.logits = lru_cache(maxsize=1024)(self._logits)
        self.gradients = lru_cache(maxsize=512)(self._gradients)
        self.random_deletion = lru_cache(maxsize=256)(self._random_deletion)
        self.report = lru_cache(maxsize=512)(self._report)

    def _baseline(self, image: int, name: str) -> Tensor:
        """The start of the way: (1, 1, 28, 28)."""
        x = self.images[image : image + 1]
        if name == "blurred":
            return F.avg_pool2d(x, 13, stride=1, padding=6)
        if name == "mean":
            return split_mnist()[0].inputs.mean(0, keepdim=True)
        return torch.full_like(x, float(name == "white"))

    def point(self, image: int, baseline: str, shares: Tensor) -> Tensor:
        """Places on the way, (s, 1, 28, 28) for shares (s,)."""
        start, x = self.baseline(image, baseline), self.images[image : image + 1]
        return start + shares.view(-1, 1, 1, 1) * (x - start)

    def _logits(self, network: str, image: int, baseline: str) -> Tensor:
        """All logits at 41 places from the baseline to the picture, (41, 10)."""
        with torch.no_grad():
            return self.networks[network](
                self.point(image, baseline, torch.linspace(0, 1, N_PLACES + 1))
            )

    def _gradients(
        self, network: str, image: int, baseline: str, target: int, n_steps: int
    ) -> Tensor:
        """What each step adds to each pixel: way times gradient in its middle, (s, 28, 28)."""
        middles = (torch.arange(n_steps) + 0.5) / n_steps
        points = self.point(image, baseline, middles)
        way = self.images[image : image + 1] - self.baseline(image, baseline)
        return (way * saliency(self.networks[network], points, target))[:, 0] / n_steps

    def collected(
        self, network: str, image: int, baseline: str, target: int, n_steps: int, share: float
    ) -> Tensor:
        """Integrated gradients up to `share` of the way, (28, 28)."""
        steps = self.gradients(network, image, baseline, target, n_steps)
        weights = (share * n_steps - torch.arange(n_steps)).clamp(0, 1)  # of whole and cut steps
        return (weights[:, None, None] * steps).sum(0)

    def attribution(
        self, method: str, network: str, image: int, baseline: str, target: int, n_steps: int,
        share: float,
    ) -> Tensor:  # fmt: skip
        """The map of one method at a place of the way, (28, 28)."""
        if method == "integrated":
            return self.collected(network, image, baseline, target, n_steps, share)
        model, x = self.networks[network], self.point(image, baseline, torch.tensor([share]))
        if method == "guided":
            return guided_backpropagation(model, x, target)[0, 0]
        gradient = saliency(model, x, target)
        return (gradient * x if method == "product" else gradient)[0, 0]

    def _random_deletion(self, network: str, image: int, target: int) -> list[float]:
        """The mean curve of ten random orders."""
        x = self.images[image : image + 1].expand(N_ORDERS, -1, -1, -1)
        order = torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
        model = self.networks[network]
        return deletion_curve(model, x, target, order, n_steps=N_DELETIONS).probabilities.tolist()

    def _report(
        self, method: str, network: str, image: int, baseline: str, target: int, n_steps: int,
        share: float,
    ) -> tuple[Tensor, Tensor, float | None, list[float], float]:  # fmt: skip
        """Map, the other network's, their rank correlation, the deletion curve and its area."""
        other = "random" if network == "trained" else "trained"
        settings = (image, baseline, target, n_steps, share)
        first, second = (self.attribution(method, n, *settings) for n in (network, other))
        is_flat = any(bool((values == values.mean()).all()) for values in (first, second))
        same = None if is_flat else rank_correlation(first[None], second[None]).item()
        x = self.images[image : image + 1]
        curve = deletion_curve(
            self.networks[network], x, target, first[None, None], n_steps=N_DELETIONS
        )
        return first, second, same, curve.probabilities.tolist(), curve.area
