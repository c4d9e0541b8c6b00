"""The accelerators of this machine, and what was measured on them."""

import platform

import pytest
import torch

NOT_RUN = "not run: no accelerator"
differences: dict[tuple[str, str], float] = {}  # (device, public function) -> largest difference


def accelerators() -> list[str]:
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "xpu": torch.xpu.is_available(),
    }
    return [name for name, is_there in there.items() if is_there]


def device_name(device: str) -> str:
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    if device == "xpu":
        return torch.xpu.get_device_name()
    return f"Apple GPU (mps) of {platform.machine()}"


def check_repeats_itself(case):
    """`case(where)` gives finite tensors, the same ones each time."""
    first, second = _results(case, "cpu"), _results(case, "cpu")
    assert all(torch.isfinite(x).all() for x in first), "a result is not finite"
    assert _largest_difference(first, second) == 0, "the second run gives other numbers"


def check_agrees(case, accelerator, name, tolerance):
    """`case(where)` gives on the accelerator what it gives on the CPU."""
    if accelerator is None:
        pytest.skip(NOT_RUN)
    difference = _largest_difference(_results(case, accelerator), _results(case, "cpu"))
    differences[accelerator, name] = difference
    assert difference <= tolerance, f"{difference:.1e} is more than {tolerance:g}"


def _results(case, where):
    torch.manual_seed(0)
    return [x.detach().cpu().double() for x in case(where)]


def _largest_difference(found, expected):
    """Over all results, relative to the largest value of each."""
    shapes, others = ([x.shape for x in each] for each in (found, expected))
    assert shapes == others, f"shapes {shapes} beside {others}"
    return max(
        float((f - e).abs().max() / max(1e-3, float(e.abs().max())))
        for f, e in zip(found, expected, strict=True)
    )
