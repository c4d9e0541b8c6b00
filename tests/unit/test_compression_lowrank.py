"""The nearest matrix of its rank, as two layers; and a student that learns from a teacher."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from companion import compression as C
from companion import models, training
from companion.data import Dataset

seeds = st.integers(0, 99)


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def linear(n_in, n_out, seed=0, bias=True):
    layer = nn.Linear(n_in, n_out, bias=bias, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(randn(n_out, n_in, seed=seed))
    return layer


# ---- low rank ----------------------------------------------------------------------------------


@given(m=st.integers(1, 9), n=st.integers(1, 9), seed=seeds, bias=st.booleans(), data=st.data())
def test_the_error_is_that_of_eckart_and_young(m, n, seed, bias, data):
    rank = data.draw(st.integers(1, min(m, n)))
    layer = linear(n, m, seed, bias)
    first, second = C.factorize_linear(layer, rank)
    product = second.weight @ first.weight
    u, s, vt = np.linalg.svd(layer.weight.detach().numpy())
    discarded = (s[rank:] ** 2).sum()
    error = (product - layer.weight).square().sum().item()
    assert error == pytest.approx(discarded, abs=1e-10)
    assert np.abs(product.detach().numpy() - u[:, :rank] * s[:rank] @ vt[:rank]).max() < 1e-10
    # No other product of this rank is nearer.
    other = randn(m, rank, seed=seed + 1) @ randn(rank, n, seed=seed + 2)
    near = product + 1e-3 * randn(m, rank, seed=seed + 3) @ first.weight
    assert (other - layer.weight).square().sum() >= error - 1e-10
    assert (near - layer.weight).square().sum() >= error - 1e-10


@given(rank=st.integers(1, 5), seed=seeds, bias=st.booleans())
def test_the_two_layers_are_the_layer_of_the_product(rank, seed, bias):
    layer, x = linear(7, 5, seed, bias), randn(4, 7, seed=seed + 1)
    before = copy.deepcopy(layer)
    pair = C.factorize_linear(layer, rank)
    first, second = pair
    expected = x @ (second.weight @ first.weight).T + (layer.bias if bias else 0)
    assert torch.allclose(pair(x), expected, atol=1e-12)
    assert torch.equal(layer.weight, before.weight)
    assert (first.in_features, first.out_features, first.bias) == (7, rank, None)
    assert (second.in_features, second.out_features) == (rank, 5)
    assert (second.bias is not None) == bias
    assert models.n_parameters(pair) == rank * 12 + 5 * bias
    # sqrt(S) on both sides: the factors are of one size, component by component.
    assert torch.allclose(first.weight.norm(dim=1), second.weight.norm(dim=0))
    if rank == 5:
        assert torch.allclose(pair(x), layer(x), atol=1e-10)
    pair(x).sum().backward()
    assert all(p.grad is not None for p in pair.parameters())


CONVOLUTIONS = {
    "plain": lambda: nn.Conv2d(3, 6, 3),
    "strided": lambda: nn.Conv2d(3, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
    "reflected": lambda: nn.Conv2d(3, 6, 3, padding=1, padding_mode="reflect"),
    "same": lambda: nn.Conv2d(3, 6, 3, padding="same", bias=False),
    "series": lambda: nn.Conv1d(3, 6, 5, stride=2, padding=2),
}


@pytest.mark.parametrize("make", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
@given(rank=st.integers(1, 6), seed=seeds)
def test_two_convolutions_are_the_convolution_of_the_nearest_weight(make, rank, seed):
    torch.manual_seed(seed)
    layer = make().double()
    pair = C.factorize_conv(layer, rank)
    u, s, vt = np.linalg.svd(layer.weight.detach().flatten(1).numpy(), full_matrices=False)
    nearest = torch.tensor(u[:, :rank] * s[:rank] @ vt[:rank]).view_as(layer.weight)
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        twin.weight.copy_(nearest)
    x = randn(2, 3, 9, 8, seed=seed) if layer.weight.ndim == 4 else randn(2, 3, 11, seed=seed)
    assert torch.allclose(pair(x), twin(x), atol=1e-10)
    assert pair[0].weight.shape == (rank, *layer.weight.shape[1:]) and pair[0].bias is None
    assert pair[1].weight.shape == (6, rank, *[1] * (layer.weight.ndim - 2))
    assert (pair[1].bias is None) == (layer.bias is None)
    assert torch.allclose(
        pair[0].weight.flatten(1).norm(dim=1), pair[1].weight.flatten(1).norm(dim=0)
    )


def test_dtypes_stay():
    pair = C.factorize_linear(nn.Linear(4, 3), 2)
    assert all(p.dtype == torch.float32 for p in pair.parameters())


@given(
    values=st.lists(st.floats(0, 100), min_size=1, max_size=8),
    energy=st.floats(0, 1, exclude_min=True),
)
def test_the_rank_is_the_smallest_with_the_energy(values, energy):
    values = sorted(values, reverse=True)
    found = C.rank_for_energy(values, energy)
    assert 1 <= found <= len(values)
    squares = [v**2 for v in values]
    total = sum(squares)
    assert sum(squares[:found]) >= energy * total * (1 - 1e-12)
    assert found == 1 or sum(squares[: found - 1]) < energy * total * (1 + 1e-12)
    assert found == C.rank_for_energy(torch.tensor(values, dtype=torch.float64), energy)


def test_ranks_by_hand():
    assert [C.rank_for_energy([3.0, 4.0][::-1], e) for e in (0.5, 0.64, 0.65, 1.0)] == [1, 1, 2, 2]
    assert C.rank_for_energy([2, 0, 0], 1.0) == 1 and C.rank_for_energy([0.0, 0.0], 0.9) == 1
    assert C.rank_for_energy(torch.ones(10), 0.55) == 6


@given(m=st.integers(1, 60), n=st.integers(1, 60))
def test_break_even_is_the_last_rank_that_saves(m, n):
    rank = C.break_even_rank(m, n)
    assert rank * (m + n) < m * n <= (rank + 1) * (m + n)


def test_break_even_by_hand():
    assert C.break_even_rank(300, 784) == 216 and C.break_even_rank(100, 10) == 9
    assert C.break_even_rank(4, 4) == 1 and C.break_even_rank(1, 50) == C.break_even_rank(2, 2) == 0


@pytest.mark.parametrize("rank", [0, -1, 4, 2.0, True, None])
def test_ranks_are_refused(rank):
    with pytest.raises(ValueError, match="rank is .*expected 1 to 3 for a matrix 3 x 5"):
        C.factorize_linear(nn.Linear(5, 3), rank)
    with pytest.raises(ValueError, match="rank is .*expected 1 to 3 for a matrix 3 x 18"):
        C.factorize_conv(nn.Conv2d(2, 3, 3), rank)


def test_low_rank_refuses():
    for layer in (nn.Conv2d(2, 3, 3), nn.ReLU(), None):
        with pytest.raises(ValueError, match="expected an nn.Linear"):
            C.factorize_linear(layer, 1)
    for layer in (nn.Linear(2, 3), nn.Conv2d(2, 4, 3, groups=2), nn.ConvTranspose2d(2, 3, 3)):
        with pytest.raises(ValueError, match="expected a Conv1d or Conv2d with one group"):
            C.factorize_conv(layer, 1)
    layer = nn.Linear(3, 3)
    for value in (math.nan, math.inf):
        with torch.no_grad():
            layer.weight[1, 1] = value
        with pytest.raises(ValueError, match="nan or inf"):
            C.factorize_linear(layer, 1)
    for energy in (0, -0.1, 1.1, 90, math.nan, None):
        with pytest.raises(ValueError, match=r"energy is .*share in \(0, 1\]"):
            C.rank_for_energy([2.0, 1.0], energy)
    for bad in ([], [1.0, math.nan], [math.inf, 1.0], [1.0, -1.0], [[2.0, 1.0]]):
        with pytest.raises(ValueError, match="expected one or more finite ones, none negative"):
            C.rank_for_energy(bad, 0.5)
    with pytest.raises(ValueError, match="grow, expected the largest first"):
        C.rank_for_energy([1.0, 2.0], 0.5)
    for m, n in ((0, 3), (3, 0), (2.0, 3)):
        with pytest.raises(ValueError, match="expected sizes of at least 1"):
            C.break_even_rank(m, n)


# ---- distillation ------------------------------------------------------------------------------


@given(seed=seeds, temperature=st.floats(0.5, 20), weight=st.floats(0, 1))
def test_the_loss_is_written_out(seed, temperature, weight):
    student, teacher = 3 * randn(6, 4, seed=seed), 3 * randn(6, 4, seed=seed + 1)
    targets = torch.arange(6) % 4

    def softmax(z):
        e = np.exp(z.numpy() - z.numpy().max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    p, q = softmax(teacher / temperature), softmax(student / temperature)
    soft = (p * (np.log(p) - np.log(q))).sum(1).mean()
    hard = -np.log(softmax(student)[range(6), targets]).mean()
    expected = weight * temperature**2 * soft + (1 - weight) * hard
    how = {"temperature": temperature, "weight": weight}
    found = C.distillation_loss(student, teacher, targets, **how)
    assert found.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(seed=seeds, temperature=st.floats(0.5, 20))
def test_only_the_student_gets_a_gradient_and_none_when_it_agrees(seed, temperature):
    student = randn(6, 4, seed=seed).requires_grad_()
    teacher = randn(6, 4, seed=seed + 1).requires_grad_()
    how = {"temperature": temperature, "weight": 1.0}
    targets = torch.arange(6) % 4
    C.distillation_loss(student, teacher, targets, **how).backward()
    assert teacher.grad is None
    p, q = (F.softmax(z.detach() / temperature, 1) for z in (teacher, student))
    assert torch.allclose(student.grad, temperature * (q - p) / 6)  # T^2 / T
    shifted = (student.detach() + 5.0).requires_grad_()
    loss = C.distillation_loss(shifted, student.detach(), targets, **how)
    loss.backward()
    assert loss.abs() < 1e-9 and shifted.grad.abs().max() < 1e-9
    hard = C.distillation_loss(student, teacher, targets, temperature=temperature, weight=0.0)
    assert torch.isclose(hard, F.cross_entropy(student, targets))


def examples(n, seed=1):
    targets = torch.arange(n) % 10
    inputs = randn(10, 40, dtype=torch.float32)[targets]
    inputs = inputs + 0.8 * randn(n, 40, seed=seed, dtype=torch.float32)
    return Dataset(inputs, targets, tuple("0123456789"), "examples", "train")


def test_a_student_learns_the_teachers_answers_without_labels():
    data, unseen = examples(400), examples(200, seed=2)
    torch.manual_seed(0)
    teacher, student = nn.Sequential(nn.Dropout(0.5), *models.mlp(40, 64)), models.mlp(40, 12)
    training.fit(teacher, data, epochs=20, lr=3e-3, progress=False)
    teacher.train()  # answers come in evaluation mode all the same
    before = copy.deepcopy(teacher.state_dict())
    wrong = Dataset(data.inputs, data.targets.roll(1), data.classes, "wrong labels", "train")
    history = C.distill(student, teacher, wrong, epochs=30, lr=1e-2, weight=1.0)
    assert len(history.loss) == 30 and history.loss[-1] < 0.1 * history.loss[0]
    answers = training.predict(teacher, unseen.inputs).argmax(1)
    agreement = (training.predict(student, unseen.inputs).argmax(1) == answers).float().mean()
    assert agreement > 0.9
    assert teacher.training and all(
        torch.equal(v, before[n]) for n, v in teacher.state_dict().items()
    )


def test_the_teacher_sees_what_the_student_sees():
    data, seen = examples(64), []

    class Watching(nn.Linear):
        def forward(self, x):
            seen.append(x.clone())
            return super().forward(x)

    class Student(Watching):
        def forward(self, x):
            assert not self.training or torch.equal(x, seen[-1])
            return super().forward(x)

    C.distill(
        Student(40, 10), Watching(40, 10), data, epochs=1, lr=1e-3, batch_size=16,
        augment=lambda x, generator: x + torch.rand(x.shape, generator=generator),
    )  # fmt: skip
    assert len(seen) >= 8


def test_the_same_seed_gives_the_same_student():
    data, teacher = examples(64), models.logistic()

    def weight(seed, **how):
        torch.manual_seed(0)
        student = models.logistic()
        C.distill(student, teacher, data, epochs=2, batch_size=16, seed=seed, **how)
        return student[0].weight

    first = weight(1)
    assert torch.equal(first, weight(1)) and not torch.equal(first, weight(2))
    changes = ({"temperature": 1.0}, {"weight": 0.1}, {"lr": 1e-2}, {"schedule": None})
    for how in (*changes, {"optimizer": "sgd"}):
        assert not torch.equal(first, weight(1, **how))


def test_distillation_refuses():
    logits, targets = randn(6, 4), torch.arange(6) % 4
    for student, teacher, labels in (
        (logits, logits[:, :3], targets), (logits, logits[:5], targets),
        (logits, logits, targets[:5]), (logits, logits, targets[:, None]),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"expected \(N, K\), \(N, K\) and \(N,\)"):
            C.distillation_loss(student, teacher, labels)
    data = examples(20)
    for use in (
        lambda **how: C.distillation_loss(logits, logits, targets, **how),
        lambda **how: C.distill(models.logistic(), models.logistic(), data, epochs=1, **how),
    ):
        for temperature in (0, -1, math.nan, math.inf, None):
            with pytest.raises(ValueError, match="temperature is .*expected a number above 0"):
                use(temperature=temperature)
        for weight in (-0.1, 1.1, math.nan, None):
            with pytest.raises(ValueError, match=r"weight is .*in \[0, 1\]"):
                use(weight=weight)
    with pytest.raises(ValueError, match=r"teacher \(20, 7\).*expected \(N, K\)"):
        C.distill(models.logistic(), models.logistic(n_classes=7), data, epochs=1)
