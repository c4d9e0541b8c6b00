"""A class run: whom it grades, what it refuses, what it says.  Workers are stood in for."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from notebooks import cell, hidden, notebook, solution, write

from companion.grading import bridge, feedback, results, run, sandbox
from companion.grading.clean import rebuilt_notebook
from companion.grading.rebuild import read_source, rebuild
from companion.grading.results import CellResult, Result
from companion.workspace import CourseError

SECRET = "secret_total = sum(number * number for number in range(173, 1731))"
SOURCE = notebook(
    cell("from companion.checks import *", "setup"),
    cell("# 1  Double", kind="markdown"),
    solution("double", "def double(x):", "return 2 * x"),
    cell("same(call('double', 2), 4)", "test_double", points=1),
    hidden(
        f"{SECRET}\nsame(call('double', 173), secret_total, hint='Not twice.')", "hidden_double", 2
    ),
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class StandIn:
    """A worker that gives everybody full points, `seconds` a test, or what `fates` says."""

    fates: dict = {}
    seconds = 3.0
    asked: list = []

    def __init__(self, number, tier):
        self.tier = tier

    def start(self):
        pass

    def close(self):
        pass

    def grade(self, job):
        self.asked.append(job)
        fate = self.fates.get(job.student, results.OK)
        if isinstance(fate, Exception):
            raise fate
        cells = tuple(
            CellResult(name, fate, most if fate == results.OK else 0.0, most, self.seconds,
                       "said", "double", is_hidden=name == "hidden_double")
            for name, most in (("test_double", 1.0), ("hidden_double", 2.0))
        )  # fmt: skip
        failed = fate in (results.INFRASTRUCTURE, results.MALFORMED)
        if job.rebuilt and not failed:
            import nbformat

            source = run.Path(job.source)
            plan = rebuild(job.assignment, read_source(source), {"cells": []})
            run.Path(job.rebuilt).parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(rebuilt_notebook(source, plan), job.rebuilt)
        status, message = (fate, "why") if failed else (results.OK, "")
        return Result(job.assignment, job.student, self.tier, job.seed, cells, seconds=6.0,
                      status=status, message=message)  # fmt: skip


class Book:
    recorded: list = []

    def __init__(self, root):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def record(self, result, rebuilt):
        self.recorded.append(result.student)

    def book(self, result):
        return feedback.Book()


@pytest.fixture
def course(tmp_path, monkeypatch):
    write(tmp_path / "solutions" / "small", "small", SOURCE)
    for student in ("eve", "ada", "bob"):
        write(tmp_path / "build" / "grading" / "submitted" / student / "small", "small", SOURCE)
    monkeypatch.setattr(run, "WorkerClient", StandIn)
    monkeypatch.setattr(bridge, "GradebookWriter", Book)
    monkeypatch.setattr(run, "_enter_into_gradebook", lambda *_: None)
    monkeypatch.setattr(run, "choose_tier", lambda required: required or "bubblewrap")
    monkeypatch.setattr(StandIn, "fates", {})
    monkeypatch.setattr(StandIn, "asked", [])
    monkeypatch.setattr(Book, "recorded", [])
    return tmp_path


def test_everybody_is_graded_and_told(course):
    shown = Terminal()
    done = run.grade_class(course, "small", seed=5, show=shown)
    assert [r.student for r in done.results] == ["ada", "bob", "eve"] and done.is_complete
    assert sorted(Book.recorded) == ["ada", "bob", "eve"]
    stored = json.loads((course / "build/grading/results/small/ada.json").read_text())
    assert {"assignment", "student", "tier", "seed", "score", "max_score", "cells", "notes",
            "versions"} <= set(stored)  # fmt: skip
    assert stored["seed"] == 5 and stored["score"] == 3
    assert (course / "build/grading/results/small/ada.md").read_text().startswith("# ")
    assert "3/3" in shown.getvalue() and "s left" in shown.getvalue()
    lines = "\n".join(run.table(done))
    assert "ada" in lines and "3/3" in lines and "a minute; sandbox: bubblewrap" in lines


def test_each_run_draws_a_seed_says_it_and_can_be_repeated(course):
    first, second = (run.grade_class(course, "small", show=io.StringIO()) for _ in range(2))
    assert first.seed != second.seed  # the same by chance once in 10⁹ times
    for done in (first, second):
        assert {result.seed for result in done.results} == {done.seed}
        assert f"--seed {done.seed}" in "\n".join(run.table(done))
    seeds = [job.seed for job in StandIn.asked]
    assert seeds == [first.seed] * (len(seeds) // 2) + [second.seed] * (len(seeds) // 2)
    again = run.grade_class(course, "small", seed=second.seed, show=io.StringIO())
    assert sorted(job.student for job in StandIn.asked[len(seeds) :]) == ["ada", "bob", "eve"]
    assert again.seed == second.seed


def test_the_reference_gives_the_limits_and_is_kept(course):
    run.grade_class(course, "small", seed=1, show=io.StringIO())
    assert [job.student for job in StandIn.asked][0] == "reference"
    assert StandIn.asked[1].limits == {"test_double": 30.0, "hidden_double": 30.0}
    run.grade_class(course, "small", seed=1, show=io.StringIO())
    assert [job.student for job in StandIn.asked].count("reference") == 1
    write(course / "solutions" / "small", "small", notebook(*SOURCE["cells"], cell("1")))
    run.grade_class(course, "small", seed=1, show=io.StringIO())
    assert [job.student for job in StandIn.asked].count("reference") == 2


@pytest.mark.parametrize(("seconds", "limit"), [(0.01, 10.0), (5.0, 50.0), (99.0, 180.0)])
def test_limits_stay_within_bounds(course, monkeypatch, seconds, limit):
    monkeypatch.setattr(StandIn, "seconds", seconds)
    run.grade_class(course, "small", students=("ada",), show=io.StringIO())
    assert StandIn.asked[-1].limits["test_double"] == limit


def test_only_some_are_graded_and_a_stranger_is_named(course):
    done = run.grade_class(course, "small", students=("bob", "zoe"), show=io.StringIO())
    assert [r.student for r in done.results] == ["bob"]
    assert done.problems == ("zoe: nothing was handed in",) and not done.is_complete
    assert "zoe: nothing was handed in" in "\n".join(run.table(done))


def test_a_failure_of_the_grader_makes_the_run_incomplete(course):
    StandIn.fates = {"ada": results.INFRASTRUCTURE, "eve": results.MALFORMED}
    done = run.grade_class(course, "small", show=io.StringIO())
    assert not done.is_complete and len(done.results) == 3
    assert "infrastructure: why" in "\n".join(run.table(done))
    assert not (course / "build/grading/results/small/eve.md").exists()
    StandIn.fates = {"eve": results.MALFORMED}
    assert run.grade_class(course, "small", show=io.StringIO()).is_complete


def test_a_page_that_would_tell_too_much_is_not_written(course, monkeypatch):
    grade = StandIn.grade

    def tells(self, job):
        result = grade(self, job)
        return replace(result, notes=(SECRET,))

    monkeypatch.setattr(StandIn, "grade", tells)
    done = run.grade_class(course, "small", students=("ada",), show=io.StringIO())
    assert "ada: no feedback was written" in done.problems[0] and not done.is_complete
    assert "1731" not in done.problems[0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"assignment": "large"}, "no assignment 'large'"),
        ({"students": ("zoe",)}, "nothing was handed in for small"),
        ({"workers": 0}, "0 workers; at least one"),
    ],
)
def test_what_cannot_be_graded_is_refused_in_one_line(course, change, says):
    settings = {"assignment": "small", "show": io.StringIO()} | change
    with pytest.raises(CourseError, match=says):
        run.grade_class(course, settings.pop("assignment"), **settings)


def test_nothing_is_graded_where_the_reference_misses_a_point(course):
    StandIn.fates = {"reference": results.WRONG}
    with pytest.raises(CourseError, match="misses 2 test cells, test_double first .wrong: said"):
        run.grade_class(course, "small", show=io.StringIO())
    assert [job.student for job in StandIn.asked] == ["reference"]


def test_an_error_in_a_worker_thread_is_raised(course):
    StandIn.fates = {"ada": RuntimeError("lost")}
    with pytest.raises(RuntimeError, match="lost"):
        run.grade_class(course, "small", show=io.StringIO())


@pytest.mark.parametrize(
    ("reasons", "required", "tier"),
    [
        (["", "", "", ""], None, "bubblewrap"),
        (["no bwrap", "", "", ""], None, "namespace"),
        (["a", "b", "", ""], None, "landlock"),
        (["a", "b", "c", ""], "none", "none"),
        (["a", "b", "c", ""], None, "required is 'landlock' .bubblewrap: a; namespace: b"),
        (["a", "", "", ""], "bubblewrap", "this machine is 'namespace'"),
        (["a", "b", "c", "d"], None, "is 'no tier'"),
        (["", "", "", ""], "vault", "no tier 'vault'"),
    ],
)
def test_the_best_tier_is_chosen_and_a_weaker_one_refused(monkeypatch, reasons, required, tier):
    found = dict(zip(sandbox.TIERS, reasons, strict=True))
    monkeypatch.setattr(sandbox, "_probed", found.get)
    if tier in sandbox.TIERS:
        assert run.choose_tier(required) == tier
    else:
        with pytest.raises(CourseError, match=tier):
            run.choose_tier(required)
