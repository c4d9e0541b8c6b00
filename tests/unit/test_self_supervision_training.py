"""Pretraining uses no labels, probes are scikit-learn's, and what is frozen stays as it was."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch import nn

from companion import self_supervision as S
from companion.data import Dataset
from companion.training import Callback, evaluate, fit, predict

seeds = st.integers(0, 99)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def clusters(n=60, seed=0, noise=0.3, d=6):
    targets = torch.arange(n) % 3
    inputs = 2 * randn(3, d, seed=77)[targets] + noise * randn(n, d, seed=seed)
    return Dataset(inputs, targets, tuple("abc"), "clusters", "train")


def make(function, seed=0):
    torch.manual_seed(seed)
    return function()


def state_of(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def is_same(before, model):
    return all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


# ---- pretraining -------------------------------------------------------------------------------

X = clusters(96).inputs


class Seen(nn.Module):
    """Answers with what it is told to, and keeps what it was shown in training."""

    def __init__(self, answer):
        super().__init__()
        self.weight, self.answer, self.shown = nn.Parameter(torch.ones(())), answer, []

    def forward(self, x):
        if self.training:
            self.shown.append(x.detach().clone())
        return self.answer(x) * self.weight


def first_loss(task, answer, x=X, **how):
    model = Seen(answer)
    history = S.pretrain(model, x, task=task, epochs=1, lr=0.0, batch_size=len(x), **how)
    return history.step_loss[0], model.shown[0]


def test_reconstruction_is_the_squared_error():
    loss, shown = first_loss("reconstruct", lambda x: x + 2)
    assert loss == pytest.approx(4)
    assert torch.equal(shown.sort(0).values, X.sort(0).values)


def test_the_masked_task_scores_the_hidden_part_alone():
    x = X + 10  # never 0, so that 0 is a hidden value
    loss, shown = first_loss("masked", lambda x: x, x=x, share=0.3)
    hidden = shown == 0
    assert abs(hidden.float().mean().item() - 0.3) < 0.1
    assert loss == pytest.approx(100, rel=0.2)  # the mean of (0 - x)^2, visible values are right
    far = first_loss("masked", lambda x: torch.where(x == 0, x, 1e4), x=x, share=0.3)[0]
    assert far == pytest.approx(loss, rel=1e-6)


def test_the_masked_task_has_tiles_and_a_channel():
    images = torch.rand(6, 1, 28, 28) + 1
    _, shown = first_loss("masked", lambda x: x[:, :1], x=images, patch=7, mask_channel=True)
    assert shown.shape == (6, 2, 28, 28)
    assert torch.equal(shown[:, 1] == 1, shown[:, 0] == 0)
    assert (shown[:, 1].sum((1, 2)) == 8 * 49).all()  # half of the 16 tiles
    pixels = first_loss("masked", lambda x: x, x=images.expand(6, 3, 28, 28), share=0.2)[1]
    assert torch.equal(pixels[:, 0] == 0, pixels[:, 2] == 0)  # whole pixels


@pytest.mark.parametrize("noise", ["gaussian", "masking"])
def test_the_denoising_target_is_clean(noise):
    x = X + 10
    expected = {"gaussian": 0.25, "masking": 50}[noise]
    loss, shown = first_loss("denoise", lambda x: x, x=x, noise=noise, amount=0.5)
    assert loss == pytest.approx(expected, rel=0.2)
    assert not set(shown.flatten().tolist()) <= set(x.flatten().tolist())


def test_the_contrastive_task_shows_two_views_of_each():
    def shifted(x, generator):
        return x + torch.randint(1, 9, (len(x), 1), generator=generator)

    loss, shown = first_loss("contrastive", lambda x: x, augment=shifted, temperature=0.3)
    assert shown.shape == (192, 6)
    first, second = shown.chunk(2)
    moved = second - first
    assert torch.allclose(moved, moved.round(), atol=1e-4) and moved.abs().max() > 1
    assert torch.allclose(moved, moved[:, :1].expand_as(moved), atol=1e-4)
    assert loss == pytest.approx(S.nt_xent(first, second, temperature=0.3).item(), rel=1e-5)


def test_images_are_warped_where_no_views_are_named():
    images = torch.rand(4, 1, 28, 28)
    _, shown = first_loss("contrastive", lambda x: x.mean(3), x=images)
    assert shown.shape == (8, 1, 28, 28)
    assert not torch.allclose(shown[:4], shown[4:]) and (shown == 0).any()


@pytest.mark.parametrize("task", ["reconstruct", "masked", "denoise"])
def test_augmentation_alters_the_target_too(task):
    loss, _ = first_loss(task, lambda x: 0 * x, x=0 * X, augment=lambda x, g: x + 3, amount=0.0)
    assert loss == pytest.approx(9)


def test_masks_are_drawn_anew_and_follow_the_seed():
    def shown(seed, share=0.5):
        model = Seen(lambda x: x)
        S.pretrain(model, X + 10, task="masked", epochs=3, lr=0.0, batch_size=96, seed=seed)
        return model.shown

    one, same, other = shown(1), shown(1), shown(2)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[0], other[0])
    masks = [(x == 0).sum(1).tolist() for x in one]
    assert masks[0] != masks[1] != masks[2]


@pytest.mark.parametrize("task", ["reconstruct", "masked", "denoise"])
def test_pretraining_learns(task):
    model = make(lambda: S.Autoencoder(6, (32,), 4))
    held_out = clusters(60, seed=5).inputs
    history = S.pretrain(
        model, X, task=task, epochs=40, lr=0.01, batch_size=32, share=0.3, amount=0.3,
        validation=held_out,
    )  # fmt: skip
    assert history.loss[-1] < 0.3 * history.loss[0]
    assert history.validation_loss[-1] < 0.3 * history.validation_loss[0]
    assert len(history.loss) == 40 and not history.validation_accuracy and not model.training


def test_a_linear_autoencoder_ends_in_the_plane_of_pca():
    mixing = randn(2, 6, seed=3)
    x = randn(200, 2, seed=4) @ mixing + 0.2 * randn(200, 6, seed=5)
    model = make(lambda: S.Autoencoder(6, (), 2))
    S.pretrain(model, x - x.mean(0), epochs=150, lr=0.1, batch_size=50)
    plane = S.PCA(2).fit(x - x.mean(0))
    best = (plane.reconstruct(x - x.mean(0)) - (x - x.mean(0))).square().mean()
    found = (predict(model, x - x.mean(0)) - (x - x.mean(0))).square().mean()
    assert best <= found * (1 + 1e-5) and found < 1.01 * best
    basis = torch.linalg.qr(model.decoder[0].weight.detach()).Q  # (6, 2)
    cosines = torch.linalg.svdvals(basis.T @ plane.components.T)
    assert cosines.min() > 0.999


def test_contrastive_pretraining_tells_examples_apart():
    data = clusters(150, noise=1.5, d=20)
    encoder = make(lambda: nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 8)))
    model = nn.Sequential(encoder, make(lambda: S.projector(8, 16, 8)))
    history = S.pretrain(
        model, data.inputs, task="contrastive", epochs=30, lr=0.01, batch_size=50,
        augment=lambda x, g: x + 0.5 * torch.randn(x.shape, generator=g),
    )  # fmt: skip
    assert history.loss[-1] < 0.75 * math.log(99)  # telling nothing apart costs log(99)


def test_labels_are_refused_by_the_label_free():
    data, model = clusters(), S.Autoencoder(6, (), 2)
    svdd = S.DeepSVDD(nn.Linear(6, 2, bias=False))
    for learn in (
        lambda x: S.pretrain(model, x),
        lambda x: S.pretrain(model, data.inputs, epochs=1, validation=x),
        svdd.fit,
        lambda x: S.knn_score(data.inputs, x),
        lambda x: S.pca_score(data.inputs, x, n_components=1),
    ):
        with pytest.raises(ValueError, match="is a Dataset with labels.*no label can leak"):
            learn(data)
        with pytest.raises(ValueError, match="were labels passed to a routine that learns"):
            learn(data.targets)
        with pytest.raises(ValueError, match="is a list, expected a tensor"):
            learn([1.0, 2.0])
        with pytest.raises(ValueError, match="at least one example"):
            learn(data.inputs[:0])
        with pytest.raises(ValueError, match="hold nan or inf"):
            learn(data.inputs / 0)


def test_pretraining_refuses():
    model = S.Autoencoder(6, (), 2)
    with pytest.raises(ValueError, match="no task 'rotate': expected one of reconstruct, masked"):
        S.pretrain(model, X, task="rotate")
    with pytest.raises(ValueError, match="share is 1.0"):
        S.pretrain(model, X, task="masked", share=1.0)
    with pytest.raises(ValueError, match="no noise 'speckle'"):
        S.pretrain(model, X, task="denoise", noise="speckle")
    with pytest.raises(ValueError, match="96 examples in batches of 95 leave one example alone"):
        S.pretrain(model, X, task="contrastive", batch_size=95)
    for task in ("reconstruct", "masked", "denoise"):
        with pytest.raises(ValueError, match="pass the whole autoencoder, not its encoder"):
            S.pretrain(model.encoder, X, task=task)


# ---- the probe ---------------------------------------------------------------------------------


class Curved(nn.Module):
    """Codes of very different sizes, and one that never varies."""

    def __init__(self, d=6):
        super().__init__()
        self.layer = make(lambda: nn.Linear(d, 5))

    def forward(self, x):
        code = torch.tanh(self.layer(x)) * torch.tensor([1.0, 100.0, 0.01, 1.0, 5.0])
        return torch.cat([code, torch.full_like(code[:, :1], 3.0)], dim=1)


@pytest.mark.parametrize("l2", [0.001, 0.01, 1.0])
@pytest.mark.parametrize("n", [9, 120])
def test_the_probe_is_scikit_learns_logistic_regression(l2, n):
    data, new, encoder = clusters(n, noise=2.0), clusters(50, seed=3, noise=2.0), Curved()
    codes = predict(encoder, data.inputs).double().numpy()[:, :5]
    mean, std = codes.mean(0), codes.std(0)
    twin = LogisticRegression(C=1 / (l2 * n), tol=1e-10, max_iter=10_000)
    twin.fit((codes - mean) / std, data.targets)
    seen = predict(encoder, new.inputs).double().numpy()[:, :5]
    expected = twin.predict_proba((seen - mean) / std)
    found = predict(S.linear_probe(encoder, data, l2=l2), new.inputs).double().softmax(1)
    assert np.allclose(found, expected, atol=2e-4)


def test_the_probe_leaves_its_encoder_and_is_repeatable():
    encoder = make(lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU()))
    encoder.train()
    before, data = state_of(encoder), clusters()
    probe, again = S.linear_probe(encoder, data), S.linear_probe(encoder, data)
    assert is_same(before, encoder) and is_same(before, probe.encoder) and encoder.training
    assert torch.equal(probe.head.weight, again.head.weight)
    assert all(p.requires_grad for p in encoder.parameters())
    assert evaluate(probe, data).accuracy > 0.9
    with torch.no_grad():
        encoder[0].weight.zero_()
    assert evaluate(probe, data).accuracy > 0.9  # it has a copy


def test_a_probe_of_one_example_a_class_is_finite():
    few = S.few_labels(clusters(), 1, seeded())
    probe = S.linear_probe(nn.Flatten(), few)
    assert torch.isfinite(probe.head.weight).all() and evaluate(probe, few).accuracy == 1


def test_the_probe_refuses():
    data = clusters()
    for l2 in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="l2 is .*above zero: few labels can be separated"):
            S.linear_probe(nn.Flatten(), data, l2=l2)
    with pytest.raises(ValueError, match="data is a Tensor, expected a Dataset"):
        S.linear_probe(nn.Flatten(), data.inputs)
    with pytest.raises(ValueError, match="at least one example"):
        S.linear_probe(nn.Flatten(), data.subset([]))
    broken = nn.Linear(6, 2)
    nn.init.constant_(broken.weight, math.inf)
    with pytest.raises(ValueError, match="codes with nan or inf"):
        S.linear_probe(broken, data)


# ---- fine-tuning -------------------------------------------------------------------------------


def encoder():
    return make(
        lambda: nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5), nn.BatchNorm1d(5)
        )
    )


@pytest.mark.parametrize("freeze", ["none", "encoder", "batch_norm"])
def test_what_is_frozen_stays_and_the_rest_moves(freeze):
    given_encoder = encoder()
    before = state_of(given_encoder)
    model = S.fine_tune(given_encoder, clusters(), freeze=freeze, n_steps=20, lr=0.05)
    assert is_same(before, given_encoder)
    after = model.encoder.state_dict()
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    norm = {name for name in after if name[0] in "14"}
    expected = {"none": set(after), "encoder": set(), "batch_norm": set(after) - norm}[freeze]
    assert moved == expected
    assert model.head.weight.abs().sum() > 0 and not model.training
    model.train()
    training = {name for name, m in model.encoder.named_modules() if m.training}
    assert ("1" in training) == (freeze == "none") and ("0" in training) == (freeze != "encoder")
    assert all(p.requires_grad for p in given_encoder.parameters())


def test_a_frozen_encoder_can_be_thawed():
    probe = S.linear_probe(encoder(), clusters())
    assert not any(p.requires_grad for p in probe.encoder.parameters())
    model = S.fine_tune(probe.encoder, clusters(), n_steps=5, head=probe.head)
    assert all(p.requires_grad for p in model.parameters())


def test_fine_tuning_learns_and_follows_its_seed():
    data, test = clusters(), clusters(90, seed=9)
    one, same, other = (S.fine_tune(encoder(), data, n_steps=60, seed=s) for s in (1, 1, 2))
    assert evaluate(one, test).accuracy > 0.95
    assert is_same(state_of(one), same) and not is_same(state_of(one), other)


class Count(Callback):
    def __init__(self):
        self.rates, self.n_steps = [], 0

    def after_step(self, state):
        self.n_steps += 1
        self.rates.append([g["lr"] for g in state.optimizer.param_groups])


@pytest.mark.parametrize(("n", "n_steps"), [(9, 7), (60, 7), (60, 1), (200, 11)])
def test_every_run_gets_its_steps(monkeypatch, n, n_steps):
    count = Count()
    monkeypatch.setattr(
        "companion.self_supervision.transfer.fit",
        lambda *a, **how: fit(*a, **how, callbacks=[count]),
    )
    S.fine_tune(
        encoder(), clusters(n), n_steps=n_steps, lr=0.1, encoder_lr=0.01, schedule=None,
        batch_size=16,
    )  # fmt: skip
    assert count.n_steps == n_steps and count.rates == [[0.1, 0.01]] * n_steps


def test_a_slow_encoder_moves_less():
    def moved(**how):
        model = S.fine_tune(encoder(), clusters(), n_steps=20, lr=0.03, **how)
        return (model.encoder[0].weight - encoder()[0].weight).norm().item()

    assert moved(encoder_lr=3e-4) < 0.1 * moved() and moved(encoder_lr=0.0) == 0


def test_the_head_starts_at_zero_or_where_it_is_told():
    zero = S.fine_tune(encoder(), clusters(), n_steps=1, lr=0.0)
    assert not zero.head.weight.any() and not zero.head.bias.any()
    head = nn.Linear(5, 3)
    started = S.fine_tune(encoder(), clusters(), n_steps=1, lr=0.0, head=head)
    assert torch.equal(started.head.weight, head.weight) and started.head is not head
    with pytest.raises(ValueError, match=r"weights of shape \(3, 4\), expected \(3, 5\)"):
        S.fine_tune(encoder(), clusters(), head=nn.Linear(4, 3))


def test_augmentation_is_used_in_training():
    seen = []

    def augment(x, generator):
        seen.append(torch.rand(1, generator=generator).item())
        return x

    S.fine_tune(encoder(), clusters(), n_steps=4, augment=augment)
    assert len(seen) == len(set(seen)) == 4


def test_fine_tuning_refuses():
    with pytest.raises(ValueError, match="freeze is 'bn', expected one of none, encoder, batch_no"):
        S.fine_tune(encoder(), clusters(), freeze="bn")
    for n_steps in (0, -1, 2.5):
        with pytest.raises(ValueError, match="n_steps must be an integer of at least 1"):
            S.fine_tune(encoder(), clusters(), n_steps=n_steps)
    for data in (clusters().inputs, clusters().subset([])):
        with pytest.raises(ValueError, match="a Dataset with at least one labelled example"):
            S.fine_tune(encoder(), data)


# ---- few labels --------------------------------------------------------------------------------


@given(n=st.integers(1, 5), seed=seeds)
def test_few_labels_are_balanced_distinct_and_nested(n, seed):
    data = clusters(60)
    few, more = (S.few_labels(data, k, seeded(seed)) for k in (n, n + 5))
    assert torch.bincount(few.targets).tolist() == [n] * 3
    rows = {tuple(row) for row in few.inputs.tolist()}
    assert len(rows) == 3 * n and rows <= {tuple(row) for row in more.inputs.tolist()}
    labels = {tuple(x): y for x, y in zip(data.inputs.tolist(), data.targets.tolist(), strict=True)}
    pairs = zip(few.inputs.tolist(), few.targets.tolist(), strict=True)
    assert all(labels[tuple(x)] == y for x, y in pairs)
    assert torch.equal(few.inputs, S.few_labels(data, n, seeded(seed)).inputs)


def test_few_labels_are_drawn_from_all():
    data, counts = clusters(30), torch.zeros(30)
    for seed in range(300):
        few = S.few_labels(data, 2, seeded(seed))
        counts += (data.inputs[:, None] == few.inputs).all(2).any(1)
    assert (counts - 60).abs().max() < 5 * math.sqrt(300 * 0.2 * 0.8)


def test_few_labels_refuse():
    with pytest.raises(ValueError, match="class 'a' has 2 examples, fewer than the 3"):
        S.few_labels(clusters(6), 3, seeded())
    for n in (0, 1.5, -1):
        with pytest.raises(ValueError, match="n_per_class must be an integer of at least 1"):
            S.few_labels(clusters(), n, seeded())
    with pytest.raises(ValueError, match="expected a torch.Generator"):
        S.few_labels(clusters(), 1, 0)


def test_the_curve_gives_every_method_the_same_draw():
    train, test, drawn = clusters(60, noise=2.0), clusters(90, seed=4, noise=2.0), {}

    def method(name):
        def learn(few, seed):
            drawn[name, len(few), seed] = few.inputs
            return S.linear_probe(nn.Flatten(), few)

        return learn

    curve = S.label_efficiency_curve(
        {"one": method("one"), "two": method("two")}, train, test,
        labels_per_class=(1, 4), seeds=(3, 8),
    )  # fmt: skip
    assert set(curve) == {"one", "two"} and curve["one"] == curve["two"]
    assert {n: len(scores) for n, scores in curve["one"].items()} == {1: 2, 4: 2}
    for n in (3, 12):
        assert torch.equal(drawn["one", n, 3], drawn["two", n, 3])
        assert not torch.equal(drawn["one", n, 3], drawn["one", n, 8])
    few = S.few_labels(train, 4, seeded(8))
    expected = evaluate(S.linear_probe(nn.Flatten(), few), test).accuracy
    assert curve["one"][4][1] == expected
    assert np.mean(curve["one"][4]) > np.mean(curve["one"][1])


def test_the_curve_refuses():
    with pytest.raises(ValueError, match="no methods to compare"):
        S.label_efficiency_curve({}, clusters(), clusters())
    with pytest.raises(ValueError, match="class 'a' has 20 examples, fewer than the 30"):
        S.label_efficiency_curve(
            {"probe": lambda few, seed: S.linear_probe(nn.Flatten(), few)}, clusters(),
            clusters(), labels_per_class=(30,),
        )  # fmt: skip


def test_a_classifier_keeps_a_copy():
    body = encoder()
    model = S.Classifier(body, nn.Linear(5, 3))
    assert model.encoder is not body and is_same(state_of(body), copy.deepcopy(model.encoder))
    assert model(clusters().inputs).shape == (60, 3)
