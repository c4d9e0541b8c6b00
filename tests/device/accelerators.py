"""The accelerators of this machine, and what was measured on them."""

import platform

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
