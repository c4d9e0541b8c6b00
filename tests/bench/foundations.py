"""Chapter 01: what the engine costs beside torch, what it keeps, and how near it stays."""

import gc
import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion.data import load
from companion.foundations import MLP, SGD, Node
from tools.bench import Claim, Comparison, Timed

SIZES, BATCH_SIZE, LEARNING_RATE = [40, 100, 10], 64, 0.1


def batches(seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from load("mnist1d").batches(BATCH_SIZE, generator)


def network(seed: int) -> MLP:
    return MLP(SIZES, generator=torch.Generator().manual_seed(seed))


def ours(mlp: MLP, *, by_hand: bool = False) -> Callable[[Tensor, Tensor], float]:
    """One training step of the network: loss, gradients, SGD."""
    optimizer = SGD(LEARNING_RATE)
    compute = mlp.loss_and_gradients_by_hand if by_hand else mlp.loss_and_gradients

    def step(x: Tensor, labels: Tensor) -> float:
        loss, gradients = compute(x, labels)
        optimizer.step(mlp.parameters, gradients)
        return loss.item()

    return step


def torchs(mlp: MLP) -> Callable[[Tensor, Tensor], float]:
    """The same step of the same network in torch."""
    twin = nn.Sequential(nn.Linear(*SIZES[:2]), nn.ReLU(), nn.Linear(*SIZES[1:]))
    with torch.no_grad():
        for theirs, parameter in zip(twin.parameters(), mlp.parameters, strict=True):
            theirs.copy_(parameter)
    optimizer = torch.optim.SGD(twin.parameters(), lr=LEARNING_RATE)

    def step(x: Tensor, labels: Tensor) -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(twin(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def timed(step: Callable[[Tensor, Tensor], float]) -> Timed:
    """Twenty steps, each on another batch."""
    drawn = [batch for batch, _ in zip(batches(0), range(20), strict=False)]

    def run() -> None:
        for x, labels in drawn:
            step(x, labels)

    return run


def against_torch(*, by_hand: bool) -> Callable[[], tuple[Timed, Timed]]:
    return lambda: (timed(ours(network(0), by_hand=by_hand)), timed(torchs(network(0))))


def n_alive() -> int:
    """Tensors and nodes that something still refers to."""
    kinds = [type(o) for o in gc.get_objects()]
    return sum(issubclass(kind, Tensor | Node) for kind in kinds)


def kept_after_1000_steps(seed: int) -> float:
    """How many more tensors and nodes live after 1,000 steps than after one; no collector runs."""
    step, source = ours(network(seed)), batches(seed)
    x, labels = next(source)
    gc.collect()
    gc.disable()
    try:
        step(x, labels)
        before = n_alive()
        for _ in range(1000):
            step(x, labels)
        return float(n_alive() - before)
    finally:
        gc.enable()


def largest_difference_from_torch(seed: int) -> float:
    """Largest difference of two losses over 100 steps of the same run."""
    mlp, source = network(seed), batches(seed)
    twin, step = torchs(mlp), ours(mlp)
    pairs = [(step(*batch), twin(*batch)) for batch, _ in zip(source, range(100), strict=False)]
    return max(abs(a - b) for a, b in pairs)


def first_loss_beside_uniform(seed: int) -> float:
    """|loss / log 10 - 1| of an untrained network on all of MNIST-1D."""
    train = load("mnist1d")
    logits = network(seed).logits(train.inputs)
    return abs(F.cross_entropy(logits, train.targets).item() / math.log(10) - 1)


ENTRIES = [
    Comparison(
        name="mlp-step",
        chapter="01",
        prepare=against_torch(by_hand=False),
        peer_name="torch.nn and torch.optim",
        n_repeats=15,
        bar=4.0,
    ),
    Comparison(
        name="mlp-step-by-hand",
        chapter="01",
        prepare=against_torch(by_hand=True),
        peer_name="torch.nn and torch.optim",
        n_repeats=15,
    ),
    Claim(
        name="engine-memory",
        chapter="01",
        unit="objects",
        measure=kept_after_1000_steps,
        bar=0.0,
    ),
    Claim(
        name="engine-twin",
        chapter="01",
        unit="nats",
        measure=largest_difference_from_torch,
        bar=1e-5,
    ),
    Claim(
        name="first-loss",
        chapter="01",
        unit="of log 10",
        measure=first_loss_beside_uniform,
        seeds=(0, 1, 2, 3, 4),
        bar=0.02,
    ),
]
