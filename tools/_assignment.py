"""An assignment notebook as the quality tools see it: tasks, their tests, and who uses whom.

A task is a solution cell and the test cells that follow it, up to the next solution cell.  All
other code cells are setup.  Nothing here runs student code.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from companion.grading import rebuild
from companion.grading.names import names_defined, names_used, parsed

ROOT = Path(__file__).resolve().parent.parent
BEGIN_SOLUTION, END_SOLUTION = "BEGIN SOLUTION", "END SOLUTION"
BEGIN_HIDDEN, END_HIDDEN = "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"


@dataclass(frozen=True)
class Cell(rebuild.Cell):
    """A code cell, or a written answer: `kind` is "setup", "solution", "test" or "written"."""

    @cached_property
    def defines(self) -> frozenset[str]:
        return names_defined(self.source)

    @cached_property
    def uses(self) -> frozenset[str]:
        return names_used(parsed(self.source))


@dataclass(frozen=True)
class Task:
    """A solution cell with its test cells."""

    solution: Cell
    tests: tuple[Cell, ...]

    @property
    def name(self) -> str:
        return self.solution.name

    @property
    def points(self) -> float:
        return sum(test.points for test in self.tests)


@dataclass(frozen=True)
class Assignment:
    """A source notebook, parsed.  `variants` is the folder that holds `<task>/right_*.py`."""

    name: str
    path: Path
    variants: Path
    cells: tuple[Cell, ...]
    tasks: dict[str, Task] = field(default_factory=dict)

    @property
    def written(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.kind == "written"]

    @property
    def auto_points(self) -> float:
        """Points that test cells give."""
        return sum(task.points for task in self.tasks.values())

    @property
    def points(self) -> float:
        """All points, written answers included."""
        return self.auto_points + sum(cell.points for cell in self.written)

    def dependents(self, task: str) -> list[str]:
        """Tasks whose results can change when the answer to `task` changes; itself first.

        A task depends on another when its answer or its tests use a name that the other defines,
        directly or through a cell between them.
        """
        affected_names = set(self.tasks[task].solution.defines)
        affected = {task}
        changed = True
        while changed:
            changed = False
            for cell in self.cells:
                owner = self.owner(cell)
                if cell.kind == "written" or not (cell.uses & affected_names):
                    continue
                if owner is not None and owner not in affected:
                    affected.add(owner)
                    changed = True
                if cell.kind != "test" and not cell.defines <= affected_names:
                    affected_names |= cell.defines
                    changed = True
        return [task, *(name for name in self.tasks if name in affected and name != task)]

    def owner(self, cell: Cell) -> str | None:
        """Name of the task that a solution or test cell belongs to."""
        return self._owners.get(cell.position)

    @cached_property
    def _owners(self) -> dict[int, str]:
        return {
            cell.position: task.name
            for task in self.tasks.values()
            for cell in (task.solution, *task.tests)
        }

    def sources(self, task: str) -> list[Path]:
        """The variant files of a task, right ones first."""
        return sorted((self.variants / task).glob("right_*.py")) + sorted(
            (self.variants / task).glob("wrong_*.py")
        )

    def expectations(self, task: str) -> dict:
        """The table `expect.yml` of a task; empty where there is none."""
        path = self.variants / task / "expect.yml"
        if not path.exists():
            return {}
        table = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(table, dict):
            raise ValueError(f"{path}: expected a mapping of variant names, got {table!r}")
        return table


def load(path: Path, *, variants: Path) -> Assignment:
    """Parses `path`; `variants` is the folder with one subfolder for each task.

    Raises ValueError where a test cell comes before any solution cell.
    """
    notebook = nbformat.read(path, as_version=4)
    cells = tuple(_cells(notebook))
    tasks: dict[str, Task] = {}
    current: Cell | None = None
    tests: list[Cell] = []
    for cell in cells:
        if cell.kind == "solution":
            if current is not None:
                tasks[current.name] = Task(current, tuple(tests))
            current, tests = cell, []
        elif cell.kind == "test":
            if current is None:
                raise ValueError(
                    f"{path.name}: test cell {cell.name!r} comes before any solution cell."
                )
            tests.append(cell)
    if current is not None:
        tasks[current.name] = Task(current, tuple(tests))
    return Assignment(path.stem, path, variants, cells, tasks)


def find(root: Path = ROOT) -> list[Assignment]:
    """Every assignment under `root/solutions`, with its variants under `root/tests/variants`."""
    return [
        load(path, variants=root / "tests" / "variants" / path.stem)
        for path in sorted((root / "solutions").glob("*/*.ipynb"))
        if path.stem == path.parent.name
    ]


def pick(name: str | None, root: Path = ROOT) -> list[Assignment]:
    """The assignment called `name`, or all.  Raises SystemExit with the names that exist."""
    assignments = find(root)
    chosen = [a for a in assignments if name in (None, a.name)]
    if not chosen:
        known = ", ".join(a.name for a in assignments) or "none"
        raise SystemExit(
            f"no assignment {name or ''} under {root / 'solutions'}; there is: {known}"
        )
    return chosen


def _cells(notebook: NotebookNode) -> Iterator[Cell]:
    for position, cell in enumerate(notebook.cells):
        meta = cell.metadata.get("nbgrader", {})
        grade, solution = meta.get("grade", False), meta.get("solution", False)
        if solution and grade:
            kind = "written"
        elif cell.cell_type != "code":
            continue
        else:
            kind = "solution" if solution else "test" if grade else "setup"
        name = meta.get("grade_id") or f"cell_{position}"
        points = float(meta.get("points", 0)) if grade else 0.0
        yield Cell(name, kind, cell.source, points, position)


def docstring_of(source: str) -> str:
    """The docstring of the first function or class of a cell that has one."""
    for node in parsed(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            text = ast.get_docstring(node)
            if text:
                return text
    return ""
