"""`companion check`: the visible tests of an assignment, run on the reader's own notebook.

The tests come from the notebook that was handed out, so that edited or deleted test cells change
nothing.  This is a self-check: it runs in an ordinary kernel with the reader's rights.
"""

from __future__ import annotations

import atexit
import copy
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from companion.workspace import Cell, CourseError, grade_id, is_attempted, solution_cells, source

SECONDS_PER_CELL = 120


@dataclass
class TaskReport:
    """What the visible tests say about one task; `points` counts those tests alone."""

    task: str
    status: str = "passed"  # "passed", "failed", "not attempted", "written", "not run"
    points: float = 0.0
    max_points: float = 0.0
    hidden_points: float = 0.0
    messages: list[str] = field(default_factory=list)


def rebuild(student: dict[str, Any], released: dict[str, Any]) -> dict[str, Any]:
    """The student's notebook with the released text in every cell that is not theirs.

    Repeated test cells are dropped, missing ones return at their place; a missing solution cell
    stays missing, so that its tests say so.
    """
    originals = {grade_id(cell): cell for cell in released["cells"] if grade_id(cell)}
    cells, seen = [], set()
    for cell in student["cells"]:
        name = grade_id(cell)
        if name is None:
            cells.append(copy.deepcopy(cell))
        elif name in originals and name not in seen:
            seen.add(name)
            own = originals[name]["metadata"]["nbgrader"]["solution"]
            cells.append(copy.deepcopy(cell if own else originals[name]))
    place = 0
    for name, original in originals.items():
        if name in seen:
            place = 1 + next(i for i, cell in enumerate(cells) if grade_id(cell) == name)
        elif not original["metadata"]["nbgrader"]["solution"]:
            cells.insert(place, copy.deepcopy(original))
            place += 1
    return {**student, "cells": cells}


def run(
    notebook: dict[str, Any], folder: Path, *, seconds_per_cell: int = SECONDS_PER_CELL
) -> dict[str, Any]:
    """Runs all cells in `folder`; errors stay in the outputs, endless cells are stopped.

    Raises:
        CourseError: no kernel starts at all.
    """
    import nbformat
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    node = nbformat.reads(json.dumps(notebook), as_version=4)  # joins sources stored as lines
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.metadata.pop("ran", None)
    client = NotebookClient(
        node,
        timeout=seconds_per_cell,
        interrupt_on_timeout=True,
        error_on_timeout={"ename": "KeyboardInterrupt", "evalue": "", "traceback": []},
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        on_cell_executed=_mark,
    )
    try:
        # What the kernel process itself says, such as its note on TCP, is no news for a reader.
        client.execute(stderr=subprocess.DEVNULL)
    except DeadKernelError:
        pass  # the cells after the death carry no mark; `report` calls their tasks "not run"
    except (NoSuchKernel, RuntimeError) as error:
        atexit.unregister(client._cleanup_kernel)  # it would complain that there is no kernel
        raise CourseError(
            f"no Jupyter kernel starts here ({error}): `companion doctor` says what to do"
        ) from error
    return node


def report(
    executed: dict[str, Any], student: dict[str, Any], released: dict[str, Any]
) -> list[TaskReport]:
    """One report per task, in the order of the released notebook."""
    stubs = solution_cells(released)
    answers = solution_cells(student)
    reports = {name: TaskReport(name) for name in stubs}
    for name, stub in stubs.items():
        if stub["metadata"]["nbgrader"]["grade"]:
            written = name in answers and is_attempted(source(answers[name]), source(stub))
            reports[name].status = "written" if written else "not attempted"
    ran = {grade_id(cell): cell for cell in executed["cells"] if grade_id(cell)}
    for cell in released["cells"]:
        settings = cell["metadata"].get("nbgrader", {})
        if not settings.get("grade") or settings.get("solution"):
            continue
        task = reports.get(_task_of(grade_id(cell), list(stubs)))
        if task is None:
            continue
        points = float(settings["points"])
        if grade_id(cell).startswith("hidden_"):
            task.hidden_points += points
        else:
            task.max_points += points
            _score(task, ran[grade_id(cell)], points)
    for name, task in reports.items():
        failure = _error(ran[name]) if name in ran else None
        if failure is not None and failure[0] != "NotAttempted" and task.status != "written":
            task.status = "failed"
            task.messages = [f"its cell: {_line(failure)}"]
        elif name not in ran:
            task.status, task.messages = "failed", ["your notebook has lost this task's cell"]
    return list(reports.values())


def _score(task: TaskReport, cell: Cell, points: float) -> None:
    failure = _error(cell)
    if failure is not None and failure[0] == "NotAttempted":
        if task.status == "passed":
            task.status = "not attempted"
    elif failure is not None:
        task.status = "failed"
        task.messages.append(f"{grade_id(cell)}: {_line(failure)}")
    elif not cell["metadata"].get("ran"):
        task.status = "not run"
        task.messages = ["the kernel died before its tests; usually memory ran out"]
    else:
        earned = _partial_credit(cell, points)
        task.points += earned
        if earned < points:
            task.status = "failed"
            task.messages.append(f"{grade_id(cell)}: {earned:g} of {points:g} points{_said(cell)}")


def _task_of(test: str, tasks: list[str]) -> str | None:
    """The task that a test cell belongs to: `test_conv1d_edges` to `conv1d`."""
    rest = test.partition("_")[2]
    fitting = [task for task in tasks if rest == task or rest.startswith(f"{task}_")]
    return max(fitting, key=len, default=None)


def _mark(cell: Cell, cell_index: int, execute_reply: dict[str, Any]) -> None:
    """Notes that a cell ran, and an error that left no output, such as an ignored interrupt."""
    cell["metadata"]["ran"] = True
    reply = execute_reply["content"]
    if reply["status"] == "error" and _error(cell) is None:
        error = {key: reply[key] for key in ("ename", "evalue", "traceback")}
        cell["outputs"].append({"output_type": "error", **error})


def _error(cell: Cell) -> tuple[str, str] | None:
    for output in cell.get("outputs", []):
        if output["output_type"] == "error":
            return output["ename"], output["evalue"]
    return None


def _partial_credit(cell: Cell, points: float) -> float:
    """nbgrader's rule: a number as the cell's last value is the points it gives."""
    for output in cell.get("outputs", []):
        if output["output_type"] == "execute_result":
            try:
                return min(points, float(output["data"].get("text/plain", "")))
            except ValueError:
                return points
    return points


def _said(cell: Cell) -> str:
    printed = "".join(o["text"] for o in cell["outputs"] if o["output_type"] == "stream")
    return f" ({printed.strip()})" if printed.strip() else ""


def _line(failure: tuple[str, str]) -> str:
    name, text = failure
    if name == "KeyboardInterrupt":
        return "stopped, because it took too long"
    text = text.strip() or "no message"
    return text if name == "CheckFailed" else f"{name}: {text}"
