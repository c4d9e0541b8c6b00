"""Every public function of the library on every device that is there, against the CPU.

A case computes on the device that it is given and returns tensors: values, and gradients where
the function is differentiable.  Inputs are drawn on the CPU, so that both sides get the same.
"""

from __future__ import annotations

import copy
import inspect
import pkgutil
from pathlib import Path

import pytest
import torch
from accelerators import accelerators, check_agrees, check_repeats_itself
from torch import nn

import companion
from companion import architecture, codelength, data, device, metrics, models, training

pytestmark = pytest.mark.device

CASES: dict[str, tuple] = {}  # public name -> (function, tolerance)


def case(name, tolerance=1e-4):
    def register(function):
        CASES[name] = (function, tolerance)
        return function

    return register


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def with_gradients(function, inputs, where):
    """`function(*inputs)` and the gradient of its random weighting for each input."""
    leaves = [x.to(where).requires_grad_() for x in inputs]
    y = function(*leaves)
    cotangent = randn(*y.shape, seed=99).to(where)
    assert y.device.type == torch.device(where).type
    return [y, *torch.autograd.grad(y, leaves, cotangent)]


def examples(where="cpu", n=96):
    """Ten classes of series that a linear model can tell apart."""
    targets = torch.arange(n) % 10
    inputs = randn(10, 40)[targets] + 0.3 * randn(n, 40, seed=1)
    return data.Dataset(
        inputs.to(where), targets.to(where), tuple("0123456789"), "examples", "train"
    )


def on_device(make, where):
    torch.manual_seed(0)
    return make().to(where)


def weights(model):
    return [v for v in model.state_dict().values() if v.is_floating_point()]


# ---- architecture ------------------------------------------------------------------------------

SERIES, IMAGES = randn(4, 3, 17), randn(3, 2, 11, 12)


@case("architecture.conv1d")
def _(where):
    inputs = [SERIES, randn(5, 3, 4, seed=1), randn(5, seed=2)]
    return with_gradients(lambda *a: architecture.conv1d(*a, 2, 3, 2), inputs, where)


@case("architecture.conv2d")
def _(where):
    inputs = [IMAGES, randn(5, 2, 3, 4, seed=1), randn(5, seed=2)]
    return with_gradients(lambda *a: architecture.conv2d(*a, (2, 1), 2, (1, 2)), inputs, where)


for name, x in {
    "max_pool1d": SERIES, "avg_pool1d": SERIES, "max_pool2d": IMAGES, "avg_pool2d": IMAGES,
}.items():  # fmt: skip

    @case(f"architecture.{name}")
    def _(where, name=name, x=x):
        return with_gradients(lambda x: getattr(architecture, name)(x, 3, 2, 1), [x], where)


@case("architecture.BatchNorm")
def _(where):
    layer = architecture.BatchNorm(2).to(where)
    found = with_gradients(layer, [IMAGES + 3], where) + weights(layer)
    return found + with_gradients(layer.eval(), [IMAGES], where)


for name, n_gates in {"rnn_cell": 1, "gru_cell": 3}.items():

    @case(f"architecture.{name}")
    def _(where, name=name, n=4 * n_gates):
        shapes = [(2, 3), (2, 4), (n, 3), (n, 4), (n,), (n,)]
        inputs = [randn(*shape, seed=i) for i, shape in enumerate(shapes)]
        return with_gradients(getattr(architecture, name), inputs, where)


@case("architecture.Residual")
def _(where):
    block = on_device(lambda: architecture.Residual(nn.Conv1d(3, 3, 3, padding=1)), where)
    return with_gradients(block, [SERIES], where)


@case("architecture.output_size")
def _(where):
    return [torch.tensor(architecture.output_size(28, kernel_size=5, stride=2, padding=1))]


@case("architecture.receptive_field")
def _(where):
    return [torch.tensor(architecture.receptive_field([(5, 2), (3, 1, 2)]))]


# ---- models ------------------------------------------------------------------------------------

NETWORKS = {
    "logistic": (models.logistic, randn(8, 40)),
    "mlp": (models.mlp, randn(8, 40)),
    "cnn1d": (lambda: models.cnn1d(batch_norm=True), randn(8, 40)),
    "gru1d": (models.gru1d, randn(8, 40)),
    "GRU1d": (models.GRU1d, randn(8, 40)),
    "lenet5": (models.lenet5, randn(4, 1, 28, 28)),
    "small_resnet": (models.small_resnet, randn(4, 1, 28, 28)),
    "ResidualBlock": (lambda: models.ResidualBlock(2, 4, 2), IMAGES),
}
for name, (make, x) in NETWORKS.items():

    @case(f"models.{name}", tolerance=1e-3)
    def _(where, make=make, x=x):
        model = on_device(make, where)
        y = model(x.to(where))
        y.backward(randn(*y.shape, seed=99).to(where))
        return [y, *(p.grad for p in model.parameters()), *weights(model)]


@case("models.n_parameters")
def _(where):
    return [torch.tensor(models.n_parameters(on_device(models.lenet5, where)))]


@case("models.layer_table")
def _(where):
    table = models.layer_table(on_device(models.lenet5, where), randn(1, 1, 28, 28).to(where))
    return [torch.tensor([n for _, _, n in table])]


# ---- training ----------------------------------------------------------------------------------


def augment(inputs, generator):
    return inputs + 0.1 * torch.randn(inputs.shape, generator=generator).to(inputs.device)


def squared_error(model, inputs, targets):
    return (model(inputs) - inputs).square().mean()


@case("training.fit", tolerance=1e-3)
def _(where):
    model = on_device(lambda: models.cnn1d(8, batch_norm=True), "cpu")
    history = training.fit(
        model, examples(), epochs=2, batch_size=32, optimizer="sgd", lr=0.01, augment=augment,
        schedule="one_cycle", validation=examples(n=20), device=where, progress=False,
    )  # fmt: skip
    assert next(model.parameters()).device.type == torch.device(where).type
    curves = [history.step_loss, history.validation_loss, history.learning_rate]
    coder = on_device(lambda: nn.Sequential(nn.Linear(40, 5), nn.Linear(5, 40)), "cpu")
    history = training.fit(
        coder, examples(), epochs=2, batch_size=32, optimizer="sgd", lr=0.01, loss=squared_error,
        validation=examples(n=20), device=where, progress=False,
    )  # fmt: skip
    curves += [history.step_loss, history.validation_loss]
    return [*weights(model), *weights(coder), *(torch.tensor(c) for c in curves)]


@case("training.standard_fit", tolerance=1e-2)
def _(where):
    model = on_device(models.logistic, where)
    training.standard_fit(model, examples(where), 0, epochs=1)
    return [model(examples(where).inputs)]


@case("training.evaluate")
def _(where):
    scores = training.evaluate(on_device(models.mlp, where), examples(where))
    return [torch.tensor([scores.loss, scores.accuracy]), scores.precision, scores.recall]


@case("training.predict")
def _(where):
    return [training.predict(on_device(models.mlp, where), examples().inputs)]


@case("training.cross_entropy")
def _(where):
    model, batch = on_device(models.mlp, where), examples(where)
    return [training.cross_entropy(model, batch.inputs, batch.targets)]


# ---- data: loaded on the CPU, used on the device ------------------------------------------------


def used(loaded, where):
    """The data set itself, and what a network makes of it on the device."""
    batch = data.Dataset(
        loaded.inputs.to(where), loaded.targets.to(where), loaded.classes, loaded.name, "test"
    )
    n_inputs, n_classes = loaded.inputs[0].numel(), len(loaded.classes)
    network = on_device(
        lambda: nn.Sequential(nn.Flatten(), *models.logistic(n_inputs, n_classes)), where
    )
    scores = training.evaluate(network, batch)
    return [batch.inputs, batch.targets, torch.tensor([scores.loss, scores.accuracy])]


@case("data.load")
def _(where):
    return [x for name in data.NAMES for x in used(data.load(name, split="test"), where)]


@case("data.draw_mnist1d")
def _(where):
    return used(data.draw_mnist1d(100, seed=0), where)


@case("data.Dataset")
def _(where):
    batch = examples(where)
    rest, held_out = batch.hold_out(10, torch.Generator().manual_seed(0))
    found = [rest.inputs, held_out.targets, batch.subset([3, 1]).inputs]
    found += [batch.subset(batch.targets == 2).targets, batch.map(torch.tanh).inputs]
    found += next(iter(batch.batches(7, torch.Generator().manual_seed(1))))
    assert all(x.device.type == torch.device(where).type for x in found)
    return found


# ---- code lengths and scores -------------------------------------------------------------------


def quick_fit(where):
    return lambda model, past, seed: training.fit(
        model, past, epochs=4, optimizer="sgd", lr=0.01, device=where, seed=seed, progress=False
    )


@case("codelength.uniform_bits")
def _(where):
    return [torch.tensor(codelength.uniform_bits(4000, 10))]


@case("codelength.data_bits")
def _(where):
    batch = examples(where)
    return [torch.tensor(codelength.data_bits(batch.inputs[:, :10], batch.targets))]


@case("codelength.two_part_bits")
def _(where):
    code = codelength.two_part_bits(on_device(models.logistic, where), examples(where))
    return [torch.tensor([code.model_bits, code.data_bits, code.total_bits])]


@case("codelength.prequential_bits", tolerance=1e-2)
def _(where):
    code = codelength.prequential_bits(
        models.logistic, examples(), blocks=(20, 50, 96), fit=quick_fit(where), seed=0
    )
    return [torch.tensor(code.block_bits)]


LABELS, SCORES = torch.arange(60) % 4, randn(60)


@case("metrics.accuracy")
def _(where):
    return [torch.tensor(metrics.accuracy(LABELS.to(where), LABELS.roll(8).to(where)))]


for name in ("confusion_matrix", "precision", "recall", "f1"):

    @case(f"metrics.{name}")
    def _(where, name=name):
        predicted = LABELS.clone()
        predicted[::3] = 1
        found = metrics.confusion_matrix(predicted.to(where), LABELS.to(where), 4)
        return [found if name == "confusion_matrix" else getattr(metrics, name)(found)]


@case("metrics.roc_curve")
def _(where):
    return list(metrics.roc_curve(SCORES.to(where), (LABELS > 1).to(where)))[:2]


@case("metrics.auroc")
def _(where):
    return [torch.tensor(metrics.auroc(SCORES.to(where), (LABELS > 1).to(where)))]


@case("metrics.calibration")
def _(where):
    probabilities = randn(60, 4).softmax(1).to(where)
    return list(metrics.calibration(probabilities, LABELS.to(where)).values())


# ---- the tests ---------------------------------------------------------------------------------

WITHOUT_TENSORS = {  # records, bases and files: nothing of theirs depends on a device
    "training.Callback", "training.Evaluation", "training.History", "training.State",
    "codelength.Ledger", "codelength.PrequentialCode",
}  # fmt: skip

COMPARED = (architecture, models, training, data, codelength, metrics)
ELSEWHERE = {  # modules whose cases stand in a file of their own
    "compression": "test_compression_on_accelerator.py",
    "foundations": "test_foundations_on_accelerator.py",
    "regularization": "test_regularization_on_accelerator.py",
    "self_supervision": "test_self_supervision_on_accelerator.py",
}
LEFT_OUT = {  # public modules without cases, and why
    "checks": "judges answers on the CPU, where students and graders run them",
    "cli": "commands: files and text",
    "device": "chooses among devices; test_auto_chooses_the_accelerator asks it here",
    "doctor": "commands: files and text",
    "explorables": "presentation: draws small arrays on the CPU",
    "plotting": "presentation: draws what is on the CPU",
    "predictions": "a reader's guesses: files and text",
    "selfcheck": "commands: files and text",
    "storage": "where files lie",
    "workspace": "commands: files and text",
    "grading": "grades on the CPU; what it carries is compared in tests/grading/test_wire.py",
}


def test_every_module_is_compared_or_left_out_for_a_reason():
    public = {m.name for m in pkgutil.iter_modules(companion.__path__) if m.name[0] != "_"}
    compared = {module.__name__.removeprefix("companion.") for module in COMPARED} | set(ELSEWHERE)
    assert all(Path(__file__).with_name(name).is_file() for name in ELSEWHERE.values())
    assert public == compared | set(LEFT_OUT) and not compared & set(LEFT_OUT)


def test_every_public_function_has_a_case():
    public = {
        f"{module.__name__.removeprefix('companion.')}.{name}"
        for module in COMPARED
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and f"{value.__module__}.".startswith(f"{module.__name__}.")  # data is a package
    }
    assert public == set(CASES) | WITHOUT_TENSORS


@pytest.mark.parametrize("name", CASES)
def test_the_case_repeats_itself_on_the_cpu(name):
    check_repeats_itself(CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_the_device_agrees_with_the_cpu(name, accelerator):
    check_agrees(CASES[name][0], accelerator, name, CASES[name][1])


def test_auto_chooses_the_accelerator():
    expected = (accelerators() or ["cpu"])[0]
    assert device.choose_device("auto").type == expected


def test_a_run_on_the_device_resumes_from_its_checkpoint(accelerator, tmp_path):
    where = accelerator or "cpu"

    def run(epochs, checkpoint=None):
        model = on_device(lambda: nn.Sequential(nn.Dropout(0.3), *models.mlp()), where)
        torch.manual_seed(0)
        training.fit(
            model, examples(), epochs=epochs, checkpoint=checkpoint, progress=False, batch_size=50
        )
        return model

    whole = run(4)
    run(2, tmp_path / "run.pt")
    resumed = run(4, tmp_path / "run.pt")
    pairs = zip(weights(resumed), weights(whole), strict=True)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)


def test_data_sets_live_on_the_device(accelerator):
    where = accelerator or "cpu"
    batch = examples(where)
    rest, held_out = batch.hold_out(10, torch.Generator().manual_seed(0))
    expected_rest, expected = examples().hold_out(10, torch.Generator().manual_seed(0))
    assert torch.equal(held_out.inputs.cpu(), expected.inputs)
    assert torch.equal(rest.targets.cpu(), expected_rest.targets)
    generator = torch.Generator().manual_seed(1)
    inputs, _ = next(iter(batch.batches(7, copy.copy(generator))))
    assert inputs.device.type == where and len(inputs) == 7
