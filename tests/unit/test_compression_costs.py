"""Costs are counted against PyTorch's own counter, and clocks are read in turns."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from companion import compression as C
from companion import models
from companion.compression import costs

MODELS = {
    "mlp": (models.mlp, (40,)),
    "cnn1d": (lambda: models.cnn1d(7, batch_norm=True), (40,)),
    "lenet5": (models.lenet5, (1, 28, 28)),
    "resnet": (lambda: models.small_resnet(4), (1, 28, 28)),
    "grouped": (lambda: nn.Sequential(nn.Conv2d(4, 6, (3, 2), 2, groups=2), nn.ReLU()), (4, 9, 8)),
    "by position": (lambda: nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 2)), (7, 5)),
}


@pytest.mark.parametrize("make, shape", MODELS.values(), ids=MODELS)
@given(n=st.integers(1, 4))
def test_multiply_adds_are_half_of_torchs_operations(make, shape, n):
    model = make().eval()
    x = torch.zeros(n, *shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    rows = C.layer_costs(model, x)
    assert 2 * n * sum(row.multiply_adds for row in rows) == counter.get_total_flops()
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in model.parameters())


def test_rows_by_hand():
    model = nn.Sequential(nn.Conv1d(2, 4, 3, padding=1), nn.BatchNorm1d(4), nn.ReLU())
    model.append(nn.Sequential(nn.Flatten(), nn.Linear(40, 5, bias=False)))
    model.train()
    statistics = model[1].running_mean.clone()
    rows = C.layer_costs(model, torch.ones(3, 2, 10))
    assert [(r.name, r.kind, r.parameters, r.multiply_adds, r.activations) for r in rows] == [
        ("0", "Conv1d", 28, 240, 40),
        ("1", "BatchNorm1d", 8, 0, 40),
        ("2", "ReLU", 0, 0, 40),
        ("3.0", "Flatten", 0, 0, 40),
        ("3.1", "Linear", 200, 200, 5),
    ]
    assert model.training and torch.equal(model[1].running_mean, statistics)
    assert not any(m._forward_hooks for m in model.modules())
    assert [r.name for r in C.layer_costs(nn.Linear(2, 3), torch.zeros(1, 2))] == [""]


def test_a_layer_used_twice_works_twice_and_is_stored_once():
    shared = nn.Linear(6, 6)
    rows = C.layer_costs(nn.Sequential(shared, nn.ReLU(), shared), torch.zeros(2, 6))
    assert [(r.parameters, r.multiply_adds, r.activations) for r in rows] == [
        (42, 72, 12),
        (0, 0, 6),
    ]


def test_compressed_models_cost_less():
    model, x = models.mlp(40, 32), torch.zeros(1, 40)

    def total(model):
        return sum(row.multiply_adds for row in C.layer_costs(model, x))

    assert total(model) == 40 * 32 + 32 * 32 + 32 * 10
    assert total(C.remove_channels(model, "0", range(8))) == 40 * 8 + 8 * 32 + 32 * 10
    model[2] = C.factorize_linear(model[2], 4)
    assert total(model) == 40 * 32 + 2 * 4 * 32 + 32 * 10
    rounded = C.quantize_model(model, x + 1, activation_bits=8)
    assert total(rounded) == total(model)  # simulated: nothing is saved
    with torch.no_grad():
        C.Pruner(model, C.pruning_masks(model, 0.1))
    assert total(model) == 40 * 32 + 2 * 4 * 32 + 32 * 10  # zeros are multiplied too


def test_layers_of_unknown_cost_are_named():
    with pytest.raises(ValueError, match="'gru' is a GRU: its cost is not known here"):
        C.layer_costs(models.gru1d(4), torch.zeros(2, 40))
    with pytest.raises(ValueError, match="'0' is a ConvTranspose2d"):
        C.layer_costs(nn.Sequential(nn.ConvTranspose2d(1, 2, 3)), torch.zeros(2, 1, 5, 5))
    model = models.mlp(3)
    with pytest.raises(RuntimeError):
        C.layer_costs(model, torch.zeros(2, 40))
    assert not any(m._forward_hooks for m in model.modules())


class Counting(nn.Module):
    """Notes its calls in a list that copies share."""

    calls: list[tuple[str, bool, bool, int]] = []

    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, x):
        threads = torch.get_num_threads()
        Counting.calls.append((self.name, self.training, torch.is_grad_enabled(), threads))
        return x


def test_models_take_turns_on_one_thread():
    Counting.calls.clear()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        pair = {"a": Counting("a"), "b": Counting("b")}
        C.compare_latency(pair, torch.zeros(1, 3), repeats=4, warmup=2)
        assert Counting.calls == [(name, False, False, 1) for _ in range(6) for name in "ab"]
        assert torch.get_num_threads() == 2 and pair["a"].training
        C.latency(pair["a"], torch.zeros(1, 3), repeats=5, warmup=0)
        assert len(Counting.calls) == 12 + 5
        with pytest.raises(RuntimeError):
            C.latency(nn.Linear(2, 2), torch.zeros(1, 3))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_the_summary_is_median_and_quartiles_without_the_warm_up(monkeypatch):
    seconds = iter([100.0, 50.0, 5.0, 1.0, 2.0, 4.0, 3.0])
    monkeypatch.setattr(costs, "_time", lambda model, x: next(seconds))
    assert C.latency(nn.ReLU(), torch.zeros(1), repeats=5, warmup=2) == C.Latency(3.0, 2.0, 4.0)
    monkeypatch.setattr(costs, "_time", lambda model, x: 7.0)
    assert C.latency(nn.ReLU(), torch.zeros(1), repeats=1) == C.Latency(7.0, 7.0, 7.0)


def test_more_work_takes_more_time():
    def network(width):
        return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 64))

    pair = {"small": network(16), "large": network(4096)}  # 256 times the multiply-adds
    found = C.compare_latency(pair, torch.zeros(64, 64), repeats=11)
    assert found["large"].median > 5 * found["small"].median
    assert all(0 < t.low <= t.median <= t.high for t in found.values())


def test_clocks_refuse():
    with pytest.raises(ValueError, match="no models to time"):
        C.compare_latency({}, torch.zeros(1, 3))
    for repeats in (0, -1, 2.5):
        with pytest.raises(ValueError, match="repeats is .*integer of at least 1"):
            C.latency(nn.ReLU(), torch.zeros(1, 3), repeats=repeats)
    for warmup in (-1, 0.5):
        with pytest.raises(ValueError, match="warmup is .*integer of at least 0"):
            C.latency(nn.ReLU(), torch.zeros(1, 3), warmup=warmup)
