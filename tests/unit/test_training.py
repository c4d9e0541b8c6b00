"""The training loop: repeatable, resumable, observable, and clear about bad input."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchmetrics.classification as tm
from sklearn import metrics as sk
from torch import nn

from companion import device, models, training
from companion.data import Dataset
from companion.training import Callback, History, evaluate, fit, predict

CLASSES = ("a", "b", "c")


def clusters(n=60, seed=0, split="train"):
    """Three Gaussian clusters in the plane."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(n) % 3
    centres = torch.tensor([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])
    inputs = centres[targets] + 0.5 * torch.randn(n, 2, generator=generator)
    return Dataset(inputs, targets, CLASSES, "clusters", split)


def network(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 3)
    )


def same_weights(a, b):
    return all(torch.equal(a.state_dict()[k], v) for k, v in b.state_dict().items())


class Recorder(Callback):
    def __init__(self, stop_at=None):
        self.steps, self.epochs, self.stop_at = [], [], stop_at

    def after_step(self, state):
        self.steps.append((state.epoch, state.step, state.loss))
        state.stop = state.step == self.stop_at

    def after_epoch(self, state):
        self.epochs.append((state.epoch, state.step, len(state.history.loss), state.model.training))


# ---- what fit does -----------------------------------------------------------------------------


def test_fit_learns_and_leaves_the_model_in_evaluation_mode():
    model, train, test = network(), clusters(), clusters(seed=1, split="test")
    before = evaluate(model, test).loss
    history = fit(model, train, epochs=20, lr=0.02, batch_size=16)
    assert not model.training
    scores = evaluate(model, test)
    assert scores.loss < 0.25 * before and scores.accuracy > 0.95
    assert len(history.loss) == 20 and len(history.step_loss) == 20 * 4
    assert history.loss[-1] < history.loss[0] / 2
    assert history.validation_loss == history.validation_accuracy == []


def test_the_same_seed_gives_the_same_run_whatever_ran_before():
    runs = []
    for i in range(2):
        model = network(dropout=0.5)
        torch.rand(i * 7)  # somebody else uses randomness in between
        runs.append((model, fit(model, clusters(), epochs=3, seed=5, batch_size=7)))
    (a, history_a), (b, history_b) = runs
    assert history_a == history_b and same_weights(a, b)
    c = network(dropout=0.5)
    assert fit(c, clusters(), epochs=3, seed=6, batch_size=7) != history_a


def test_one_step_of_the_default_recipe_is_adamw_on_cross_entropy():
    model, twin, data = network(), network(), clusters()
    fit(model, data, epochs=1, batch_size=100, lr=0.01, weight_decay=0.2)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.01, weight_decay=0.2)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    F.cross_entropy(twin(data.inputs[order]), data.targets[order]).backward()
    optimizer.step()
    assert same_weights(model, twin)


def test_history_holds_the_mean_over_examples_of_each_epoch():
    history = fit(network(), clusters(50), epochs=2, batch_size=20)
    for epoch in range(2):
        a, b, c = history.step_loss[3 * epoch : 3 * epoch + 3]
        assert history.loss[epoch] == pytest.approx((20 * a + 20 * b + 10 * c) / 50)


def test_validation_is_scored_after_each_epoch_in_evaluation_mode():
    model, validation = network(dropout=0.5), clusters(30, seed=3)
    history = fit(model, clusters(), epochs=3, validation=validation)
    assert len(history.validation_loss) == len(history.validation_accuracy) == 3
    assert history.validation_loss[-1] == pytest.approx(evaluate(model, validation).loss)
    plain = network(dropout=0.5)
    assert fit(plain, clusters(), epochs=3).step_loss == history.step_loss  # looking is free


def autoencoder_loss(model, inputs, targets):
    return F.mse_loss(model(inputs), inputs)


def test_a_custom_loss_is_the_validation_loss():
    """An autoencoder: two outputs for three classes, nothing that cross-entropy could score."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
    how = {"epochs": 3, "batch_size": 16, "loss": autoencoder_loss}
    validation = clusters(50, seed=3)
    history = fit(model, clusters(), validation=validation, **how)
    assert len(history.validation_loss) == 3 and history.validation_accuracy == []
    with torch.no_grad():
        expected = autoencoder_loss(model.eval(), validation.inputs, None).item()
    assert history.validation_loss[-1] == pytest.approx(expected, rel=1e-5)


def test_a_custom_loss_is_validated_in_evaluation_mode_and_leaves_no_trace():
    seen = []

    def loss(model, inputs, targets):
        seen.append((model.training, model[1].training, torch.is_grad_enabled(), len(inputs)))
        return F.cross_entropy(model(inputs + 0.1 * torch.randn_like(inputs)), targets)

    how = {"epochs": 2, "batch_size": 25, "loss": loss}
    model, plain = network(dropout=0.5), network(dropout=0.5)
    modes = Recorder()
    history = fit(model, clusters(), validation=clusters(30, seed=3), callbacks=[modes], **how)
    training_, evaluating = (True, True, True), (False, False, False)
    epoch = [(*training_, 25), (*training_, 25), (*training_, 10)]
    epoch += [(*evaluating, 25), (*evaluating, 5)]
    assert seen == [*epoch, *epoch, (*evaluating, 25)]  # the last one looks at the last step
    assert all(was_training for *_, was_training in modes.epochs)
    assert fit(plain, clusters(), **how).step_loss == history.step_loss  # looking is free
    assert same_weights(model, plain)


def test_a_frozen_layer_stays_frozen_through_validation():
    model = network()

    class Freeze(Callback):
        def after_step(self, state):
            model[1].eval()

    how = {"loss": training.cross_entropy, "validation": clusters(9)}
    after = Recorder()
    after.after_epoch = lambda state: after.epochs.append((model.training, model[1].training))
    fit(model, clusters(), epochs=2, callbacks=[Freeze(), after], **how)
    assert after.epochs == [(True, False)] * 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_named_optimizers(name, kind):
    seen = []

    class Look(Callback):
        def after_step(self, state):
            seen.append(state.optimizer)

    fit(
        network(),
        clusters(),
        epochs=1,
        optimizer=name,
        lr=0.03,
        weight_decay=0.4,
        callbacks=[Look()],
    )
    assert type(seen[0]) is kind
    group = seen[0].param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.03, 0.4)
    assert group.get("momentum", 0.9) == 0.9


def test_an_optimizer_factory_gets_the_trainable_parameters():
    model, given = network(), []
    model[0].weight.requires_grad_(False)
    frozen = model[0].weight.clone()

    def factory(params):
        given.extend(params)
        return torch.optim.Adagrad(given, lr=0.1)

    fit(model, clusters(), epochs=1, optimizer=factory)
    assert {id(p) for p in given} == {id(p) for p in model.parameters() if p.requires_grad}
    assert torch.equal(model[0].weight, frozen)


def learning_rates(schedule, **kwargs):
    rates = []

    class Look(Callback):
        def after_step(self, state):
            rates.append(state.optimizer.param_groups[0]["lr"])

    history = fit(
        network(),
        clusters(),
        batch_size=10,
        lr=0.1,
        schedule=schedule,
        callbacks=[Look()],
        **kwargs,
    )
    return rates, history


def test_no_schedule_keeps_the_learning_rate():
    rates, history = learning_rates(None, epochs=2)
    assert set(rates) == {0.1} and history.learning_rate == [0.1, 0.1]


def test_one_cycle_rises_and_falls():
    rates, _ = learning_rates("one_cycle", epochs=4)
    top = int(np.argmax(rates))
    assert max(rates) == pytest.approx(0.1, rel=0.05)
    assert 0 < top < len(rates) // 2 and rates[0] < 0.02 and rates[-1] < 1e-4


def test_cosine_falls_from_the_start():
    rates, _ = learning_rates("cosine", epochs=4)
    # The last step uses the rate just above zero: cos reaches 0 after the last step.
    assert rates[0] < 0.1 and all(a >= b for a, b in zip(rates, rates[1:], strict=False))
    assert rates[-1] < 0.01


def test_a_schedule_factory_gets_optimizer_and_number_of_steps():
    seen = []

    def factory(optimizer, n_steps):
        seen.append(n_steps)
        return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)

    rates, _ = learning_rates(factory, epochs=2, max_steps=8)
    assert seen == [8] and rates[:3] == [0.05, 0.025, 0.0125]


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
@pytest.mark.parametrize("max_steps", [1, 2, 3])
def test_schedules_survive_very_short_runs(schedule, max_steps):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates, _ = learning_rates(schedule, epochs=1, max_steps=max_steps)
    assert len(rates) == max_steps


def test_max_steps_ends_training_within_an_epoch():
    history = fit(network(), clusters(), epochs=100, max_steps=5, batch_size=20)
    assert len(history.step_loss) == 5 and len(history.loss) == 2


def test_callbacks_see_every_step_and_epoch_in_order():
    recorder = Recorder()
    history = fit(network(), clusters(), epochs=2, batch_size=20, callbacks=[recorder, Callback()])
    assert [(e, s) for e, s, _ in recorder.steps] == [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 4),
        (1, 5),
        (1, 6),
    ]
    assert [loss for _, _, loss in recorder.steps] == history.step_loss
    assert [(e, s, n) for e, s, n, _ in recorder.epochs] == [(0, 3, 1), (1, 6, 2)]


def test_a_callback_stops_training_at_once():
    recorder = Recorder(stop_at=2)
    history = fit(network(), clusters(), epochs=9, batch_size=20, callbacks=[recorder])
    assert len(history.step_loss) == 2 and len(history.loss) == len(recorder.epochs) == 1


def test_a_callback_stops_training_after_an_epoch():
    class Stop(Callback):
        def after_epoch(self, state):
            state.stop = state.epoch == 1

    assert len(fit(network(), clusters(), epochs=9, callbacks=[Stop()]).loss) == 2


def test_augment_gets_each_batch_and_the_seeded_generator():
    seen = []

    def augment(inputs, generator):
        seen.append(inputs.shape)
        return inputs + torch.randn(inputs.shape, generator=generator)

    a, b = network(), network()
    history = fit(a, clusters(), epochs=2, batch_size=40, augment=augment, seed=3)
    assert seen == [(40, 2), (20, 2)] * 2
    assert fit(b, clusters(), epochs=2, batch_size=40, augment=augment, seed=3) == history
    assert fit(network(), clusters(), epochs=2, batch_size=40, seed=3) != history


def test_a_loss_of_your_own_needs_nothing_else():
    """An autoencoder-like loss that never looks at the labels."""
    model, data = nn.Linear(2, 2), clusters()
    calls = []

    def reconstruction(model, inputs, targets):
        calls.append((inputs.shape, targets.dtype))
        return F.mse_loss(model(inputs), inputs)

    history = fit(model, data, epochs=80, batch_size=30, lr=0.05, loss=reconstruction)
    assert history.loss[-1] < 0.05 * history.loss[0]
    assert set(calls) == {((30, 2), torch.int64)}


def test_train_data_stays_as_it_was():
    data = clusters()
    inputs, targets = data.inputs.clone(), data.targets.clone()
    fit(network(), data, epochs=1, augment=lambda x, g: x.mul_(2))
    assert torch.equal(data.inputs, inputs) and torch.equal(data.targets, targets)


def test_standard_fit_is_the_one_recipe():
    a, b, data = network(), network(), clusters(130)
    training.standard_fit(a, data, 4, epochs=101)
    fit(b, data, epochs=101, lr=1e-2, schedule="one_cycle", batch_size=64, weight_decay=0.1, seed=4)
    assert same_weights(a, b)
    assert len(training.standard_fit(network(), clusters(20), 0, epochs=1).step_loss) == 300


# ---- checkpoints and logs ----------------------------------------------------------------------


class Killed(Exception):
    pass


@pytest.mark.parametrize("schedule", [None, "one_cycle"])
@pytest.mark.parametrize("kill_at_step", [4, 6, 8])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, kill_at_step, schedule):
    how = {"epochs": 4, "batch_size": 20, "schedule": schedule, "seed": 2, "lr": 0.01}

    def augment(inputs, generator):
        return inputs + 0.1 * torch.randn(inputs.shape, generator=generator)

    class Kill(Callback):
        def after_step(self, state):
            if state.step == kill_at_step:
                raise Killed

    whole = network(dropout=0.3)
    expected = fit(whole, clusters(), augment=augment, validation=clusters(9), **how)
    path = tmp_path / "run.pt"
    how |= {"checkpoint": path, "augment": augment, "validation": clusters(9)}
    with pytest.raises(Killed):
        fit(network(dropout=0.3), clusters(), callbacks=[Kill()], **how)
    resumed = network(seed=77, dropout=0.3)  # other weights: all must come from the file
    recorder = Recorder()
    history = fit(resumed, clusters(), callbacks=[recorder], **how)
    assert history == expected and same_weights(resumed, whole)
    n_saved_epochs = (kill_at_step - 1) // 3
    assert len(recorder.steps) == 12 - 3 * n_saved_epochs
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]


def test_a_finished_run_is_not_trained_again(tmp_path):
    how = {"epochs": 9, "max_steps": 4, "batch_size": 20, "checkpoint": tmp_path / "run.pt"}
    first, again = network(), network(seed=5)
    expected = fit(first, clusters(), **how)
    assert fit(again, clusters(), **how) == expected
    assert len(expected.step_loss) == 4 and same_weights(first, again) and not again.training


def test_a_stopped_run_stays_stopped(tmp_path):
    how = {"epochs": 9, "batch_size": 20, "checkpoint": tmp_path / "run.pt"}
    expected = fit(network(), clusters(), callbacks=[Recorder(stop_at=4)], **how)
    assert len(expected.step_loss) == 4
    assert fit(network(), clusters(), **how) == expected


def test_a_longer_run_continues_a_shorter_one(tmp_path):
    path = tmp_path / "run.pt"
    fit(network(), clusters(), epochs=2, checkpoint=path)
    model, whole = network(), network()
    history = fit(model, clusters(), epochs=5, checkpoint=path)
    assert history == fit(whole, clusters(), epochs=5) and same_weights(model, whole)


def test_a_checkpoint_of_another_model_is_refused_by_name(tmp_path):
    path = tmp_path / "run.pt"
    fit(network(), clusters(), epochs=1, checkpoint=path)
    with pytest.raises(ValueError, match=r"run\.pt") as caught:
        fit(nn.Linear(2, 3), clusters(), epochs=2, checkpoint=path)
    assert "\n" not in str(caught.value)


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path):
    path = tmp_path / "run.pt"
    path.write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"run\.pt") as caught:
        fit(network(), clusters(), epochs=1, checkpoint=path)
    assert "\n" not in str(caught.value)


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [e.value for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_log_dir_holds_what_the_history_holds(tmp_path):
    history = fit(network(), clusters(), epochs=3, validation=clusters(9), log_dir=tmp_path / "run")
    found = scalars(tmp_path / "run")
    assert set(found) == {"loss/train", "learning_rate", "loss/validation", "accuracy/validation"}
    assert found["loss/train"] == pytest.approx(history.loss)
    assert found["loss/validation"] == pytest.approx(history.validation_loss)
    assert found["accuracy/validation"] == pytest.approx(history.validation_accuracy)
    assert found["learning_rate"] == pytest.approx(history.learning_rate)


def test_log_dir_has_no_accuracy_where_the_loss_is_custom(tmp_path):
    how = {"loss": training.cross_entropy, "validation": clusters(9)}
    history = fit(network(), clusters(), epochs=2, log_dir=tmp_path, **how)
    found = scalars(tmp_path)
    assert set(found) == {"loss/train", "learning_rate", "loss/validation"}
    assert found["loss/validation"] == pytest.approx(history.validation_loss)


def test_log_dir_keeps_the_epochs_before_a_failure(tmp_path):
    class Fail(Callback):
        def after_epoch(self, state):
            if state.epoch == 1:
                raise Killed

    with pytest.raises(Killed):
        fit(network(), clusters(), epochs=3, log_dir=tmp_path, callbacks=[Fail()])
    assert len(scalars(tmp_path)["loss/train"]) == 2


# ---- progress ----------------------------------------------------------------------------------


def test_progress_is_one_line_that_goes_away(monkeypatch, capsys):
    monkeypatch.delenv("COMPANION_PROGRESS")
    fit(network(), clusters(), epochs=2, batch_size=20)
    shown = capsys.readouterr()
    assert shown.out == "" and "\n" not in shown.err
    assert "100 %  loss" in shown.err and " 50 %" in shown.err
    assert shown.err.endswith("\r") and shown.err.rsplit("\r", 2)[1].strip() == ""


@pytest.mark.parametrize(("variable", "progress"), [("off", True), ("", False)])
def test_progress_can_be_silent(monkeypatch, capsys, variable, progress):
    monkeypatch.setenv("COMPANION_PROGRESS", variable)
    fit(network(), clusters(), epochs=1, progress=progress)
    assert capsys.readouterr() == ("", "")


# ---- evaluate and predict ----------------------------------------------------------------------


def test_evaluate_agrees_with_scikit_learn_and_torchmetrics():
    model, data = network(), clusters(47, seed=8)
    fit(model, clusters(), epochs=2)
    scores = evaluate(model, data)
    with torch.no_grad():
        logits = model(data.inputs)
    predicted = logits.argmax(1)
    assert scores.loss == pytest.approx(
        sk.log_loss(data.targets, logits.double().softmax(1)), rel=1e-5
    )
    assert scores.accuracy == pytest.approx(sk.accuracy_score(data.targets, predicted))
    assert scores.confusion.tolist() == sk.confusion_matrix(data.targets, predicted).tolist()
    for name, twin in (("precision", tm.MulticlassPrecision), ("recall", tm.MulticlassRecall)):
        expected = twin(3, average="none")(predicted, data.targets)
        assert torch.allclose(getattr(scores, name).float(), expected)


def test_evaluate_is_the_same_in_small_batches():
    model, data = network().eval(), clusters(47)
    assert torch.equal(
        predict(model, data.inputs, batch_size=5), predict(model, data.inputs, batch_size=47)
    )


@pytest.mark.parametrize("is_training", [True, False])
def test_predict_and_evaluate_restore_the_mode(is_training):
    model, data = network(dropout=0.9).train(is_training), clusters()
    buffers = model[1].running_mean.clone()
    a, b = predict(model, data.inputs), predict(model, data.inputs)
    evaluate(model, data)
    assert model.training is is_training and torch.equal(a, b) and not a.requires_grad
    assert torch.equal(model[1].running_mean, buffers)


def test_predict_leaves_a_frozen_layer_frozen():
    model = network().train()
    model[1].eval()
    predict(model, clusters().inputs)
    assert model.training and model[0].training and not model[1].training


def test_predict_restores_the_mode_after_an_error():
    model = network().train()
    with pytest.raises(RuntimeError):
        predict(model, torch.randn(4, 99))
    assert model.training


def test_a_model_without_parameters_can_be_evaluated():
    class Nearest(nn.Module):
        def forward(self, x):
            return x[:, [1, 0, 0]] * torch.tensor([1.0, 1.0, -1.0])

    assert evaluate(Nearest(), clusters()).accuracy > 0.6


def test_history_starts_empty():
    assert History() == History([], [], [], [], [])


# ---- bad input ---------------------------------------------------------------------------------


def altered(**changes):
    data = clusters()
    parts = {"inputs": data.inputs.clone(), "targets": data.targets.clone(), "classes": CLASSES}
    parts |= changes
    return Dataset(parts["inputs"], parts["targets"], parts["classes"], "clusters", "train")


def with_value(tensor, value):
    tensor = tensor.clone()
    tensor.view(-1)[:3] = value  # two rows of two
    return tensor


INPUTS, TARGETS = clusters().inputs, clusters().targets
BAD_DATA = [
    ("the data set is empty", altered(inputs=INPUTS[:0], targets=TARGETS[:0])),
    ("2 of 60 inputs hold nan or inf.*standard", altered(inputs=with_value(INPUTS, torch.nan))),
    ("2 of 60 inputs hold nan or inf", altered(inputs=with_value(INPUTS, -torch.inf))),
    ("dtype torch.float32 .*expected torch.int64", altered(targets=TARGETS.float())),
    ("dtype torch.int32 .*expected torch.int64", altered(targets=TARGETS.int())),
    (r"shape \(60, 1\), expected .*squeeze\(1\)", altered(targets=TARGETS[:, None])),
    (r"shape \(60, 3\), expected .*argmax\(1\)", altered(targets=F.one_hot(TARGETS))),
    ("the data is a tuple, expected a companion.data.Dataset", (INPUTS, TARGETS)),
    ("the data is a Tensor, expected a companion.data.Dataset", INPUTS),
    (r"run from 1 to 3, expected 0 to 2 .*start at 1", altered(targets=TARGETS + 1)),
    ("run from -1 to 1, expected 0 to 2", altered(targets=TARGETS - 1)),
    ("float64 .*expected torch.float32", altered(inputs=INPUTS.double())),
    ("int64 .*expected torch.float32", altered(inputs=INPUTS.long())),
    (r"shape \(60,\), expected .*unsqueeze\(1\)", altered(inputs=INPUTS[:, 0])),
]


@pytest.mark.parametrize(("says", "data"), BAD_DATA)
def test_bad_data_is_refused_in_one_line(says, data):
    model = network()
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    for use in (
        lambda: fit(model, data, epochs=1),
        lambda: fit(model, clusters(), epochs=1, validation=data),
        lambda: evaluate(model, data),
    ):
        with pytest.raises(ValueError, match=says) as caught:
            use()
        assert "\n" not in str(caught.value)
        assert all(torch.equal(v, model.state_dict()[k]) for k, v in weights.items())


@pytest.mark.parametrize(
    ("says", "how"),
    [
        ("no optimizer 'lion': expected \"adamw\"", {"optimizer": "lion"}),
        ("no schedule 'warmup': expected None, \"one_cycle\"", {"schedule": "warmup"}),
        ("batch_size must be .* got 0", {"batch_size": 0}),
        ("batch_size must be .* got -4", {"batch_size": -4}),
        ("max_steps must be .* got 0", {"max_steps": 0}),
        ("max_steps must be .* got -1", {"max_steps": -1}),
        ("epochs must be .* got 0", {"epochs": 0}),
        ("epochs must be .* got 1.5", {"epochs": 1.5}),
        ("(?i)learning.rate.*-1", {"lr": -1}),
    ],
)
def test_bad_settings_are_refused_in_one_line(says, how):
    with pytest.raises(ValueError, match=says) as caught:
        fit(network(), clusters(), **{"epochs": 1, **how})
    assert "\n" not in str(caught.value)


def test_a_model_with_too_few_outputs_is_refused():
    for use in (lambda m: fit(m, clusters(), epochs=1), lambda m: evaluate(m, clusters())):
        with pytest.raises(
            ValueError, match=r"outputs of shape \(\d+, 2\) for 3 classes.*one output per class"
        ):
            use(nn.Linear(2, 2))


def test_layers_in_a_python_list_are_named_as_the_reason():
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(2, 3)]

        def forward(self, x):
            return self.layers[0](x)

    with pytest.raises(ValueError, match="no trainable parameters.*nn.ModuleList"):
        fit(Stack(), clusters(), epochs=1)
    frozen = network().requires_grad_(False)
    with pytest.raises(ValueError, match="frozen"):
        fit(frozen, clusters(), epochs=1)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_non_finite_loss_stops_and_says_at_which_step(value):
    def loss(model, inputs, targets):
        loss.n_calls += 1
        return F.cross_entropy(model(inputs), targets) * (value if loss.n_calls == 5 else 1)

    loss.n_calls = 0
    model = network()
    with pytest.raises(FloatingPointError, match=r"loss is (nan|inf) at step 4 \(epoch 1\).*rate"):
        fit(model, clusters(), epochs=3, batch_size=20, loss=loss)
    assert loss.n_calls == 5
    assert all(torch.isfinite(v).all() for v in model.state_dict().values())


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("lr", [1e38, 1e20])
def test_a_last_step_that_destroys_the_weights_is_seen(optimizer, lr, tmp_path):
    how = {"lr": lr, "optimizer": optimizer, "batch_size": 60, "checkpoint": tmp_path / "run.pt"}
    for limit in ({"epochs": 1}, {"epochs": 9, "max_steps": 1}):
        model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
        with pytest.raises(
            FloatingPointError, match=r"step.*0 .*learning rate is too hi"
        ) as caught:
            fit(model, clusters(), **how, **limit)
        assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_the_message_names_the_last_step():
    class Destroy(Callback):
        def after_step(self, state):
            if state.step == 5:
                state.stop = True
                state.model[4].bias.data.fill_(torch.inf)

    with pytest.raises(
        FloatingPointError, match=r"last step, 4 \(epoch 1\), destroyed the weights"
    ):
        fit(network(), clusters(), epochs=3, batch_size=20, callbacks=[Destroy()])


def test_weights_that_the_loss_does_not_see_are_looked_at_too():
    model = network()
    model.spare = nn.Parameter(torch.zeros(2))
    model.forward = lambda x: nn.Sequential(*list(model)[:5])(x)

    class Destroy(Callback):
        def after_epoch(self, state):
            model.spare.data.fill_(torch.nan)

    with pytest.raises(FloatingPointError, match="destroyed the weights"):
        fit(model, clusters(), epochs=1, callbacks=[Destroy()])


def test_other_errors_of_an_optimizer_come_through():
    class Broken(torch.optim.SGD):
        def step(self, closure=None):
            raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order"):
        fit(network(), clusters(), epochs=1, optimizer=lambda params: Broken(params, lr=0.1))


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setattr(device, "_warned", set())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


USES = {
    "fit": lambda model, where: fit(model, clusters(), epochs=1, device=where),
    "evaluate": lambda model, where: evaluate(model, clusters(), device=where),
    "predict": lambda model, where: predict(model, clusters().inputs, device=where),
}


@pytest.mark.parametrize("where", ["cuda", "cuda:1", torch.device("cuda", 0)])
@pytest.mark.parametrize("use", USES)
def test_an_absent_device_warns_once_and_the_cpu_is_used(use, where, no_cuda):
    model = network()
    with pytest.warns(UserWarning, match="no cuda device.*the CPU is used") as caught:
        USES[use](model, where)
    assert len(caught) == 1 and next(model.parameters()).device.type == "cpu"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        USES[use](model, where)


@pytest.mark.parametrize("use", USES)
def test_an_unknown_device_is_refused_in_one_line(use):
    with pytest.raises(ValueError, match='\'gpu\' is not known: expected "auto", "cuda"') as caught:
        USES[use](network(), "gpu")
    assert "\n" not in str(caught.value)


def test_a_device_that_is_there_keeps_its_index(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training._device("cuda:1", network()) == torch.device("cuda:1")
    assert training._device("cuda", network()) == torch.device("cuda")
    assert training._device("auto", network()) == torch.device("cuda")


def test_device_follows_the_model_or_the_argument(monkeypatch):
    model = network()
    fit(model, clusters(), epochs=1, device="cpu")
    assert evaluate(model, clusters(), device=torch.device("cpu")).loss > 0
    moved = training._moved(clusters(), torch.device("meta"))
    assert moved.inputs.device.type == moved.targets.device.type == "meta"
    assert moved.classes == CLASSES


def test_mnist1d_networks_train_on_random_series():
    """The real shapes, three steps each."""
    data = Dataset(torch.randn(30, 40), torch.arange(30) % 10, tuple("0123456789"), "x", "train")
    for make in (models.logistic, models.mlp, models.cnn1d, models.gru1d):
        torch.manual_seed(0)
        assert len(fit(make(), data, epochs=1, batch_size=10).step_loss) == 3
    assert os.environ["COMPANION_PROGRESS"] == "off"
