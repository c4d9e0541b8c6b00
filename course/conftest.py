"""Makes `pytest --nbval course/ --nbval-sanitize-with course/nbval.cfg` run the chapters as
`make notebooks` did when it stored their outputs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

# What kernels inherit when a chapter is validated, and when `make notebooks` stores its outputs;
# None removes a variable.
ENVIRONMENT: dict[str, str | None] = {
    "COMPANION_PREDICTIONS": "off",
    "COMPANION_PROGRESS": "off",
    "COMPANION_DEVICE": "cpu",
    "COMPANION_LEDGER": None,  # a validation never writes the ledger
    "MPLBACKEND": None,  # the kernel chooses its own, as in JupyterLab
    "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
}
for _name, _value in ENVIRONMENT.items():
    if _value is None:
        os.environ.pop(_name, None)
    else:
        os.environ[_name] = _value

SECONDS_TO_WAIT_FOR_OUTPUT = 120
CELL_SECONDS = 600
NBVAL_CELL_SECONDS = 2000  # nbval's own default

_seconds: dict[str, dict[str, float]] = {}


def pytest_configure(config: pytest.Config) -> None:
    option = config.option
    if not (getattr(option, "nbval", False) or getattr(option, "nbval_lax", False)):
        return
    if option.nbval_kernel_name is None:
        # "python3" can name another interpreter's kernel in the user's Jupyter folder.
        option.nbval_current_env = True
    if option.nbval_cell_timeout == NBVAL_CELL_SECONDS:
        option.nbval_cell_timeout = CELL_SECONDS


def pytest_itemcollected(item: pytest.Item) -> None:
    # nbval waits 5 seconds between two messages, which a busy machine can exceed.
    if hasattr(item, "output_timeout"):
        item.output_timeout = SECONDS_TO_WAIT_FOR_OUTPUT


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    before = _cpu_seconds(item)
    try:
        return (yield)
    finally:
        after = _cpu_seconds(item)
        if after is not None:
            cells = _seconds.setdefault(item.path.stem, {})
            # What the kernel used before its first cell (starting up) counts with that cell.
            cells[item.name] = after - (before if cells and before is not None else 0.0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _seconds:
        return
    terminalreporter.section("CPU seconds per notebook")
    for notebook, cells in sorted(_seconds.items()):
        name, most = max(cells.items(), key=lambda entry: entry[1])
        terminalreporter.write_line(
            f"{sum(cells.values()):7.1f}  {notebook}  (most: {name}, {most:.1f})"
        )
    path = os.environ.get("COMPANION_CELL_SECONDS")
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(_seconds, indent=1) + "\n", encoding="utf-8")


def _cpu_seconds(item: pytest.Item) -> float | None:
    """CPU seconds that the item's kernel has used so far, its child processes included."""
    kernel = getattr(item.parent, "kernel", None)
    if kernel is None or not kernel.is_alive():
        return None
    import psutil

    times = psutil.Process(kernel.km.provisioner.pid).cpu_times()
    return times.user + times.system + times.children_user + times.children_system
