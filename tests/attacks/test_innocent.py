"""Odd but right answers keep their points, and a class with every odd file in it is graded."""

from __future__ import annotations

import json
import time

import pytest

from companion.grading import results, sandbox
from tests.attacks.bank import QUESTIONS, TESTS, grade_id, notebook
from tests.attacks.innocent import INNOCENTS
from tests.attacks.lab import grade
from tests.attacks.odd_files import ODD_FILES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", INNOCENTS, ids=[case.name for case in INNOCENTS])
def test_innocent_keeps_its_points(case, lab, worker_of):
    _keeps_its_points(case, lab, worker_of(sandbox.best()))


@pytest.mark.full
@pytest.mark.parametrize("tier", [tier for tier in sandbox.TIERS if tier != "none"])
@pytest.mark.parametrize("case", INNOCENTS, ids=[case.name for case in INNOCENTS])
def test_innocent_keeps_its_points_in_every_tier(case, tier, lab, worker_of):
    _keeps_its_points(case, lab, worker_of(tier))


def _keeps_its_points(case, lab, worker) -> None:
    folder = lab.new_folder()
    made = case.edit(notebook(case.answers, case.extra))
    (folder / "target.ipynb").write_text(json.dumps(made), encoding="utf-8")
    result = grade(worker, folder)
    bad = [(c.grade_id, c.status, c.message, c.details) for c in result.cells if c.status != "ok"]
    assert result.status == results.OK and not bad, (result.message, bad, result.notes)
    assert result.score == result.max_score == 12.0


@pytest.mark.parametrize("name", ODD_FILES)
def test_odd_file_has_its_status(name, lab, worker_of):
    make, status, points = ODD_FILES[name]
    folder = lab.new_folder()
    make(folder)
    start = time.monotonic()
    result = grade(worker_of(sandbox.best()), folder)
    assert (result.status, time.monotonic() - start < 20) == (status, True), result.message
    assert points is None or result.score == points, result.cells
    assert result.score <= result.max_score == 12.0
    if status == results.MALFORMED:
        assert result.message and {cell.status for cell in result.cells} == {status}


def test_marks_on_the_wrong_cells_gain_nothing(lab, worker_of):
    """An answer marked as a test, a test as an answer, and points written by the student."""
    made = notebook({name: "pass" for name in QUESTIONS})
    for cell in made["cells"]:
        settings = cell["metadata"].get("nbgrader", {})
        if grade_id(cell) in QUESTIONS:
            settings |= {"grade": True, "solution": False, "points": 100, "locked": True}
        elif settings.get("grade"):
            settings |= {"grade": False, "solution": True}
            cell["source"] = "100"
    folder = lab.new_folder()
    (folder / "target.ipynb").write_text(json.dumps(made), encoding="utf-8")
    result = grade(worker_of(sandbox.best()), folder)
    assert result.score == 0 and result.max_score == 12, result.cells
    assert set(result.points()) == {test for name in QUESTIONS for test in TESTS[name]}
