"""What chapter 02 says about accuracy and code length, computed anew with the course's recipe."""

from collections.abc import Callable

from torch import nn

from companion import models
from companion.codelength import prequential_bits, uniform_bits
from companion.data import Dataset, load
from companion.device import seed_everything
from companion.training import evaluate, standard_fit
from tools.bench import Claim
from tools.precompute_02 import BLOCKS, MAKERS, shuffled, with_random_labels

Change = Callable[[Dataset], Dataset]
UNIFORM = uniform_bits(4000, 10)


def as_recorded(data: Dataset) -> Dataset:
    return data


def accuracy(make: Callable[[], nn.Module], change: Change = as_recorded) -> Callable[[int], float]:
    """Test accuracy on MNIST-1D after the standard recipe."""

    def measure(seed: int) -> float:
        train, test = load("mnist1d"), load("mnist1d", split="test")
        seed_everything(seed)
        model = make()
        standard_fit(model, change(train), seed)
        return evaluate(model, change(test)).accuracy

    return measure


def bits(make: Callable[[], nn.Module], change: Change = as_recorded) -> Callable[[int], float]:
    """Prequential bits of the 4,000 labels of MNIST-1D."""

    def measure(seed: int) -> float:
        data = change(load("mnist1d"))
        code = prequential_bits(make, data, blocks=BLOCKS, fit=standard_fit, seed=seed)
        return code.total_bits

    return measure


def accuracy_claim(name: str, measure: Callable[[int], float], **bar: object) -> Claim:
    return Claim(
        name=f"accuracy-{name}", chapter="02", unit="share", measure=measure, is_long=True, **bar
    )


def bits_claim(name: str, measure: Callable[[int], float], **bar: object) -> Claim:
    return Claim(
        name=f"bits-{name}", chapter="02", unit="bits", measure=measure, is_long=True,
        peer=UNIFORM, peer_name="uniform code", **bar,
    )  # fmt: skip


CNN, CNN_BN = models.cnn1d, MAKERS["CNN+BN"]
ENTRIES = [
    accuracy_claim("cnn", accuracy(CNN), better="higher", bar=0.88),
    accuracy_claim("cnn-bn", accuracy(CNN_BN), better="higher", bar=0.97),
    accuracy_claim("gru", accuracy(models.gru1d), better="higher", bar=0.92),
    accuracy_claim("mlp", accuracy(models.mlp), better="lower", bar=0.72),
    accuracy_claim("cnn-shuffled", accuracy(CNN, shuffled), better="lower", bar=0.66),
    bits_claim("cnn", bits(CNN), better="lower", bar=6500.0),
    bits_claim("cnn-bn", bits(CNN_BN), better="lower", bar=4000.0),
    bits_claim("random", bits(models.mlp, with_random_labels), better="higher", bar=UNIFORM - 20),
]
