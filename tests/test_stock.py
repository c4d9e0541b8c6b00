"""Every variant is given the same points by this grader and by nbgrader alone, cell by cell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from companion.grading import results, sandbox
from companion.grading.worker import Job
from tools import classroom
from tools._assignment import Assignment, find
from tools._runner import ONE_THREAD
from tools.classroom import Student
from tools.stock import grade_with_nbgrader

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 300  # for each cell, on both sides: one variant is slow on purpose
N_SAMPLED = 4  # students of the assignment that is only sampled, beside those with right answers


def class_of(root: Path, n_wrong: int | bool) -> tuple[Assignment, list[Student]]:
    """Students who hand in every right variant, and every wrong one or the first `n_wrong`."""
    (assignment,) = find(root)
    n_right = max(
        sum(path.stem.startswith("right_") for path in assignment.sources(task))
        for task in assignment.tasks
    )
    students = {f"sample_right_{n}": {"right": n} for n in range(1, n_right + 1)}
    students["sample_wrong"] = {"misconceptions": n_wrong}
    path = root / "class.yml"
    path.write_text(yaml.safe_dump({"assignment": assignment.name, "students": students}))
    return classroom.read_class(path, [assignment])


def graded_here(assignment: Assignment, students: Sequence[Student], root: Path) -> dict:
    """Points by test cell, by student, from a worker of the grader."""
    submitted = root / "build" / "grading" / "submitted"
    jobs = [
        Job(assignment.name, student.name, str(assignment.path),
            str(submitted / student.name / assignment.name),
            cell_seconds=SECONDS, test_seconds=SECONDS)
        for student in students
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "companion.grading.worker", "0", sandbox.best()],
        input="".join(json.dumps(asdict(job)) + "\n" for job in jobs),
        stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=os.environ | ONE_THREAD,
    )  # fmt: skip
    graded = [results.from_dict(json.loads(line)) for line in done.stdout.splitlines()]
    assert [result.status for result in graded] == [results.OK] * len(students)
    return {result.student: result.points() for result in graded}


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "n_wrong"),
    [
        ("90_tiny", True),
        ("01_foundations", N_SAMPLED),
        ("02_architecture", True),
        ("03_regularization", True),
        ("04_self_supervision", N_SAMPLED),
        ("05_compression", N_SAMPLED),
        ("06_explanation", N_SAMPLED),
    ],  # fmt: skip
)
def test_stock_nbgrader_gives_the_same_points(name, n_wrong, tmp_path):
    origin = ROOT / "tests" / "fixtures_assignment" if name == "90_tiny" else ROOT
    for part in ("solutions", "tests/variants"):
        shutil.copytree(origin / part / name, tmp_path / part / name)
    assignment, students = class_of(tmp_path, n_wrong)
    classroom.prepare(tmp_path, assignment, students)
    here = graded_here(assignment, students, tmp_path)
    stock = grade_with_nbgrader(tmp_path, assignment.name, {s.name: SECONDS for s in students})
    assert {name: graded.failure for name, graded in stock.items() if graded.failure} == {}
    differences = [
        f"{student.name} ({student.says}), {cell}: {here[student.name][cell]:g} here, "
        f"{stock[student.name].points[cell]} from nbgrader"
        for student in students
        for cell in student.points
        if here[student.name][cell] != stock[student.name].points[cell]
    ]
    assert differences == []
    for student in students:
        assert here[student.name] == student.points, student.says
