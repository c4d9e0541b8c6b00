"""A fixed piece of work that says how fast this machine is, so that time budgets mean the same.

A budget of 60 CPU-seconds was set on the machine where the loop takes `REFERENCE_SECONDS`; on a
machine that takes twice as long for the loop, the budget is twice as long.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import cache

# One thread of a 2-core x86-64 cloud machine with nothing else running, November 2026, median of
# five processes (they lay within 10 %).
REFERENCE_SECONDS = 0.31


class BudgetWarning(UserWarning):
    """Something took longer than its budget, but less than what fails."""


def calibration_seconds(
    *, clock: Callable[[], float] = time.process_time, repeats: int = 3
) -> float:
    """Seconds for the fixed work, the fastest of `repeats`.

    Half of it is interpreted Python and half small tensors on one thread, which is what a chapter
    does.  `clock` is CPU time of this process; pass `time.perf_counter` to count waiting as well.
    """
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _tensors(1)  # the first call also loads kernels
        return min(_timed(clock) for _ in range(repeats))
    finally:
        torch.set_num_threads(n_threads)


@cache
def slowdown() -> float:
    """How many times slower than the reference this machine is; measured once per process."""
    return calibration_seconds() / REFERENCE_SECONDS


def check_budget(what: str, seconds: float, limit: float) -> float:
    """Returns reference seconds over `limit`; warns above 1 and fails above 3.

    Raises:
        AssertionError: `seconds`, brought to the reference machine, is above three times `limit`.
    """
    normal = seconds / slowdown()
    ratio = normal / limit
    text = (
        f"{what}: {normal:.1f} s against a budget of {limit:g} s "
        f"({seconds:.1f} s here, where the calibration loop runs {slowdown():.2f} times as long "
        "as on the reference machine)"
    )
    if ratio > 3:
        raise AssertionError(text)
    if ratio > 1:
        warnings.warn(text, BudgetWarning, stacklevel=2)
    return ratio


def _timed(clock: Callable[[], float]) -> float:
    start = clock()
    _interpreted()
    _tensors()
    return clock() - start


def _interpreted(n: int = 1_400_000) -> int:
    state = 1
    for _ in range(n):
        state = (state * 1103515245 + 12345) % 2147483648
    return state


def _tensors(n_steps: int = 90) -> float:
    import torch
    import torch.nn.functional as F

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(128, 8, 40, generator=generator)
    first = torch.randn(24, 8, 5, generator=generator, requires_grad=True)
    second = torch.randn(24, 24, 5, generator=generator, requires_grad=True)
    for _ in range(n_steps):
        hidden = F.conv1d(F.conv1d(x, first).relu() / 10, second, stride=2)
        loss = hidden.square().mean()
        loss.backward()
        first.grad = second.grad = None
    return loss.item()
