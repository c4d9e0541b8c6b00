"""The stand-in scores as nbgrader does, and nbgrader stops where a class holds one odd notebook."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys

import pytest

from tests.attacks.bank import TARGET, TESTS, grade_id, notebook
from tests.attacks.cases import CASES

pytestmark = pytest.mark.full

COMPARED = ("comparison_rebound", "expected_value_in_frames", "number_equal_to_everything")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course of nbgrader's own with the target as its only assignment."""
    root = tmp_path_factory.mktemp("course")
    (root / "nbgrader_config.py").write_text(
        "c = get_config()\n"
        f"c.CourseDirectory.root = {str(root)!r}\n"
        "c.ClearSolutions.code_stub = {'python': 'raise NotAttempted()'}\n"
    )
    (root / "source" / "target").mkdir(parents=True)
    (root / "source" / "target" / TARGET.name).write_bytes(TARGET.read_bytes())
    _nbgrader(root, "generate_assignment", "target")
    return root


def _nbgrader(root, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _hand_in(root, student: str, made: dict) -> None:
    folder = root / "submitted" / student / "target"
    folder.mkdir(parents=True)
    (folder / TARGET.name).write_text(json.dumps(made))


def _scores(root, student: str) -> dict[str, float]:
    with sqlite3.connect(root / "gradebook.db") as gradebook:
        rows = gradebook.execute(
            "select base_cell.name, grade.auto_score from grade"
            " join base_cell on base_cell.id = grade.cell_id"
            " join submitted_notebook on submitted_notebook.id = grade.notebook_id"
            " join submitted_assignment as sheet on sheet.id = submitted_notebook.assignment_id"
            " where sheet.student_id = ?",
            (student,),
        ).fetchall()
    return {name: score for name, score in rows if score is not None}


@pytest.mark.parametrize("name", COMPARED)
def test_stand_in_scores_as_nbgrader_does(name, course, lab):
    case = next(case for case in CASES if case.name == name)
    made = notebook(case.answers, case.extra, lab.fill_in)
    student = name.replace("_", "-")
    _hand_in(course, student, made)
    said = _nbgrader(course, "autograde", "target", "--student", student)
    theirs = _scores(course, student)
    assert theirs, said.stderr[-2000:]
    assert theirs == lab.stock(case).points
    assert all(theirs[TESTS[question][1]] == 2.0 for question in case.questions)


def test_nbgrader_stops_the_class_at_a_future_notebook(course):
    """What the grader must not do: see `schema_99` in odd_files.py, which gets its points."""
    future = notebook({})
    for cell in future["cells"]:
        if grade_id(cell):
            cell["metadata"]["nbgrader"]["schema_version"] = 99
    _hand_in(course, "y-future", future)
    _hand_in(course, "z-after", notebook({}))
    said = _nbgrader(course, "autograde", "target")
    assert said.returncode != 0 and "use an newer version" in said.stderr, said.stderr[-2000:]
    assert not _scores(course, "z-after")
    _nbgrader(course, "autograde", "target", "--student", "z-after")
    assert sum(_scores(course, "z-after").values()) == 12.0
