"""Finds the accelerators of this machine, and prints what was compared with the CPU.

Needs torch, torchvision, NumPy, scikit-learn and pytest, and no installation of the course.
"""

import platform

import pytest
import torch
from accelerators import NOT_RUN, accelerators, device_name, differences


@pytest.fixture(autouse=True)
def full_precision():
    """TensorFloat-32 keeps ten bits of mantissa; what is compared here is the computation."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    yield
    matmul.allow_tf32, cudnn.allow_tf32 = before


def pytest_generate_tests(metafunc):
    if "accelerator" in metafunc.fixturenames:
        metafunc.parametrize("accelerator", accelerators() or [None])


def pytest_terminal_summary(terminalreporter):
    ran = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    if not any("tests/device/" in report.nodeid for report in ran):
        return
    write = terminalreporter.write_line
    terminalreporter.section("largest difference from the CPU, relative to the largest value")
    write(f"PyTorch {torch.__version__}, Python {platform.python_version()}, {platform.platform()}")
    if not accelerators():
        write(NOT_RUN)
    for device in accelerators():
        write(f"{device}: {device_name(device)}")
        for (where, name), difference in differences.items():
            if where == device:
                write(f"  {name:<32} {difference:.1e}")
