"""`import companion` is cheap, and its modules come when they are asked for."""

import subprocess
import sys

import pytest

import companion


def test_modules_come_when_they_are_used():
    program = (
        "import sys, companion\n"
        "assert 'torch' not in sys.modules\n"
        "companion.device.choose_device('cpu')\n"
        "assert 'torch' in sys.modules and 'companion.training' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_modules_are_listed():
    assert {"architecture", "checks", "compression", "data", "training"} <= set(dir(companion))
    assert "__main__" not in dir(companion)


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(AttributeError, match="no module 'achitecture'; there are: architecture"):
        companion.achitecture  # noqa: B018
