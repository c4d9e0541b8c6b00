"""Runs a notebook in one interpreter and scores it as nbgrader does; no defence at all.

A stand-in for nbgrader's autograde: the same interpreter runs student cells and test cells, the
notebook with its hidden tests lies in the working folder, and each test cell is scored by what it
shows.  `test_attacks.py` compares it with nbgrader itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from companion.grading import landlock, sandbox
from tests.attacks.bank import TARGET, grade_id, source

NAME_OF_STRAYS = "lic-attack"  # what processes that an attack leaves behind call themselves
VICTIM = 2  # process id, in the namespace of a run, of a process that belongs to nobody
_NEW_USER, _NEW_PROCESSES = 0x10000000, 0x20000000


@dataclass(frozen=True)
class Run:
    """`points` by grade id, all that was shown, and what the run did beside that."""

    points: dict[str, float]
    shown: str
    ended: bool  # whether every cell was run, in time and memory
    n_left: int  # processes that are still there after the end
    killed_victim: bool
    memory: int  # bytes, at most


def run(
    notebook: dict[str, Any],
    folder: Path,
    seconds: float,
    files: dict[str, str] | None = None,
    max_memory: int = 1536 * 2**20,
) -> Run:
    """Grades `notebook` in a fork; `folder` is emptied and becomes the working folder.

    Attacks run here without any defence, so they get a process namespace of their own, in which
    there is nobody else to signal, and all of it ends with the run.  Raises OSError where the
    machine gives none.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    sheet = with_original_tests(notebook)
    (folder / TARGET.name).write_text(json.dumps(sheet), encoding="utf-8")
    read_end, write_end = os.pipe()
    waiting = os.fork()
    if waiting == 0:
        os.close(read_end)
        _in_namespace(sheet, folder, write_end)
    os.close(write_end)
    try:
        lines, memory = _listen(read_end, waiting, seconds, max_memory)
        n_left = len(strays())
    finally:
        for pid in sandbox._descendants(waiting):  # the first of them takes all others with it
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.waitpid(waiting, 0)
    points = {name: found for name, found, _ in lines if found is not None}
    names = [name for name, _, _ in lines]
    if "no namespace" in names:
        raise OSError(f"no process namespace: {lines[-1][2]}")
    return Run(
        points, "\n".join(said for *_, said in lines), "end" in names, n_left,
        "victim" in names, memory,
    )  # fmt: skip


def _listen(
    read_end: int, waiting: int, seconds: float, max_memory: int
) -> tuple[list[list[Any]], int]:
    """Lines that come through the pipe until it closes, time is up or memory is used up."""
    deadline, text, memory = time.monotonic() + seconds, b"", 0
    with open(read_end, "rb", buffering=0) as pipe:
        while time.monotonic() < deadline and memory < max_memory:
            memory = max(memory, sandbox.memory_used(waiting))
            if select.select([pipe], [], [], 0.05)[0]:
                part = pipe.read(2**20)
                if not part or b'["done"' in part:
                    text += part
                    break
                text += part
    lines = []
    for line in text.decode(errors="replace").splitlines():
        with contextlib.suppress(ValueError):  # an attack may have written here
            lines.append(json.loads(line))
    return lines, memory


def strays() -> list[int]:
    """Processes that an attack left behind."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if path.read_text().strip() == NAME_OF_STRAYS:
                found.append(int(path.parent.name))
    return found


def _in_namespace(notebook: dict[str, Any], folder: Path, write_end: int) -> None:
    """Never returns; what it forks is process 1 of a namespace, whose end ends all the others."""
    try:
        os.setsid()
        flags = _NEW_PROCESSES if os.geteuid() == 0 else _NEW_PROCESSES | _NEW_USER
        landlock.call("unshare", flags)
        first = os.fork()
    except OSError as error:
        _say(write_end, ["no namespace", None, str(error)])
        os._exit(1)
    if first:
        os.waitpid(first, 0)
        os._exit(0)
    victim = os.fork()
    if victim == 0:
        time.sleep(3600)
        os._exit(0)
    grader = os.fork()
    if grader == 0:
        _grade(notebook, folder, write_end)
    while True:
        pid, _ = os.wait()
        if pid == victim:
            _say(write_end, ["victim", None, ""])
        if pid == grader:
            time.sleep(0.2)  # the end of a process that holds torch takes a while
            with contextlib.suppress(ChildProcessError):  # it had ended, and was said to have
                if os.waitpid(victim, os.WNOHANG)[0]:
                    _say(write_end, ["victim", None, ""])
            _say(write_end, ["done", None, ""])
            time.sleep(3600)


def with_original_tests(notebook: dict[str, Any]) -> dict[str, Any]:
    """As nbgrader's OverwriteCells does: locked cells get their text back."""
    originals = {grade_id(cell): cell for cell in source()["cells"]}
    made = json.loads(json.dumps(notebook))
    for cell in made["cells"]:
        original = originals.get(grade_id(cell)) if grade_id(cell) else None
        if original and original["metadata"]["nbgrader"]["locked"]:
            cell["source"] = original["source"]
    return made


def _grade(notebook: dict[str, Any], folder: Path, write_end: int) -> None:
    """Never returns."""
    try:
        os.chdir(folder)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        settings = Config()
        settings.HistoryManager.enabled = False
        sys.modules.pop("graphlib", None)  # a kernel has not imported it before a test does
        InteractiveShell.clear_instance()
        shell = InteractiveShell.instance(config=settings, colors="nocolor")
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                _run_cell(shell, cell, write_end)
        _say(write_end, ["end", None, ""])
    finally:
        os._exit(0)


def _run_cell(shell: Any, cell: dict[str, Any], write_end: int) -> None:
    from IPython.utils.capture import capture_output

    with capture_output() as captured:
        result = shell.run_cell(cell["source"], store_history=True)
    said = f"{captured.stdout}{captured.stderr}"
    error = result.error_in_exec or result.error_before_exec
    if error is not None and not isinstance(error, SystemExit):
        said += f"{type(error).__name__}: {error}"
    points = None
    settings = cell["metadata"].get("nbgrader", {})
    if settings.get("grade"):
        points = float(settings["points"])
        if not result.success or captured.stderr:
            points = 0.0
        elif isinstance(result.result, int | float) and not isinstance(result.result, bool):
            points = min(points, float(result.result))
    _say(write_end, [settings.get("grade_id"), points, said[:20_000]])


def _say(write_end: int, line: list[Any]) -> None:
    os.write(write_end, json.dumps(line).encode() + b"\n")
