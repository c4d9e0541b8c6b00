"""Which device is chosen, what is said when it is missing, and what a seed seeds."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from companion import device
from companion.device import choose_device, seed_everything

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def machine(monkeypatch):
    """`machine("mps", "xpu")` is one with these accelerators."""
    monkeypatch.setattr(device, "_warned", set())

    def has(*names):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in names)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in names)
        monkeypatch.setattr(torch.xpu, "is_available", lambda: "xpu" in names)

    return has


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (("cuda", "mps", "xpu"), "cuda"),
        (("mps", "xpu"), "mps"),
        (("xpu",), "xpu"),
        (("cuda",), "cuda"),
        ((), "cpu"),
    ],
)
def test_auto_takes_the_first_that_is_there(machine, there, chosen):
    machine(*there)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose_device() == choose_device("auto") == torch.device(chosen)


@pytest.mark.parametrize("name", ["cuda", "mps", "xpu"])
def test_a_named_device_that_is_there_is_taken(machine, name):
    machine("cuda", "mps", "xpu")
    assert choose_device(name) == torch.device(name)
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "mps", "xpu"])
def test_an_absent_device_warns_once_in_plain_words(machine, name):
    machine()
    with pytest.warns(UserWarning, match=f"no {name} device.*the CPU is used.*doctor") as caught:
        assert choose_device(name) == torch.device("cpu")
    assert len(caught) == 1 and "\n" not in str(caught[0].message)
    assert caught[0].filename == __file__  # the warning points at the caller
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose_device(name) == torch.device("cpu")


def test_each_absent_device_has_its_own_warning(machine):
    machine()
    for name in ("cuda", "mps"):
        with pytest.warns(UserWarning, match=f"no {name} device"):
            choose_device(name)


def test_the_environment_overrides_auto_alone(machine, monkeypatch):
    machine("cuda", "xpu")
    monkeypatch.setenv("COMPANION_DEVICE", "xpu")
    assert choose_device() == torch.device("xpu")
    assert choose_device("cpu") == torch.device("cpu")
    monkeypatch.setenv("COMPANION_DEVICE", "auto")
    assert choose_device() == torch.device("cuda")
    monkeypatch.setenv("COMPANION_DEVICE", "")
    assert choose_device() == torch.device("cuda")
    monkeypatch.setenv("COMPANION_DEVICE", "mps")
    with pytest.warns(UserWarning, match="no mps device"):
        assert choose_device() == torch.device("cpu")


def test_unknown_devices_are_refused(machine, monkeypatch):
    machine("cuda")
    with pytest.raises(ValueError, match='\'tpu\' is not known: expected "auto", "cuda"'):
        choose_device("tpu")
    monkeypatch.setenv("COMPANION_DEVICE", "banana")
    with pytest.raises(ValueError, match="COMPANION_DEVICE.*banana|banana.*COMPANION_DEVICE"):
        choose_device()


def test_one_seed_seeds_python_numpy_and_torch():
    def draws(seed):
        generator = seed_everything(seed)
        return (
            random.random(), np.random.rand(), torch.rand(1).item(),
            torch.rand(1, generator=generator).item(),
        )  # fmt: skip

    first = draws(7)
    assert draws(7) == first
    assert all(a != b for a, b in zip(first, draws(8), strict=True))


def test_the_generator_is_the_callers_own():
    generator = seed_everything(3)
    torch.rand(10)
    expected = torch.rand(2, generator=torch.Generator().manual_seed(3))
    assert generator.device.type == "cpu" and torch.equal(
        torch.rand(2, generator=generator), expected
    )


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "3", True, None])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(ValueError, match="integer from 0 to 2.*got"):
        seed_everything(seed)


def test_the_device_tests_need_neither_matplotlib_nor_jupyter():
    """`make test-device` runs where only torch, torchvision, NumPy, scikit-learn and pytest are."""
    program = (
        "import sys, pytest\n"
        "for name in ('matplotlib', 'IPython', 'ipywidgets', 'tensorboard', 'hypothesis',"
        " 'nbgrader', 'torchmetrics', 'mnist1d', 'mlxtend'):\n"
        "    sys.modules[name] = None  # importing it fails\n"
        "from companion import data\n"
        "data.load('digits'), data.draw_mnist1d(10, seed=0)\n"
        "arguments = ['tests/device', '--collect-only', '-q', '-p', 'no:cacheprovider']\n"
        "sys.exit(pytest.main(arguments))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "architecture.conv2d" in done.stdout
