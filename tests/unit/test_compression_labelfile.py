"""Labels and the network that predicts them in one file, read again or refused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from companion.compression.labelfile import (
    INPUT_STEPS,
    Convolution,
    IntegerNet,
    read_labels,
    read_net,
    write_labels,
)

SERIES = torch.randn(50, 40, generator=torch.Generator().manual_seed(0))


def small_net(largest: int = 4, seed: int = 0) -> IntegerNet:
    generator = torch.Generator().manual_seed(seed)

    def integers(*shape: int) -> torch.Tensor:
        return torch.randint(-largest, largest + 1, shape, generator=generator)

    layers = [
        Convolution(integers(3, 1, 5), integers(3), 6, 2),
        Convolution(integers(3, 3, 5), integers(3), 8),
        Convolution(integers(10, 3, 1), integers(10), 9),
    ]
    return IntegerNet(layers, scale=150, scale_exponent=14)


def labels_of(net: IntegerNet, seed: int = 1) -> torch.Tensor:
    """Drawn from the network's own probabilities: what its code is made for."""
    weights = torch.tensor(net.frequencies(SERIES), dtype=torch.float64)
    return torch.multinomial(weights, 1, generator=torch.Generator().manual_seed(seed)).squeeze(1)


def test_network_and_labels_come_back():
    net = small_net()
    labels = labels_of(net)
    blob = write_labels(net, SERIES, labels)
    assert torch.equal(read_labels(blob, SERIES), labels)
    again, model_bits = read_net(blob)
    for a, b in zip(net.layers, again.layers, strict=True):
        assert torch.equal(a.weight, b.weight) and torch.equal(a.bias, b.bias)
        assert a[2:] == b[2:]
    assert (again.scale, again.scale_exponent) == (150, 14)
    assert 0 < model_bits < 8 * len(blob)


def test_the_labels_cost_what_the_probabilities_say():
    net = small_net()
    labels = labels_of(net)
    frequencies = torch.tensor(net.frequencies(SERIES), dtype=torch.float64)
    probability = frequencies / frequencies.sum(1, keepdim=True)
    ideal = -probability.gather(1, labels[:, None]).log2().sum().item()
    blob = write_labels(net, SERIES, labels)
    assert 8 * len(blob) - read_net(blob)[1] == pytest.approx(ideal, rel=0.01, abs=12)


def test_logits_are_those_of_the_ordinary_network():
    net = small_net()
    h = ((SERIES.double() * INPUT_STEPS).round()).unsqueeze(1)
    for layer in net.layers[:-1]:
        bias = layer.bias.double() * 2**layer.bias_exponent
        h = F.conv1d(
            h, layer.weight.double(), bias, layer.stride, layer.weight.shape[2] // 2
        ).relu()
    last = net.layers[-1]
    expected = h.amax(2) @ last.weight.squeeze(2).double().T + last.bias * 2**last.bias_exponent
    logits = net.logits(SERIES)
    assert torch.equal(logits, expected) and torch.equal(logits, logits.round())


def test_the_order_of_a_batch_changes_no_bit():
    net, order = small_net(), torch.randperm(50, generator=torch.Generator().manual_seed(2))
    one_by_one = [net.frequencies(x[None])[0] for x in SERIES]
    assert net.frequencies(SERIES) == one_by_one
    assert net.frequencies(SERIES[order]) == [one_by_one[i] for i in order]


def test_a_damaged_file_or_other_series_are_noticed():
    blob = write_labels(small_net(), SERIES, labels_of(small_net()))
    with pytest.raises(ValueError, match="checksum of the labels"):
        read_labels(blob, SERIES.flip(0))
    n_noticed = 0
    for place in range(0, 8 * len(blob), 7):
        damaged = bytearray(blob)
        damaged[place // 8] ^= 1 << place % 8
        try:
            read_labels(bytes(damaged), SERIES)
        except ValueError:
            n_noticed += 1
    assert n_noticed == len(range(0, 8 * len(blob), 7))


@pytest.mark.parametrize(
    ("labels", "says"),
    [(torch.zeros(49).long(), "one label"), (torch.full((50,), 10), "0 to 9"),
     (torch.full((50,), -1), "0 to 9")],
)  # fmt: skip
def test_labels_that_do_not_fit_are_refused(labels, says):
    with pytest.raises(ValueError, match=says):
        write_labels(small_net(), SERIES, labels)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e14])
def test_what_double_precision_cannot_hold_is_refused(bad):
    x = SERIES.clone()
    x[3, 5] = bad
    with pytest.raises(ValueError, match="double precision"):
        small_net().logits(x)
