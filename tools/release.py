"""Generates the release version of every assignment with nbgrader, and checks it.

    python -m tools.release [ASSIGNMENT]           writes assignments/ and the gradebook's entry
    python -m tools.release --check [ASSIGNMENT]   fails where assignments/ is not what it would be

Release checks: `metadata.nbgrader` of schema version 3, unique ids, points that sum to what the
text states, points, minutes, difficulty and hints at every task, a visible and a hidden test for
each, and nothing of a solution or a hidden test in any released file.
"""

from __future__ import annotations

import argparse
import ast
import copy
import filecmp
import json
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
from jsonschema import Draft4Validator
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from tools._assignment import (
    BEGIN_HIDDEN,
    BEGIN_SOLUTION,
    END_HIDDEN,
    END_SOLUTION,
    ROOT,
    Assignment,
    pick,
)

N_TASKS = (5, 8)
MIN_LINE, MIN_LITERAL, MIN_NAME, MIN_QUOTED_LINE = 12, 6, 5, 30


def course_config(root: Path = ROOT) -> Config:
    """The repository's `nbgrader_config.py`, for the course that lies under `root`.

    Puts the folder of this Python first on PATH: nbgrader starts `alembic` by its bare name.
    """
    here = str(Path(sys.executable).parent)
    if os.environ.get("PATH", "").split(os.pathsep)[0] != here:
        os.environ["PATH"] = here + os.pathsep + os.environ.get("PATH", "")
    loaded = PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()
    if root != ROOT:
        loaded.CourseDirectory.root = str(root)
        gradebook = root / "build" / "grading" / "gradebook.db"
        gradebook.parent.mkdir(parents=True, exist_ok=True)
        loaded.CourseDirectory.db_url = f"sqlite:///{gradebook}?timeout=60"
    return loaded


def generate(
    name: str, config: Config, *, release: Path | None = None, gradebook: bool | None = None
) -> Path:
    """Runs `nbgrader generate_assignment --force --create`; returns the folder it wrote.

    With `release`, writes below that folder and leaves the gradebook alone unless `gradebook` says
    otherwise.  Raises RuntimeError with nbgrader's log where it fails.
    """
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.utils import capture_log

    config = copy.deepcopy(config)
    if gradebook is None:
        gradebook = release is None
    config.SaveCells.enabled = gradebook
    course = CourseDirectory(config=config)
    course.assignment_id = name
    if release is not None:
        course.release_directory = str(release)
    converter = GenerateAssignment(coursedir=course, config=config)
    converter.force = True
    converter.create_assignment = True
    converter.no_database = not gradebook
    outcome = capture_log(converter)
    if not outcome["success"]:
        raise RuntimeError(f"nbgrader could not generate {name}:\n{outcome.get('log', '')}\n"
                           f"{outcome.get('error', '')}")  # fmt: skip
    return Path(course.format_path(course.release_directory, student_id=".", assignment_id=name))


def differences(fresh: Path, stored: Path) -> list[str]:
    """Files that differ between two folders, byte by byte."""
    names = {p.relative_to(folder) for folder in (fresh, stored) for p in folder.rglob("*")
             if p.is_file() and ".ipynb_checkpoints" not in p.parts}  # fmt: skip
    found = []
    for name in sorted(names):
        a, b = fresh / name, stored / name
        if not b.exists():
            found.append(f"{name} is missing from {stored.name}/")
        elif not a.exists():
            found.append(f"{name} should not be in {stored.name}/")
        elif not filecmp.cmp(a, b, shallow=False):
            found.append(f"{name} differs from what solutions/ gives")
    return found


def problems_of(
    assignment: Assignment, released: Path, *, n_tasks: tuple[int, int] = N_TASKS
) -> list[str]:
    """Every release rule that an assignment breaks; `released` is the folder students get."""
    found = [*_source_problems(assignment, n_tasks), *_statement_problems(assignment)]
    for path in sorted(released.glob("*.ipynb")):
        found += _metadata_problems(path)
    notebook = released / assignment.path.name
    if not notebook.exists():
        return [*found, f"{notebook.name} is missing from the release"]
    found += _release_problems(assignment, notebook)
    found += leaks(assignment, released)
    return found


def _source_problems(assignment: Assignment, n_tasks: tuple[int, int]) -> Iterator[str]:
    low, high = n_tasks
    if not low <= len(assignment.tasks) <= high:
        yield f"{len(assignment.tasks)} tasks, expected {low} to {high}"
    yield from _metadata_problems(assignment.path)
    for cell in nbformat.read(assignment.path, as_version=4).cells:
        if cell.get("outputs"):
            yield f"the source cell {cell.get('id')} has outputs; solutions/ is stored without"
    for task in assignment.tasks.values():
        if BEGIN_SOLUTION not in task.solution.source:
            yield f"{task.name}: the solution cell has no solution region"
        for prefix in ("test", "hidden"):
            if not any(test.name.startswith(f"{prefix}_{task.name}") for test in task.tests):
                yield f"{task.name}: no test cell {prefix}_{task.name}"
        for test in task.tests:
            if not test.name.startswith((f"test_{task.name}", f"hidden_{task.name}")):
                yield f"{task.name}: the test cell {test.name!r} is not named after its task"
            if test.points <= 0:
                yield f"{task.name}: {test.name} gives no points"
            if test.name.startswith("hidden_") and BEGIN_HIDDEN not in test.source:
                yield f"{task.name}: {test.name} has no hidden region"


def _metadata_problems(path: Path) -> Iterator[str]:
    """Schema version 3, unique ids, and no cell that students could edit by accident."""
    validator = Draft4Validator(_schema())
    notebook = nbformat.read(path, as_version=4)
    ids: Counter[str] = Counter()
    for position, cell in enumerate(notebook.cells):
        meta = cell.metadata.get("nbgrader")
        if meta is None:
            continue
        name = meta.get("grade_id", f"cell {position}")
        ids[name] += 1
        for error in validator.iter_errors(dict(meta)):
            yield f"{path.parent.name}: {name}: metadata.nbgrader: {error.message}"
        if meta.get("grade") and not meta.get("solution") and not meta.get("locked"):
            yield f"{path.parent.name}: {name}: a test cell must be locked"
    for name, times in ids.items():
        if times > 1:
            yield f"{path.parent.name}: the id {name!r} occurs {times} times"


def _schema() -> dict:
    import nbgrader.nbgraderformat as nbgraderformat

    path = Path(nbgraderformat.__file__).parent / "v3.json"
    return json.loads(path.read_text(encoding="utf-8"))


def _statement_problems(assignment: Assignment) -> Iterator[str]:
    """Points, minutes, difficulty and hints in the text before each task."""
    cells = nbformat.read(assignment.path, as_version=4).cells
    first = next((c.source for c in cells if c.cell_type == "markdown"), "")
    totals = _points_in(first)
    if assignment.points not in totals:
        yield (
            f"the first text states {_listed(totals)} points, "
            f"the cells sum to {assignment.points:g}"
        )
    for task in [*assignment.tasks.values(), *assignment.written]:
        cell = getattr(task, "solution", task)
        text = _text_before(cells, cell.position)
        stated = _points_in(text)
        if task.points not in stated:
            yield (
                f"{task.name}: the text states {_listed(stated)} points, "
                f"its cells sum to {task.points:g}"
            )
        if not re.search(r"\b\d+\s*min", text):
            yield f"{task.name}: the text states no minutes"
        if not re.search(r"difficulty\W*[1-5]\b", text, re.IGNORECASE):
            yield f"{task.name}: the text states no difficulty from 1 to 5"
        if cell.kind != "written" and "<details" not in text:
            yield f"{task.name}: no hint in a <details> fold"


def _points_in(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"(\d+(?:\.\d+)?)\W*\s*points?\b", text)]


def _listed(numbers: Sequence[float]) -> str:
    return " and ".join(f"{number:g}" for number in numbers) or "no"


def _text_before(cells: Sequence[nbformat.NotebookNode], position: int) -> str:
    """Markdown between the previous graded cell and this one."""
    parts = []
    for cell in reversed(cells[:position]):
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("grade") or meta.get("solution"):
            break
        if cell.cell_type == "markdown":
            parts.append(cell.source)
    return "\n".join(reversed(parts))


def _release_problems(assignment: Assignment, path: Path) -> Iterator[str]:
    """Solution cells hold the stub, hidden test cells nothing, and no marker is left."""
    by_name = {}
    for cell in nbformat.read(path, as_version=4).cells:
        by_name[cell.metadata.get("nbgrader", {}).get("grade_id")] = cell
        for marker in (BEGIN_SOLUTION, END_SOLUTION, BEGIN_HIDDEN, END_HIDDEN):
            if marker in cell.source:
                yield f"the release holds the marker {marker!r}"
        if cell.get("outputs"):
            yield f"the release holds outputs (cell {cell.get('id')})"
    for task in assignment.tasks.values():
        if task.name not in by_name:
            yield f"{task.name}: its cell is missing from the release"
            continue
        if "raise NotAttempted()" not in by_name[task.name].source:
            yield f"{task.name}: the released cell does not hold `raise NotAttempted()`"
        for test in task.tests:
            if test.name not in by_name:
                yield f"{test.name} is missing from the release"
            elif test.name.startswith("hidden_") and _code_in(by_name[test.name].source):
                yield f"{test.name} is called hidden, but its released cell holds code"


def _code_in(source: str) -> bool:
    return any(line.strip() and not line.strip().startswith("#") for line in source.split("\n"))


def leaks(assignment: Assignment, released: Path) -> list[str]:
    """Lines, literals and names of solutions and hidden tests that stand in a released file.

    Counted are those that the public part of the source notebook does not hold; and lines of a
    solution of 30 characters or more wherever they stand, in a hint for example.
    """
    public, secret, solution_lines = [], [], set()
    for cell in nbformat.read(assignment.path, as_version=4).cells:
        outside, inside = _split(cell.source)
        public.append(outside)
        meta = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code":
            secret.append((cell.source, inside))
            if meta.get("solution"):
                lines = (line.strip() for line in inside.values())
                solution_lines |= {line for line in lines if len(line) >= MIN_QUOTED_LINE}
        elif meta.get("solution"):
            public.pop()
            secret.append(("", dict(enumerate(cell.source.split("\n")))))
    known = "\n".join(public)
    found = []
    for path in sorted(p for p in released.rglob("*") if p.is_file()):
        text = _text_of(path)
        for kind, token in sorted({item for s in secret for item in _tokens(*s)}):
            if _holds(text, kind, token) and not _holds(known, kind, token):
                found.append(f"{path.name} holds a {kind} of a solution or hidden test: {token!r}")
        for line in sorted(solution_lines):
            if line in text:
                found.append(f"{path.name} holds a line of a solution: {line!r}")
    return found


def _text_of(path: Path) -> str:
    """Everything readable in a file; for a notebook, sources and all metadata, unescaped."""
    raw = path.read_bytes().decode("utf-8", errors="replace")
    if path.suffix != ".ipynb":
        return raw
    parts: list[str] = []

    def collect(value: object) -> None:
        if isinstance(value, str):
            parts.append(value)
        elif isinstance(value, dict):
            for key, item in value.items():
                parts.append(str(key))
                collect(item)
        elif isinstance(value, list):
            if value and all(isinstance(item, str) for item in value):
                parts.append("".join(value))
            else:
                for item in value:
                    collect(item)

    collect(json.loads(raw))
    return "\n".join(parts)


def _split(source: str) -> tuple[str, dict[int, str]]:
    """Text outside of solution and hidden regions; lines inside, by line number."""
    outside, inside, within = [], {}, False
    for number, line in enumerate(source.split("\n"), start=1):
        if BEGIN_SOLUTION in line or BEGIN_HIDDEN in line:
            within = True
        elif END_SOLUTION in line or END_HIDDEN in line:
            within = False
        elif within:
            inside[number] = line
        else:
            outside.append(line)
    return "\n".join(outside), inside


def _tokens(source: str, inside: dict[int, str]) -> Iterator[tuple[str, str]]:
    for line in inside.values():
        if len(line.strip()) >= MIN_LINE:
            yield "line", line.strip()
    if not source or not inside:
        return
    for node in ast.walk(ast.parse(source)):
        if getattr(node, "lineno", None) not in inside:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if len(node.value.strip()) >= MIN_LITERAL:
                yield "text", node.value.strip()
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            if len(repr(node.value).strip("0.")) >= 3:
                yield "number", repr(node.value)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            if len(node.id) >= MIN_NAME:
                yield "name", node.id


def _holds(text: str, kind: str, token: str) -> bool:
    if kind in ("name", "number"):
        return re.search(rf"(?<![\w.]){re.escape(token)}(?!\w|\.\d)", text) is not None
    return token in text


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("assignment", nargs="?")
    parser.add_argument(
        "--check", action="store_true", help="write nothing outside a scratch folder"
    )
    arguments = parser.parse_args(argv)
    config = course_config()
    release = ROOT / "assignments"
    n_problems = 0
    for assignment in pick(arguments.assignment):
        with tempfile.TemporaryDirectory() as scratch:
            if arguments.check:
                fresh = generate(assignment.name, config, release=Path(scratch))
                problems = differences(fresh, release / assignment.name)
            else:
                fresh, problems = generate(assignment.name, config), []
            problems += problems_of(assignment, fresh)
        for problem in problems:
            print(f"{assignment.name}: {problem}")
        n_problems += len(problems)
        print(f"{assignment.name}: {len(assignment.tasks)} tasks, {assignment.points:g} points, "
              f"{len(problems)} problems")  # fmt: skip
    if arguments.assignment is None:
        n_problems += _strangers(release, check=arguments.check)
    return 1 if n_problems else 0


def _strangers(release: Path, *, check: bool) -> int:
    """Released assignments whose source is gone: named with `check`, otherwise removed."""
    names = {assignment.name for assignment in pick(None)}
    strangers = [p for p in sorted(release.glob("*")) if p.is_dir() and p.name not in names]
    for path in strangers:
        print(f"{path.name}: has no source under solutions/" + ("" if check else "; removed"))
        if not check:
            shutil.rmtree(path)
    return len(strangers) if check else 0


if __name__ == "__main__":
    sys.exit(main())
