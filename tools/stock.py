"""Grades as nbgrader does by itself: every cell of a notebook in one kernel, verdicts included.

It is what the grader of this course is compared with.  For trusted files: nothing is sandboxed.
"""

from __future__ import annotations

import copy
import os
import time
import warnings
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from nbformat.warnings import MissingIDFieldWarning
from nbgrader.api import Gradebook
from sqlalchemy.exc import SAWarning

from tools._assignment import ROOT
from tools._runner import ONE_THREAD
from tools.release import course_config


@dataclass(frozen=True)
class Graded:
    """What nbgrader recorded for one student."""

    name: str
    points: Mapping[str, float | None]
    to_grade: tuple[str, ...]
    seconds: float
    failure: str = ""


def grade_with_nbgrader(
    root: Path, assignment: str, students: Mapping[str, int | None], *, workers: int = 2
) -> dict[str, Graded]:
    """Grades what `students` handed in below `root/build/grading/submitted`, and writes feedback.

    `students` gives each name its seconds for a cell, None for nbgrader's own limit.
    """
    with nbgrader_processes(root, workers) as pool:
        futures = {
            name: pool.submit(grade_one, assignment, name, seconds_per_cell=students[name])
            for name in sorted(students, key=lambda name: students[name] is None)
        }
        return {name: futures[name].result() for name in students}


def nbgrader_processes(root: Path, workers: int) -> ProcessPoolExecutor:
    """Processes in which `grade_one` can run, for the course in `root`."""
    return ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start_worker, initargs=(root,)
    )


def _start_worker(root: Path) -> None:
    os.environ.update(ONE_THREAD)
    os.environ["COMPANION_PREDICTIONS"] = "off"
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    # nbgrader 0.9.6 adds rows outside of a session and cells without an id; both are harmless.
    warnings.filterwarnings("ignore", category=SAWarning)
    warnings.filterwarnings("ignore", category=MissingIDFieldWarning)
    global _config
    _config = course_config(root)
    # The course's settings put its own grader in nbgrader's place.
    for trait in ("pre_convert_hook", "exporter_class", "sanitize_preprocessors",
                  "autograde_preprocessors"):  # fmt: skip
        _config.Autograde.pop(trait, None)
    for trait in ("exporter_class", "preprocessors"):
        _config.GenerateFeedback.pop(trait, None)
    # nbclient's own argument, and no line about TCP for every kernel.
    _config.Execute.extra_arguments = [
        "--HistoryManager.hist_file=:memory:",
        "--IPKernelApp.log_level=40",
    ]


def grade_one(
    assignment: str, student: str, *, seconds_per_cell: int | None = None, feedback: bool = True
) -> Graded:
    """Autograde, and feedback unless told otherwise, of one student; in one of the processes."""
    from nbgrader.converters import Autograde, GenerateFeedback
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.utils import capture_log

    start = time.monotonic()
    config = copy.deepcopy(_config)
    if seconds_per_cell is not None:
        config.Execute.timeout = seconds_per_cell
    for attempt in range(2):
        course = CourseDirectory(config=config)
        course.assignment_id, course.student_id = assignment, student
        failure = ""
        for converter in (Autograde, GenerateFeedback)[: 1 + feedback]:
            run = converter(coursedir=course, config=config)
            run.force = True
            outcome = capture_log(run)
            if not outcome["success"]:
                failure = f"{outcome.get('log', '')}\n{outcome.get('error', '')}"
                break
        if not failure:
            break
        if attempt:
            return Graded(student, {}, (), time.monotonic() - start, failure=failure)
        # A kernel that died is no grade: once more, with twice the time.
        config.Execute.timeout *= 2
    with Gradebook(course.db_url, course.course_id) as gradebook:
        return recorded(gradebook, assignment, student, time.monotonic() - start)


def recorded(gradebook: Gradebook, assignment: str, student: str, seconds: float) -> Graded:
    """What the gradebook holds of one submission."""
    (notebook,) = gradebook.find_submission(assignment, student).notebooks
    points = {grade.name: grade.auto_score for grade in notebook.grades}
    to_grade = tuple(grade.name for grade in notebook.grades if grade.needs_manual_grade)
    return Graded(student, points, to_grade, seconds)
