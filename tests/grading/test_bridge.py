"""nbgrader's commands, gradebook and formgrader, with points that were decided elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.plugins import CsvExportPlugin, LateSubmissionPlugin
from nbgrader.server_extensions.formgrader import handlers
from traitlets.config.loader import PyFileConfigLoader

from companion.grading import bridge, results
from companion.grading.bridge import GradebookWriter
from companion.grading.clean import rebuilt_notebook
from companion.grading.rebuild import read_source, rebuild
from companion.grading.results import CellResult, Result
from companion.grading.submission import Malformed, find_notebook, read_notebook
from companion.grading.worker import Job, failed
from companion.workspace import CourseError
from tools.release import course_config, generate

ROOT = Path(__file__).resolve().parents[2]
NAME = "90_tiny"
POINTS = {
    "test_moving_average": 1.0,
    "test_moving_average_constant": 0.5,
    "hidden_moving_average": 1.5,
    "test_detrend": 1.0,
    "hidden_detrend": 2.0,
}
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # within nbgrader


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    root = tmp_path_factory.mktemp("template")
    shutil.copytree(ROOT / "tests" / "fixtures_assignment", root, dirs_exist_ok=True)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    generate(NAME, course_config(root))
    return root


@pytest.fixture
def course(template, tmp_path):
    """A course with the tiny assignment in its gradebook."""
    return Path(shutil.copytree(template, tmp_path / "course"))


def source(course):
    return course / "solutions" / NAME / f"{NAME}.ipynb"


def solved(course):
    """The notebook of `solutions/`, as a student hands it in."""
    return nbformat.read(source(course), as_version=4)


def hand_in(course, student, notebook=None, *, name=f"{NAME}.ipynb", **files):
    folder = course / "build" / "grading" / "submitted" / student / NAME
    folder.mkdir(parents=True)
    if notebook is not None:
        nbformat.write(notebook, folder / name)
    for file, text in files.items():
        (folder / f"{file}.txt").write_text(text)
    return folder


def judged(course, student, submission, **changes):
    """What a worker would say where everything attempted is right; `changes` replace cells."""
    plan = rebuild(NAME, read_source(source(course)), submission)
    cells = []
    for question in plan.questions:
        for test in question.tests:
            status = results.OK if question.attempted else results.NOT_ATTEMPTED
            points = test.points if question.attempted else 0.0
            cell = CellResult(test.name, status, points, test.points, question=question.name)
            cell = replace(cell, is_hidden=test.name.startswith("hidden"))
            cells.append(replace(cell, **changes.get(test.name, {})))
    written = tuple(answer.name for answer in plan.written if answer.attempted)
    return Result(NAME, student, "landlock", 0, tuple(cells), plan.notes, written=written), plan


@pytest.fixture
def record(course, tmp_path):
    """Enters the solved notebook of a student; fields of the result can be changed."""

    def enter(student, *, result=None, notebook=None, **changes):
        path = tmp_path / f"{student}.ipynb"
        nbformat.write(solved(course) if notebook is None else notebook, path)
        found, plan = judged(course, student, read_notebook(path), **changes)
        nbformat.write(rebuilt_notebook(source(course), plan), path)
        with GradebookWriter(course) as writer:
            writer.record(result or found, path)
        return results.write(result or found, course / "build" / "grading" / "results")

    return enter


class Judge:
    """In the place of a worker process."""

    def __init__(self, course):
        self.course, self.changes, self.asked = course, {}, []
        self.limits, self.reference = {}, {}  # the last limits; changes to the reference's result

    def ask(self, job):
        if job["student"] == "reference":
            submission = read_notebook(source(self.course))
            return judged(self.course, "reference", submission, **self.reference)[0]
        self.asked.append(job["student"])
        self.limits = job["limits"]
        status = self.changes.get("status")
        if status:
            return failed(Job(**job), "landlock", status, "the runtime did not start")
        try:
            submission = read_notebook(find_notebook(Path(job["folder"]), NAME)[0])
        except Malformed as error:
            return failed(Job(**job), "landlock", results.MALFORMED, str(error))
        result, plan = judged(self.course, job["student"], submission, **self.changes)
        rebuilt = Path(job["rebuilt"])
        rebuilt.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(rebuilt_notebook(source(self.course), plan), rebuilt)
        return result


@pytest.fixture
def judge(course, monkeypatch):
    made = Judge(course)
    monkeypatch.setattr(bridge.sandbox, "probe", lambda: {"landlock": "", "none": ""})
    monkeypatch.setattr(bridge, "_clients", {"landlock": made})
    return made


def api(course):
    """What the formgrader's buttons call, and what the command line does for one student."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    return NbGraderAPI(config=config)


def grades(course, student):
    """Grade id -> (auto score, manual score, needs a person), and solution id -> comment."""
    with Gradebook(f"sqlite:///{course}/build/grading/gradebook.db") as book:
        notebook = book.find_submission_notebook(NAME, NAME, student)
        found = {
            g.name: (g.auto_score, g.manual_score, g.needs_manual_grade) for g in notebook.grades
        }
        return found, {comment.name: comment.comment for comment in notebook.comments}


def autograded(course, student):
    return course / "build" / "grading" / "autograded" / student / NAME


def outputs(course, student):
    notebook = nbformat.read(autograded(course, student) / f"{NAME}.ipynb", as_version=4)
    nbformat.validate(notebook)
    return {
        cell.metadata.nbgrader.grade_id: "".join(output.text for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.outputs
    }


# --- the gradebook writer


def test_verified_points_reach_gradebook_and_formgrader(course, record):
    wrong = dict(status=results.WRONG, points=0.0, message="off by 0.5", where=("detrend", 3, "x"))
    notebook = solved(course)
    notebook.cells[-1].source = "YOUR ANSWER HERE"
    record("ada", hidden_detrend=wrong)
    record("ben", notebook=notebook)
    found, _ = grades(course, "ada")
    expected = {name: (points, None, False) for name, points in POINTS.items()}
    assert found == expected | {
        "hidden_detrend": (0.0, None, False),
        "written_when": (None, None, True),
    }
    found, comments = grades(course, "ben")
    assert found == expected | {"written_when": (0.0, None, False)}
    assert comments == {"moving_average": None, "detrend": None, "written_when": "No response."}
    shown = outputs(course, "ada")
    assert set(shown) == set(POINTS)
    assert shown["test_detrend"].startswith("ok: 1 of 1 points")
    assert "off by 0.5\nin detrend, line 3: x" in shown["hidden_detrend"]
    assert [path.name for path in autograded(course, "ada").iterdir()] == [f"{NAME}.ipynb"]
    assert not (course / "build" / "grading" / "staging").exists()


def test_partial_credit_comes_with_its_reason(course, record):
    part = dict(status=results.WRONG, points=0.25, message="partial credit: near", hint="near")
    record("ada", test_moving_average_constant=part, hidden_detrend=part)
    found, comments = grades(course, "ada")
    assert found["test_moving_average_constant"] == (0.25, None, False)
    assert comments["moving_average"] == "0.25 of 0.5 points: partial credit: near"
    assert comments["detrend"] == "0.25 of 2 points in a hidden test"
    assert "partial credit: near" in outputs(course, "ada")["hidden_detrend"]


def test_what_a_person_entered_survives_a_regrade(course, record):
    record("ada")
    with Gradebook(f"sqlite:///{course}/build/grading/gradebook.db") as book:
        notebook = book.find_submission_notebook(NAME, NAME, "ada")
        for grade in notebook.grades:
            if grade.name in ("written_when", "test_detrend"):
                grade.manual_score, grade.needs_manual_grade = 0.75, False
        notebook.comments[0].manual_comment = "Well put."
        kept = notebook.comments[0].name
        book.db.commit()
    record("ada", hidden_detrend=dict(points=0.0, status=results.WRONG))
    found, comments = grades(course, "ada")
    assert found["test_detrend"] == (1.0, 0.75, True)
    assert found["written_when"] == (None, 0.75, True)
    assert found["hidden_detrend"] == (0.0, None, False)
    assert comments[kept] == "Well put."


@pytest.mark.parametrize(
    "status, score, comment",
    [
        (results.MALFORMED, 0.0, "The notebook could not be read: it is empty"),
        (results.INFRASTRUCTURE, None, "Not graded yet."),
    ],
)
def test_a_person_looks_at_what_was_not_graded(course, record, status, score, comment):
    job = Job(NAME, "ada", str(source(course)), "/nowhere")
    record("ada")
    record("ada", result=failed(job, "landlock", status, "it is empty"))
    found, comments = grades(course, "ada")
    assert {name: found[name] for name in POINTS} == dict.fromkeys(POINTS, (score, None, True))
    assert comments["detrend"] == comment
    has_page = status == results.MALFORMED  # of a failed grading nothing is shown, as in nbgrader
    assert autograded(course, "ada").exists() == has_page
    if has_page:  # and of what was read before, nothing
        assert "half = width // 2" not in (autograded(course, "ada") / f"{NAME}.ipynb").read_text()
        assert "it is empty" in outputs(course, "ada")["test_detrend"]


class TenPercent(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 0.1 * score


def test_late_penalties_and_exports_work_as_before(course, record, tmp_path):
    database = course / "build" / "grading" / "gradebook.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE assignment SET duedate = '2026-01-01 00:00:00.000000'")
    with open(course / "nbgrader_config.py", "a") as config:
        config.write(f"\nc.AssignLatePenalties.plugin_class = '{__name__}.TenPercent'\n")
    hand_in(course, "late", solved(course), timestamp="2026-01-02 00:00:00 UTC", data="1, 2")
    hand_in(course, "early", solved(course), timestamp="2025-12-31 00:00:00 UTC")
    record("late")
    record("early")
    assert {path.name for path in autograded(course, "late").iterdir()} == {
        f"{NAME}.ipynb",
        "timestamp.txt",
    }
    with Gradebook(f"sqlite:///{database}") as book:
        CsvExportPlugin(to=str(tmp_path / "grades.csv")).export(book)
    rows = (tmp_path / "grades.csv").read_text().splitlines()
    scores = {row.split(",")[3]: row.split(",")[-4:] for row in rows}
    assert [float(x) for x in scores["late"]] == pytest.approx([6.0, 0.6, 5.4, 8.0])
    assert [float(x) for x in scores["early"]] == [6.0, 0.0, 6.0, 8.0]
    pages = []
    for student in ("late", "early"):
        assert api(course).generate_feedback(NAME, student)["success"]
        folder = course / "build" / "grading" / "feedback" / student / NAME
        pages.append((folder / f"{NAME}.html").read_text())
    assert "5.4 of 8 points" in pages[0] and "0.6 points are taken off" in pages[0]
    assert "6 of 8 points" in pages[1] and "taken off" not in pages[1]


@pytest.mark.parametrize("student", ["O'Brien [x] *", "{name}", "-v", "名"])
def test_any_name_of_a_folder_is_a_student(course, record, student):
    record(student)
    assert grades(course, student)[0]["test_detrend"] == (1.0, None, False)
    assert set(outputs(course, student)) == set(POINTS)


def test_an_assignment_that_the_gradebook_lacks_is_named(course, tmp_path):
    with GradebookWriter(course) as writer:
        with pytest.raises(CourseError, match="run: nbgrader generate_assignment 91_more"):
            writer.record(Result("91_more", "ada", "none", 0), tmp_path)


def test_a_gradebook_of_another_version_is_left_alone(course):
    database = course / "build" / "grading" / "gradebook.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '167914646830'")
    before = database.read_bytes()
    with pytest.raises(CourseError, match="nbgrader db upgrade") as caught:
        GradebookWriter(course)
    assert "\n" not in str(caught.value) and database.read_bytes() == before


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])  # no writing; no reading either
def test_a_gradebook_that_is_held_by_another_program_is_one_line(course, record, lock):
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text().replace("timeout=60", "timeout=0.1"))
    record("ada")
    with sqlite3.connect(course / "build" / "grading" / "gradebook.db") as connection:
        connection.execute(f"BEGIN {lock}")
        with pytest.raises(CourseError, match="database is locked") as caught:
            record("ben")
    assert "\n" not in str(caught.value)


# --- nbgrader autograde and the formgrader's button


def test_autograde_asks_the_worker_and_ignores_what_a_notebook_claims(course, judge):
    notebook = solved(course)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "100"})]
    hand_in(course, "ada", notebook, data="1, 2", timestamp="2026-01-01 00:00:00 UTC")
    judge.changes = {"hidden_detrend": dict(status=results.TIMEOUT, points=0.0, message="30 s")}
    assert api(course).autograde(NAME, "ada")["success"]
    found, _ = grades(course, "ada")
    assert found["hidden_detrend"] == (0.0, None, False) and found["test_detrend"][0] == 1.0
    assert "30 s" in outputs(course, "ada")["hidden_detrend"]
    assert "100" not in (autograded(course, "ada") / f"{NAME}.ipynb").read_text()
    kept = results.read(course / "build" / "grading" / "results" / NAME / "ada.json")
    assert kept.points() == POINTS | {"hidden_detrend": 0.0}
    assert {path.name for path in autograded(course, "ada").iterdir()} == {
        f"{NAME}.ipynb",
        "timestamp.txt",
    }


def test_the_reference_sets_the_limits_or_nothing_is_graded(course, judge):
    hand_in(course, "ada", solved(course))
    judge.reference = {"hidden_detrend": dict(status=results.ERROR, points=0.0, message="broken")}
    found = api(course).autograde(NAME, "ada")
    assert not found["success"] and judge.asked == []
    assert "the reference solution of 90_tiny misses 1 test cells, hidden_detrend" in found["log"]
    judge.reference = {"hidden_detrend": dict(seconds=2.0), "test_detrend": dict(seconds=99.0)}
    assert api(course).autograde(NAME, "ada")["success"]
    assert judge.limits["hidden_detrend"] == 20.0 and judge.limits["test_detrend"] == 180.0
    assert judge.limits["test_moving_average"] == 10.0


@pytest.mark.filterwarnings("ignore::nbformat.warnings.DuplicateCellId")  # made so on purpose
def test_a_hostile_folder_delivers_nothing_and_does_not_stop_the_class(course, judge, tmp_path):
    grading = course / "build" / "grading"
    linked = hand_in(course, "a_linked", solved(course), timestamp="yesterday")
    (linked / "data.csv").symlink_to(grading / "gradebook.db")
    (linked / "folder").symlink_to(course)
    (linked / "deep").mkdir()
    (linked / "deep" / "more").symlink_to(grading / "gradebook.db")
    os.mkfifo(linked / "pipe")
    (hand_in(course, "b_only_a_link") / f"{NAME}.ipynb").symlink_to(source(course))
    (hand_in(course, "c_broken") / f"{NAME}.ipynb").write_text('{"cells": [')
    (hand_in(course, "d_future") / f"{NAME}.ipynb").write_text(
        source(course).read_text().replace('"schema_version": 3', '"schema_version": 99')
    )
    copied = solved(course)
    copied.cells += copied.cells[2:5]
    hand_in(course, "e_copied", copied)
    hand_in(course, "f_renamed", solved(course), name="my homework.ipynb")
    hand_in(course, "g_pdf", report="no notebook")
    folder = grading / "submitted" / "h_whole_link"
    folder.mkdir()
    (folder / NAME).symlink_to(linked)
    hand_in(course, "i_last", solved(course))

    config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    log = NbGraderAPI(config=config).autograde(NAME, "*")
    assert log["success"], log
    full = {name: (points, None, False) for name, points in POINTS.items()}
    none = dict.fromkeys(POINTS, (0.0, None, True))
    for student in ("a_linked", "d_future", "e_copied", "f_renamed", "i_last"):
        assert {name: grades(course, student)[0][name] for name in POINTS} == full, student
    for student in ("b_only_a_link", "c_broken", "h_whole_link"):
        assert {name: grades(course, student)[0][name] for name in POINTS} == none, student
        assert "could not be read" in grades(course, student)[1]["detrend"]
    assert {path.name for path in autograded(course, "a_linked").iterdir()} == {f"{NAME}.ipynb"}
    assert {path.name for path in linked.rglob("*")} == {f"{NAME}.ipynb", "deep"}
    quarantine = grading / "quarantine" / "a_linked" / NAME
    assert (quarantine / "data.csv").is_symlink() and (quarantine / "timestamp.txt").is_file()


def test_an_exchange_keeps_what_it_needs_to_hand_feedback_back(course, judge):
    hand_in(course, "ada", solved(course), timestamp="2026-01-01 00:00:00 UTC",
            submission_secret="5eed")  # fmt: skip
    api(course).autograde(NAME, "ada")
    assert (autograded(course, "ada") / "submission_secret.txt").read_text() == "5eed"


def test_where_the_grader_fails_the_class_goes_on_and_the_command_does_not_end_well(course, judge):
    hand_in(course, "ada", solved(course))
    judge.changes = {"status": results.INFRASTRUCTURE}
    found = api(course).autograde(NAME, "ada")
    assert not found["success"] and "ada was not graded: the runtime did not start" in found["log"]
    assert set(grades(course, "ada")[0].values()) == {(None, None, True)}
    judge.changes = {}
    assert api(course).autograde(NAME, "ada", force=False)["success"]
    assert grades(course, "ada")[0]["test_detrend"] == (1.0, None, False)


def test_without_a_sandbox_nothing_runs_unless_asked_for(course, judge, monkeypatch):
    monkeypatch.delenv("COMPANION_GRADING_UNSAFE", raising=False)
    monkeypatch.setattr(bridge.sandbox, "probe", lambda: {"landlock": "no kernel", "none": ""})
    monkeypatch.setattr(bridge, "_clients", {"none": judge})
    hand_in(course, "ada", solved(course))
    found = api(course).autograde(NAME, "ada")
    assert not found["success"] and judge.asked == []
    (line,) = [line for line in found["log"].splitlines() if "ERROR" in line]
    assert "nothing was graded" in line and "landlock: no kernel" in line and "bubblewrap" in line
    monkeypatch.setenv("COMPANION_GRADING_UNSAFE", "1")
    assert api(course).autograde(NAME, "ada")["success"] and judge.asked == ["ada"]


# --- feedback and the formgrader's page


def test_feedback_is_the_page_alone(course, record, judge):
    hand_in(course, "ada", solved(course), timestamp="2026-01-01 00:00:00 UTC")
    wrong = dict(status=results.WRONG, points=0.0, category="value", details="wave 77123",
                 message="The trend is local.", hint="The trend is local.")  # fmt: skip
    record("ada", hidden_detrend=wrong)
    (autograded(course, "ada") / "other.txt").write_text("no")
    with Gradebook(f"sqlite:///{course}/build/grading/gradebook.db") as book:
        notebook = book.find_submission_notebook(NAME, NAME, "ada")
        (grade,) = [grade for grade in notebook.grades if grade.name == "written_when"]
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        (comment,) = [comment for comment in notebook.comments if comment.name == "written_when"]
        comment.manual_comment = "Steps, yes."
        book.db.commit()
    found = api(course).generate_feedback(NAME, "ada")
    assert found["success"], found
    folder = course / "build" / "grading" / "feedback" / "ada" / NAME
    assert {path.name for path in folder.iterdir()} == {f"{NAME}.html", "timestamp.txt"}
    page = (folder / f"{NAME}.html").read_text()
    assert "5.5 of 8 points" in page and "Steps, yes." in page
    assert "77123" not in page and "randn" not in page and "<script" not in page


def test_feedback_without_a_result_says_what_to_run(course, record):
    record("ada").unlink()
    found = api(course).generate_feedback(NAME, "ada")
    assert not found["success"] and f"nbgrader autograde {NAME} --force" in found["log"]


def test_the_formgrader_runs_nothing_of_a_student(course, record):
    notebook = solved(course)
    attack = (
        "<script>alert(1)</script>\n\n**b** <img src=x onerror=alert(2)>\n\n"
        "[l](javascript:alert(3))\n\n"
        '<a href="javascript:alert(5)" onclick="alert(6)">m</a>'
    )
    notebook.cells[-1].source = attack
    said = dict(status=results.WRONG, points=0.0, message="<script>alert(4)</script>")
    record("ada", notebook=notebook, test_detrend=said)
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    names = dict(index=0, total=1, base_url="", notebook_id=NAME, student="ada", last_name="")
    page, _ = HTMLExporter(config=config).from_filename(
        str(autograded(course, "ada") / f"{NAME}.ipynb"),
        resources=names | dict(first_name="", notebook_path="", submission_id="s"),
    )
    assert "alert(1)" in page and "<script>alert" not in page
    assert "<img src=x" not in page and 'href="javascript' not in page
    assert "<a>l</a>" in page and 'onclick="alert' not in page
    assert "<strong>b</strong>" in page and "<summary>Hint</summary>" in page


# --- for real


@pytest.mark.slow
def test_the_command_line_from_submission_to_export(course):
    hand_in(course, "right", solved(course), name="renamed.ipynb")
    untouched = nbformat.read(course / "assignments" / NAME / f"{NAME}.ipynb", as_version=4)
    hand_in(course, "untouched", untouched)
    (hand_in(course, "broken") / f"{NAME}.ipynb").write_text("{")
    for step in (["autograde", NAME], ["generate_feedback", NAME], ["export"]):
        environment = os.environ | {"PYTHONPATH": str(ROOT), "COMPANION_GRADING_UNSAFE": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *step],
            cwd=course, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    rows = (course / "grades.csv").read_text().splitlines()
    scores = {row.split(",")[3]: row.split(",")[-4] for row in rows[1:]}
    assert scores == {"right": "6.0", "untouched": "0.0", "broken": "0.0"}
    kept = course / "build" / "grading" / "results" / NAME
    assert json.loads((kept / "right.json").read_text())["score"] == 6.0
    pages = course / "build" / "grading" / "feedback"
    assert {path.name for path in pages.rglob("*") if path.is_file()} == {f"{NAME}.html"}
