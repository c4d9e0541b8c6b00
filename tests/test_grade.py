"""The sample class: assembled from the variants, graded as predicted."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from pathlib import Path

import nbformat
import pytest
import yaml

from tools import classroom
from tools._assignment import find
from tools.release import generate

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures_assignment"
ALL_KINDS = {
    "sample_reference": {"reference": True},
    "sample_right": {"right": 2},
    "sample_wrong": {"misconceptions": True},
    "sample_partly": {"attempted": 1},
    "sample_untouched": {"untouched": True},
    "sample_syntax_error": {"syntax_error": "any"},
    "sample_endless": {"endless": "any", "seconds_per_cell": 10},
    "sample_renamed": {"renamed": "moving_average"},
    "sample_edited": {"edited": "any"},
    "sample_deleted": {"deleted": "moving_average"},
}


@pytest.fixture
def course(tmp_path):
    """A private copy of the tiny assignment; (root, a function that writes a class file)."""
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)

    def class_of(**students):
        path = tmp_path / "class.yml"
        path.write_text(yaml.safe_dump({"assignment": "90_tiny", "students": students}))
        return path

    return tmp_path, class_of


def students_of(course, **entries):
    root, class_of = course
    assignment, students = classroom.read_class(class_of(**entries), find(root))
    return assignment, {student.name: student for student in students}


def test_grades_are_predicted_from_the_tables(course):
    _, students = students_of(course, **ALL_KINDS)
    totals = {name: sum(student.points.values()) for name, student in students.items()}
    assert totals["sample_reference"] == totals["sample_right"] == 6
    assert totals["sample_partly"] == totals["sample_syntax_error"] == totals["sample_endless"] == 3
    assert totals["sample_untouched"] == totals["sample_renamed"] == 0  # detrend needs the first
    assert students["sample_untouched"].writes is False
    assert len(students) >= 12


def test_every_misconception_is_handed_in_once(course):
    assignment, students = students_of(course, sample_wrong={"misconceptions": True})
    said = [name for student in students.values() for name in student.says.split(", ")]
    wrong = [
        path.stem.removeprefix("wrong_")
        for task in assignment.tasks
        for path in assignment.sources(task)
        if path.stem.startswith("wrong_")
    ]
    assert sorted(said) == sorted(wrong)
    assert all(", " not in student.says for student in students.values())  # one needs the other


def test_submissions_hold_what_the_student_did(course):
    root, _ = course
    assignment, students = students_of(course, **ALL_KINDS)
    released = generate("90_tiny", classroom.course_config(root), release=root / "release")
    text = {}
    for student in students.values():
        folder = classroom.hand_in(assignment, student, released, root / "submitted")
        notebook = nbformat.read(folder / "90_tiny.ipynb", as_version=4)
        text[student.name] = {
            cell.metadata.get("nbgrader", {}).get("grade_id"): cell.source
            for cell in notebook.cells
        }
    assert "BEGIN SOLUTION" not in str(text)
    assert "while True" in text["sample_endless"]["detrend"]
    assert "raise NotAttempted()" in text["sample_untouched"]["moving_average"]
    assert "def my_moving_average" in text["sample_renamed"]["moving_average"]
    assert text["sample_edited"]["test_detrend"] == "pass"
    assert "hidden_moving_average" not in text["sample_deleted"]
    with pytest.raises(SyntaxError):
        compile(text["sample_syntax_error"]["detrend"], "detrend", "exec")


@pytest.mark.parametrize(
    ("students", "complaint"),
    [
        ({"ada": {"reference": True}}, "must begin with 'sample_'"),
        ({"sample_a": {"guess": 1}}, "unknown kind of answer 'guess'"),
        ({"sample_a": {"endless": "no_such_task"}}, "has no task 'no_such_task'"),
        ({"sample_a": {}}, "expected one kind of answer"),
    ],
)
def test_class_file_is_checked(course, students, complaint):
    with pytest.raises(ValueError, match=complaint):
        students_of(course, **students)


def test_class_file_names_an_assignment_that_exists(course):
    root, class_of = course
    path = class_of()
    path.write_text("assignment: 91_none\nstudents: {}\n")
    with pytest.raises(ValueError, match="there is: 90_tiny"):
        classroom.read_class(path, find(root))


def test_a_real_gradebook_is_left_alone(course):
    root, _ = course
    assignment, students = students_of(course, sample_a={"reference": True})
    real = root / "build" / "grading" / "submitted" / "real_student"
    real.mkdir(parents=True)
    with pytest.raises(SystemExit, match="'real_student'"):
        classroom.prepare(root, assignment, list(students.values()))
    assert real.exists()


def test_a_grade_that_differs_is_named(course):
    assignment, students = students_of(course, sample_a={"reference": True})
    (student,) = students.values()
    right = classroom.Graded("sample_a", student.points, ("written_when",), 1.0)
    assert classroom.mismatches(assignment, student, right) == []
    points = {**student.points, "hidden_detrend": 0.0}
    (said,) = classroom.mismatches(assignment, student, dataclasses.replace(right, points=points))
    assert "hidden_detrend was given 0.0, the tables say 2" in said
    (said,) = classroom.mismatches(assignment, student, dataclasses.replace(right, to_grade=()))
    assert "was graded without a person" in said
    failed = dataclasses.replace(right, failure="log\n")
    assert classroom.mismatches(assignment, student, failed) == ["sample_a: nbgrader failed: log"]


@pytest.mark.slow
def test_tiny_class_end_to_end(course, capsys):
    root, class_of = course
    kinds = ("untouched", "deleted", "endless", "renamed")
    class_file = class_of(**{f"sample_{kind}": ALL_KINDS[f"sample_{kind}"] for kind in kinds})
    table = root / "tests" / "variants" / "90_tiny" / "moving_average" / "expect.yml"
    table.write_text(table.read_text().replace("wrong_causal: {fails: [", "wrong_causal: {fails: ["
                                               "test_moving_average_constant, "))  # fmt: skip
    problems = classroom.run(root, class_file)
    assert problems == [
        "sample_deleted: test_moving_average_constant was given 0.5, the tables say 0"
    ]
    printed = capsys.readouterr().out
    assert "s a submission" in printed and "endless: detrend" in printed
    pages = list((root / "build" / "grading" / "feedback").rglob("*.*"))
    assert sorted(page.suffix for page in pages) == [".html"] * 4
    with (root / "build" / "grading" / "grades.csv").open() as lines:
        rows = {row["student_id"]: float(row["score"]) for row in csv.DictReader(lines)}
    assert rows == {"sample_untouched": 0, "sample_deleted": 1.5, "sample_endless": 3,
                    "sample_renamed": 0}  # fmt: skip


def graded_copy(folder: Path, class_file: Path) -> list[str]:
    """Every difference between the grades of a class, in a copy of the course, and the tables."""
    for part in ("solutions", "tests/variants"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    _, students = classroom.read_class(class_file, find(folder))
    assert len(students) >= 12
    return classroom.run(folder, class_file)


@pytest.mark.slow
def test_sample_class_is_graded_as_predicted(tmp_path):
    """As `make grade`, with two students for the misconceptions instead of one for each."""
    table = yaml.safe_load(classroom.CLASS.read_text(encoding="utf-8"))
    table["students"]["sample_wrong"] = {"misconceptions": 2}
    class_file = tmp_path / "class.yml"
    class_file.write_text(yaml.safe_dump(table))
    assert graded_copy(tmp_path, class_file) == []


@pytest.mark.full
def test_every_misconception_is_graded_as_predicted(tmp_path):
    assert graded_copy(tmp_path, classroom.CLASS) == []
