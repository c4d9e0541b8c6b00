"""Grades a sample class as configured, and compares every grade with its tables.

    python -m tools.classroom [--class tests/classroom/class.yml]

The class is assembled from the variants (right and wrong answers) of one assignment, so the grade
of every test cell is known beforehand.  It is graded as `companion grade` does it, and the grades
are read from nbgrader's gradebook.  Everything is written below `build/grading/`: submissions,
results, gradebook, `grades.csv`, and feedback pages, which must hold nothing of a hidden test.  A
gradebook that knows other students than `sample_...` is left alone.
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
import yaml
from traitlets.config import Config

from companion.grading.rebuild import handed_out
from companion.grading.run import grade_class
from tools._assignment import BEGIN_SOLUTION, END_SOLUTION, ROOT, Assignment, find
from tools._runner import SEED
from tools.release import course_config, generate
from tools.stock import Graded, recorded
from tools.variants import full_points, predicted

CLASS = ROOT / "tests" / "classroom" / "class.yml"
PREFIX = "sample_"


@dataclass(frozen=True)
class Student:
    """What one student hands in, and the points that the tables give for each test cell."""

    name: str
    answers: Mapping[str, str]
    points: Mapping[str, float]
    writes: bool = True
    edited_tests: str | None = None
    deleted_tests: str | None = None
    seconds_per_cell: int | None = None
    says: str = ""


def read_class(path: Path, assignments: Sequence[Assignment]) -> tuple[Assignment, list[Student]]:
    """The assignment and the students that a class file describes."""
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    by_name = {assignment.name: assignment for assignment in assignments}
    if table["assignment"] not in by_name:
        raise ValueError(f"{path.name} names the assignment {table['assignment']!r}; there is: "
                         f"{', '.join(by_name) or 'none'}")  # fmt: skip
    assignment = by_name[table["assignment"]]
    students: list[Student] = []
    for name, entry in table["students"].items():
        if not name.startswith(PREFIX):
            raise ValueError(f"{path.name}: {name!r} must begin with {PREFIX!r}, so that no real "
                             "student is ever taken for a sample")  # fmt: skip
        students += _students(assignment, name, dict(entry))
    return assignment, students


def _students(assignment: Assignment, name: str, entry: dict) -> Iterator[Student]:
    seconds = entry.pop("seconds_per_cell", None)
    if len(entry) != 1:
        raise ValueError(f"{name}: expected one kind of answer, got {sorted(entry) or 'none'}")
    ((kind, value),) = entry.items()
    if kind == "misconceptions":
        everybody = _misconceptions(assignment, name)
        yield from everybody if value is True else itertools.islice(everybody, value)
        return
    if kind == "reference":
        student = _partly(assignment, name, set(), "reference solutions")
    elif kind == "right":
        student = _partly(assignment, name, set(), f"right variants, number {value}")
        answers = {
            task: _text(assignment, task, _nth(_named(assignment, task, "right_"), value - 1))
            for task in assignment.tasks
        }
        student = replace(student, answers=answers)
    elif kind == "attempted":
        left = set(list(assignment.tasks)[value:])
        student = _partly(assignment, name, left, f"the first {value} tasks")
    elif kind == "untouched":
        student = _partly(assignment, name, set(assignment.tasks), "nothing")
        student = replace(student, writes=False)
    elif kind in DAMAGE:
        task = _task(assignment, value)
        student = _partly(assignment, name, set(assignment.dependents(task)), f"{kind}: {task}")
        damaged = DAMAGE[kind](assignment.tasks[task].solution.source)
        student = replace(student, answers={**student.answers, task: damaged})
    elif kind in ("edited", "deleted"):
        task = _task(assignment, value)
        variant = _named(assignment, task, "wrong_")[0]
        student = _partly(assignment, name, set(), f"{kind} tests of {task}, {variant}")
        student = replace(
            student,
            answers={**student.answers, task: _text(assignment, task, variant)},
            points={**student.points, **predicted(assignment, task, variant)},
            **{f"{kind}_tests": task},
        )
    else:
        raise ValueError(f"{name}: unknown kind of answer {kind!r}")
    yield replace(student, seconds_per_cell=seconds)


def _misconceptions(assignment: Assignment, name: str) -> Iterator[Student]:
    """Every wrong variant once.  No student has two wrong answers that reach the same task."""
    waiting = {task: _named(assignment, task, "wrong_") for task in assignment.tasks}
    reach = {task: set(assignment.dependents(task)) for task in assignment.tasks}
    number = 0
    while any(waiting.values()):
        number += 1
        student = _partly(assignment, f"{name}_{number:02d}", set(), "")
        answers, points = dict(student.answers), dict(student.points)
        chosen: dict[str, str] = {}
        for task, variants in waiting.items():
            if variants and all(not reach[task] & reach[other] for other in chosen):
                chosen[task] = variants.pop(0)
                answers[task] = _text(assignment, task, chosen[task])
                points |= predicted(assignment, task, chosen[task])
            elif not any(task in reach[other] for other in chosen):
                right = _nth(_named(assignment, task, "right_"), number)
                answers[task] = _text(assignment, task, right)
        says = ", ".join(variant.removeprefix("wrong_") for variant in chosen.values())
        yield replace(student, answers=answers, points=points, says=says)


def _partly(assignment: Assignment, name: str, left: set[str], says: str) -> Student:
    """Reference solutions; the tasks in `left`, and those that need them, as released."""
    left = {user for task in left for user in assignment.dependents(task)}
    sources = {name: task.solution.source for name, task in assignment.tasks.items()}
    answers = {
        task: handed_out(source) if task in left else _without_markers(source)
        for task, source in sources.items()
    }
    points = full_points(assignment, assignment.tasks)
    points |= dict.fromkeys(full_points(assignment, left), 0.0)
    return Student(name, answers, points, says=says)


def _syntax_error(source: str) -> str:
    return _without_markers(source) + "\n    return (\n"


def _endless(source: str) -> str:
    loop = r"\1while True:\n\1    pass"
    return re.sub(r"(?m)^(\s+)raise NotAttempted\(\)", loop, handed_out(source))


def _renamed(source: str) -> str:
    return re.sub(r"(?m)^(def|class) (\w+)", r"\1 my_\2", _without_markers(source))


DAMAGE = {"syntax_error": _syntax_error, "endless": _endless, "renamed": _renamed}


def _task(assignment: Assignment, name: str) -> str:
    if name != "any":
        if name not in assignment.tasks:
            known = ", ".join(assignment.tasks)
            raise ValueError(f"{assignment.name} has no task {name!r}; it has: {known}")
        return name
    free = [task for task in assignment.tasks if len(assignment.dependents(task)) == 1]
    return min(free, key=lambda task: len(assignment.tasks[task].tests))


def _named(assignment: Assignment, task: str, prefix: str) -> list[str]:
    return [p.stem for p in assignment.sources(task) if p.stem.startswith(prefix)]


def _nth(names: Sequence[str], number: int) -> str:
    return names[number % len(names)]


def _text(assignment: Assignment, task: str, variant: str) -> str:
    return (assignment.variants / task / f"{variant}.py").read_text(encoding="utf-8")


def _without_markers(source: str) -> str:
    lines = source.split("\n")
    return "\n".join(s for s in lines if BEGIN_SOLUTION not in s and END_SOLUTION not in s)


def hand_in(assignment: Assignment, student: Student, released: Path, submitted: Path) -> Path:
    """Writes a student's notebook: the released one with the student's cells."""
    notebook = nbformat.read(released / assignment.path.name, as_version=4)
    tests = {
        "edited": _tests_of(assignment, student.edited_tests, "test_"),
        "deleted": _tests_of(assignment, student.deleted_tests, ""),
    }
    kept = []
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in tests["deleted"]:
            continue
        if name in tests["edited"]:
            cell.source = "pass"
        elif name in student.answers:
            cell.source = student.answers[name]
        elif student.writes and name in {w.name for w in assignment.written}:
            cell.source = "An answer in words, for a person to grade."
        kept.append(cell)
    notebook.cells = kept
    folder = submitted / student.name / assignment.name
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / assignment.path.name)
    return folder


def _tests_of(assignment: Assignment, task: str | None, prefix: str) -> set[str]:
    tests = assignment.tasks[task].tests if task else ()
    return {test.name for test in tests if test.name.startswith(prefix)}


def strangers(grading: Path) -> list[str]:
    """Students known below `build/grading/` that are not of the sample class."""
    found = {path.name for path in (grading / "submitted").glob("*") if path.is_dir()}
    gradebook = grading / "gradebook.db"
    if gradebook.exists():
        connection = sqlite3.connect(gradebook)
        tables = connection.execute("select name from sqlite_master where name = 'student'")
        if tables.fetchone():
            found |= {row[0] for row in connection.execute("select id from student")}
        connection.close()
    return sorted(name for name in found if not name.startswith(PREFIX))


def prepare(root: Path, assignment: Assignment, students: Sequence[Student]) -> Config:
    """An empty gradebook that knows the assignment, and everybody's submission.

    Raises SystemExit where the gradebook holds students who are not samples.
    """
    config = course_config(root)
    grading = root / "build" / "grading"
    known = strangers(grading)
    if known:
        raise SystemExit(
            f"{grading} holds {len(known)} students who are not of the sample class, "
            f"{known[0]!r} for example.  The sample class is graded in an empty gradebook: "
            f"move {grading.name}/ elsewhere first."
        )
    for name in ("submitted", "autograded", "feedback", "release", "results", "rebuilt"):
        shutil.rmtree(grading / name, ignore_errors=True)
    (grading / "gradebook.db").unlink(missing_ok=True)
    released = generate(assignment.name, config, release=grading / "release", gradebook=True)
    for student in students:
        hand_in(assignment, student, released, grading / "submitted")
    return config


def mismatches(assignment: Assignment, student: Student, graded: Graded) -> list[str]:
    """Test cells whose recorded points are not those of the tables."""
    if graded.failure:
        return [f"{student.name}: nbgrader failed: {graded.failure.strip()}"]
    found = []
    for name, points in student.points.items():
        got = graded.points.get(name)
        if got is None or abs(got - points) > 1e-9:
            found.append(f"{student.name}: {name} was given {got}, the tables say {points:g}")
    for cell in assignment.written:
        waits = cell.name in graded.to_grade
        if waits != student.writes:
            said = "waits for a person" if waits else "was graded without a person"
            found.append(f"{student.name}: {cell.name} {said}")
    return found


def table(
    assignment: Assignment, students: Sequence[Student], results: Sequence[Graded]
) -> Iterator[str]:
    """One line a student: points of each task, total, predicted total, seconds."""
    names = [student.name for student in students]
    width = max(map(len, names))
    short = [f"{number}" for number in range(1, len(assignment.tasks) + 1)]
    for number, task in zip(short, assignment.tasks.values(), strict=True):
        yield f"task {number}: {task.name}, {task.points:g} points"
    head = "".join(f"{name:>6}" for name in short)
    yield f"{'student':<{width}}{head}  total  predicted  written  seconds  answers"
    for student, graded in zip(students, results, strict=True):
        parts = [
            sum(graded.points.get(test.name) or 0.0 for test in task.tests)
            for task in assignment.tasks.values()
        ]
        columns = "".join(f"{points:6g}" for points in parts)
        written = f"{len(graded.to_grade)} to do" if graded.to_grade else "-"
        yield (
            f"{student.name:<{width}}{columns}  {sum(parts):5g}  "
            f"{sum(student.points.values()):9g}  {written:>7}  {graded.seconds:7.1f}  "
            f"{student.says}"
        )


def write_feedback(
    config: Config, assignment: Assignment, students: Sequence[Student]
) -> list[str]:
    """One page for each student through nbgrader; returns what is missing or tells too much."""
    from nbgrader.converters import GenerateFeedback
    from nbgrader.coursedir import CourseDirectory

    from companion.grading import canaries
    from companion.grading.rebuild import read_source

    source, problems = read_source(assignment.path), []
    for student in students:
        course = CourseDirectory(config=config)
        course.assignment_id, course.student_id = assignment.name, student.name
        converter = GenerateFeedback(coursedir=course, config=config)
        converter.force = True
        converter.start()
        folder = Path(course.root) / course.feedback_directory / student.name / assignment.name
        files = sorted(path.name for path in folder.rglob("*") if path.is_file())
        if files != [f"{assignment.name}.html"]:
            problems.append(f"{student.name}: feedback consists of {files}")
            continue
        page = (folder / files[0]).read_text(encoding="utf-8")
        own = "\n".join(student.answers.values())
        leaked = canaries.leaks(page, source, own=own)
        problems += [f"{student.name}: the page shows {text!r}" for text in leaked]
    return problems


def export(root: Path, config: Config) -> Path:
    """Writes `build/grading/grades.csv` with nbgrader's own exporter."""
    from nbgrader.api import Gradebook
    from nbgrader.plugins import CsvExportPlugin

    path = root / "build" / "grading" / "grades.csv"
    exporter = CsvExportPlugin(config=config)
    exporter.to = str(path)
    with Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id) as gradebook:
        exporter.export(gradebook)
    return path


def run(root: Path, class_file: Path) -> list[str]:
    """Grades the class, prints its table, and returns what differs from the tables."""
    from nbgrader.api import Gradebook

    assignment, students = read_class(class_file, find(root))
    start = time.monotonic()
    config = prepare(root, assignment, students)
    print(f"{len(students)} submissions of {assignment.name}, two at a time", flush=True)
    run = grade_class(root, assignment.name, workers=2, seed=SEED)
    seconds = {result.student: result.seconds for result in run.results}
    course = config.CourseDirectory
    with Gradebook(course.db_url, course.course_id) as gradebook:
        results = [recorded(gradebook, assignment.name, s.name, seconds[s.name]) for s in students]
    print("\n".join(table(assignment, students, results)))
    problems = write_feedback(config, assignment, students)
    path = export(root, config)
    for student, graded in zip(students, results, strict=True):
        problems += mismatches(assignment, student, graded)
    total = time.monotonic() - start
    print(f"{total:.0f} s in all, {total / len(students):.1f} s a submission; sandbox: {run.tier}")
    print(f"grades: {path.relative_to(root)}   feedback: build/grading/feedback")
    return problems


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.classroom",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--class", dest="class_file", type=Path, default=CLASS)
    problems = run(ROOT, parser.parse_args(argv).class_file)
    print("\n".join(problems) or "every grade is what the tables predict")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
