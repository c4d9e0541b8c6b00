"""Choosing a device, and making a run repeatable."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable

import numpy as np
import torch

AVAILABLE: dict[str, Callable[[], bool]] = {
    "cuda": lambda: torch.cuda.is_available(),
    "mps": lambda: torch.backends.mps.is_available(),
    "xpu": lambda: torch.xpu.is_available(),
    "cpu": lambda: True,
}

_warned: set[str] = set()


def choose_device(prefer: str = "auto") -> torch.device:
    """Returns the device to compute on: CUDA, then MPS, then XPU, then CPU.

    `prefer` names one of them; a device that is not there costs one warning and the CPU is used.
    The environment variable `COMPANION_DEVICE` overrides "auto".

    Raises:
        ValueError: `prefer` is none of "auto", "cuda", "mps", "xpu", "cpu".
    """
    named_by = "device"
    if prefer == "auto" and os.environ.get("COMPANION_DEVICE"):
        prefer, named_by = os.environ["COMPANION_DEVICE"], "COMPANION_DEVICE ="
    if prefer == "auto":
        return torch.device(next(name for name, is_there in AVAILABLE.items() if is_there()))
    if prefer not in AVAILABLE:
        raise ValueError(
            f'{named_by} {prefer!r} is not known: expected "auto", "cuda", "mps", "xpu" or "cpu"'
        )
    if AVAILABLE[prefer]():
        return torch.device(prefer)
    if prefer not in _warned:
        _warned.add(prefer)
        warnings.warn(
            f"no {prefer} device is usable here, so the CPU is used; "
            "`companion doctor` says which devices this PyTorch sees",
            stacklevel=2,
        )
    return torch.device("cpu")


def seed_everything(seed: int) -> torch.Generator:
    """Seeds Python, NumPy and PyTorch, and returns a CPU generator with the same seed.

    Raises:
        ValueError: `seed` is not an integer in 0 ... 2**32 - 1, the range NumPy accepts.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(f"a seed is an integer from 0 to 2**32 - 1, got {seed!r}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)
