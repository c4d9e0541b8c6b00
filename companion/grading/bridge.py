"""Grading outside of the student's process, as parts of nbgrader.

`nbgrader_config.py` puts these in the place of what executes and scores in nbgrader.  Its command
line, formgrader, gradebook, late penalties, feedback and exporters stay as they are.

A worker grades what was handed in and makes of it the notebook of `solutions/` with the student's
answers (`SubmissionExporter`), the verdicts are shown in it (`GradeOutside`), and the verified
points go to the gradebook (`SaveVerified`).  `GradebookWriter` does the same for results that the
class runner has already.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
import shutil
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import bleach
import nbformat
import nbgrader.api
import sqlalchemy
from alembic.script import ScriptDirectory
from nbconvert.exporters import HTMLExporter, NotebookExporter
from nbconvert.exporters.exporter import Exporter
from nbconvert.filters import markdown2html
from nbgrader.api import Gradebook, InvalidEntry, MissingEntry, SubmittedNotebook
from nbgrader.converters import Autograde
from nbgrader.converters.base import BaseConverter, NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.dbutil import ALEMBIC_DIR
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution, parse_utc
from sqlalchemy.exc import SAWarning
from traitlets import Bool, Integer, Unicode, default
from traitlets.config.loader import PyFileConfigLoader

from companion.grading import results, sandbox
from companion.grading.clean import rebuilt_notebook
from companion.grading.client import WorkerClient
from companion.grading.feedback import Book
from companion.grading.rebuild import read_source, rebuild
from companion.grading.reference import draw_seed, reference_limits
from companion.grading.results import CellResult, Result
from companion.workspace import CourseError

# What nbgrader's exchange adds to a notebook, and needs again to hand feedback back.
EXCHANGE_FILES = ("timestamp.txt", "submission_secret.txt")
MAX_EXCHANGE_BYTES = 1000
CHECK = "nbgrader.preprocessors.CheckCellMetadata"

log = logging.getLogger(__name__)

# Results by (assignment, student), on their way to GradeOutside.
_known: dict[tuple[str, str], Result] = {}
_clients: dict[str, WorkerClient] = {}


class GraderFailed(RuntimeError):
    """The grader failed, not the submission; nothing was scored."""


# --- reading a submission


def clear_submission(*, assignment: str, student: str, notebooks: list[str]) -> None:
    """Takes out of a submitted folder what nbgrader must not copy; its `pre_convert_hook`.

    Links, sockets, pipes and devices, and notes of the exchange that are none, are moved to
    `build/grading/quarantine/`.  Then `notebooks` names one file, which need not exist:
    `SubmissionExporter` reads the folder itself.
    """
    folder = Path(notebooks[0]).parent
    quarantine = folder.parents[2] / "quarantine" / folder.parent.name / folder.name
    notebooks[:] = [str(folder / f"{folder.name}.ipynb")]
    for path in list(_unwanted(folder)):
        log.warning("%s is not what a submission may hold and was moved to %s", path, quarantine)
        target = quarantine / path.relative_to(folder)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)  # the link itself, never what it points to
        except OSError:
            path.unlink()


def _unwanted(folder: Path) -> Iterator[Path]:
    if folder.is_symlink():
        yield folder
        return
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                yield path
    for name in EXCHANGE_FILES:
        path = folder / name
        if path.is_file() and not path.is_symlink() and _exchange_text(path) is None:
            yield path


def _exchange_text(path: Path) -> str | None:
    """What nbgrader's exchange wrote there, or None where it did not write this."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            text = file.read(MAX_EXCHANGE_BYTES + 1).decode()
        if path.name == "timestamp.txt" and text.strip():
            parse_utc(text.strip())
    except (OSError, ValueError, OverflowError):
        return None
    return text if len(text) <= MAX_EXCHANGE_BYTES else None


class SubmissionExporter(NotebookExporter):
    """Has a worker grade what was handed in, whatever it is, and gives the clean notebook.

    This process opens no notebook of a student.  Where one could not be read, or the grader failed,
    the clean one holds no answers.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grader = GradeOutside(parent=self)
        self.grader.chosen_tier()  # refuses before anything is graded

    def from_filename(
        self, filename: str, resources: dict[str, Any] | None = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        course, names = self.parent.coursedir, resources["nbgrader"]
        destination = _folder(course, course.autograded_directory, names)
        if Path(filename).parent == destination:
            return super().from_filename(filename, resources=resources, **kwargs)
        _keep_exchange_files(destination)
        source = _source(course, names["assignment"])
        rebuilt = _grading(course) / "rebuilt" / names["student"] / names["assignment"]
        result = self.grader.grade(
            {
                "assignment": names["assignment"],
                "student": names["student"],
                "source": str(source),
                "folder": os.path.abspath(os.path.dirname(filename)),
                "rebuilt": str(rebuilt / source.name),
                "seed": self.grader.seed,
                "limits": self.grader.limits(source, _grading(course) / "reference"),
            }
        )
        results.write(result, _grading(course) / "results")
        _known[names["assignment"], names["student"]] = result
        if result.status == results.OK:
            notebook = nbformat.read(rebuilt / source.name, as_version=4)
        else:
            notebook = _unanswered(source)
        return self.from_notebook_node(notebook, resources, **kwargs)


def _unanswered(source: Path) -> Any:
    plan = rebuild(source.stem, read_source(source), {"cells": []})
    return rebuilt_notebook(source, plan)


def _folder(course: CourseDirectory, step: str, names: dict[str, str]) -> Path:
    return Path(course.format_path(step, names["student"], names["assignment"]))


def _source(course: CourseDirectory, assignment: str) -> Path:
    folder = course.format_path(course.source_directory, ".", assignment)
    return Path(os.path.abspath(folder)) / f"{assignment}.ipynb"


def _grading(course: CourseDirectory) -> Path:
    return Path(course.root) / "build" / "grading"


def _keep_exchange_files(folder: Path) -> None:
    """Deletes everything else in a folder that nbgrader filled."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in EXCHANGE_FILES or _exchange_text(path) is None:
            path.unlink()


# --- grading and saving


class GradeOutside(NbGraderPreprocessor):
    """Knows the sandbox and the worker, and shows under each test cell what was found."""

    tier = Unicode(help="sandbox; empty for the best that this machine offers").tag(config=True)
    allow_unsafe = Bool(
        help="whether submissions may run without a sandbox, with all rights of the grader"
    ).tag(config=True)

    seed = Integer(
        help="random numbers of students' code and hidden tests; by default drawn once a process"
    ).tag(config=True)

    @default("seed")
    def _seed_default(self) -> int:
        return _seed_of_this_process()

    @default("allow_unsafe")
    def _allow_unsafe_default(self) -> bool:
        return os.environ.get("COMPANION_GRADING_UNSAFE") == "1"

    def chosen_tier(self) -> str:
        """The sandbox for submissions.  Raises NbGraderException where there is none."""
        reasons = sandbox.probe()
        usable = [tier for tier, reason in reasons.items() if not reason]
        chosen = self.tier or (usable[0] if usable else "none")
        if chosen in usable and (chosen != "none" or self.allow_unsafe):
            return chosen
        why = "; ".join(f"{tier}: {reason}" for tier, reason in reasons.items() if reason)
        message = (
            f"nothing was graded: the sandbox {chosen!r} is not enough or not usable here ({why}). "
            "Installing the package bubblewrap usually helps; c.GradeOutside.allow_unsafe = True "
            "or COMPANION_GRADING_UNSAFE=1 grades files of people you trust without a sandbox."
        )
        self.log.error(message)
        raise NbGraderException(message)

    def grade(self, job: dict[str, Any]) -> Result:
        """Asks a worker, which stays for the next submission."""
        tier = self.chosen_tier()
        if tier not in _clients:
            _clients[tier] = WorkerClient(0, tier)
            atexit.register(_clients[tier].close)
        return _clients[tier].ask(job)

    def limits(self, source: Path, folder: Path) -> dict[str, float]:
        """Seconds of test cells.  Raises NbGraderException where the reference is not right."""
        try:
            return reference_limits(source, self.chosen_tier(), folder, self.grade, self.seed)
        except CourseError as error:
            self.log.error("%s", error)
            raise NbGraderException(str(error)) from error

    def preprocess(self, nb: Any, resources: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        names = resources["nbgrader"]
        result = _known.pop((names["assignment"], names["student"]))
        resources["verified"] = result
        verdicts = {cell.grade_id: cell for cell in result.cells}
        remarks = "".join(f"\n{note}" for note in result.notes)
        for cell in nb.cells:
            if cell.cell_type == "code" and is_grade(cell):
                verdict = verdicts.get(cell.metadata.nbgrader.grade_id)
                text = (_shown(verdict) if verdict else "no result for this cell") + remarks
                output = {"output_type": "stream", "name": "stdout", "text": text}
                cell.outputs = [nbformat.from_dict(output)]
                remarks = ""
        return nb, resources


@functools.cache
def _seed_of_this_process() -> int:
    seed = draw_seed()
    log.info("the seed of this run is %d; c.GradeOutside.seed = %d repeats it", seed, seed)
    return seed


def _shown(cell: CellResult) -> str:
    """All that is known about a test cell, for the instructor."""
    lines = [f"{cell.status}: {cell.points:g} of {cell.max_points:g} points, {cell.seconds:.2f} s"]
    lines += dict.fromkeys(text for text in (cell.message, cell.details, cell.hint) if text)
    if cell.where:
        where, number, text = cell.where
        lines.append(f"in {where}, line {number}: {text}")
    return "\n".join(lines)


class SaveVerified(SaveAutoGrades):
    """Saves the verified points, and why some are missing where a comment has room for it.

    Manual scores and comments stay.  A notebook that could not be read gives no points and waits
    for a person, since the upload may be what broke it.  Where the grader failed, no score is
    saved and GraderFailed is raised.
    """

    def preprocess(self, nb: Any, resources: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        names, result = resources["nbgrader"], resources["verified"]
        with Gradebook(names["db_url"]) as gradebook:
            notebook = gradebook.find_submission_notebook(
                names["notebook"], names["assignment"], names["student"]
            )
            self._save(nb, notebook, result)
            gradebook.db.commit()
        if result.status == results.INFRASTRUCTURE:
            raise GraderFailed(f"{names['student']} was not graded: {result.message}")
        return nb, resources

    def _save(self, nb: Any, notebook: SubmittedNotebook, result: Result) -> None:
        source = notebook.notebook
        kept = [*source.grade_cells, *source.solution_cells]  # else each name below is a query
        grades = {grade.name: grade for grade in notebook.grades}
        comments = {comment.name: comment for comment in notebook.comments}
        for cell in nb.cells:
            if is_grade(cell):
                grade = grades[cell.metadata.nbgrader.grade_id]
                grade.auto_score = _score(cell, result)
                grade.needs_manual_grade = (
                    grade.auto_score is None
                    or grade.manual_score is not None
                    or result.status == results.MALFORMED
                )
            if is_solution(cell):
                name = cell.metadata.nbgrader.grade_id
                comments[name].auto_comment = _comment(cell, name, result)
        del kept


def _score(cell: Any, result: Result) -> float | None:
    """Points of a test cell or a written answer; None where a person decides."""
    if result.status == results.INFRASTRUCTURE:
        return None
    if is_solution(cell):
        return determine_grade(cell)[0]
    return result.points().get(cell.metadata.nbgrader.grade_id)


def _comment(cell: Any, name: str, result: Result) -> str | None:
    if result.status == results.MALFORMED:
        return f"The notebook could not be read: {result.message}"
    if result.status == results.INFRASTRUCTURE:
        return "Not graded yet."
    reasons = [
        f"{test.points:g} of {test.max_points:g} points"
        # What a hidden test says may come from the student's process.
        + (" in a hidden test" if test.is_hidden else f": {test.message}")
        for test in result.cells
        if test.question == name and 0 < test.points < test.max_points
    ]
    if cell.metadata.nbgrader.get("checksum") == compute_checksum(cell):
        return "No response."
    return "\n".join(reasons) or None


# --- results that are there already


class GradebookWriter:
    """The one writer of a class run: results and clean notebooks go through nbgrader's Autograde.

    For one process and one thread.
    """

    def __init__(self, root: Path) -> None:
        """Raises CourseError where the gradebook is of another version of nbgrader."""
        self.root = Path(root).resolve()
        self.staging = self.root / "build" / "grading" / "staging"
        config = PyFileConfigLoader("nbgrader_config.py", path=str(self.root)).load_config()
        self.submitted = config.CourseDirectory.submitted_directory
        config.CourseDirectory.submitted_directory = str(self.staging.relative_to(self.root))
        config.Autograde.exporter_class = NotebookExporter
        # The clean notebook is ours and valid, and needs no second pass.
        config.Autograde.sanitize_preprocessors = [
            name for name in config.Autograde.autograde_preprocessors if name != CHECK
        ]
        config.Autograde.force = True
        config.Exporter.optimistic_validation = True
        quiet = logging.getLogger(f"{__name__}.nbgrader")
        quiet.setLevel(logging.ERROR)
        self.course = CourseDirectory(config=config, log=quiet)
        self.converter = _Recorder(self.course, config=config, log=quiet)
        self._assignments: set[str] = set()
        # An engine keeps the SQL that it compiled.
        self._engine = functools.cache(sqlalchemy.create_engine)
        self._has_tables = False
        with _in_one_line():
            _check_version(self.course.db_url)

    def __enter__(self) -> GradebookWriter:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.staging, ignore_errors=True)

    def record(self, result: Result, rebuilt: Path) -> None:
        """Enters a result, and the notebook `rebuilt` as the student's in `autograded/`.

        Where the notebook could not be read, or the grader failed, `rebuilt` need not exist.
        Raises CourseError where the assignment is not in the gradebook, or it cannot be written.
        """
        with _in_one_line(), self._quick():
            self._record(result, rebuilt)

    def book(self, result: Result) -> Book:
        """What the gradebook says beyond a result that was entered."""
        names = {"db_url": self.course.db_url, "assignment": result.assignment,
                 "notebook": result.assignment, "student": result.student}  # fmt: skip
        with _in_one_line(), self._quick():
            return _book(names)

    @contextlib.contextmanager
    def _quick(self) -> Iterator[None]:
        """Saves what nbgrader repeats at every step: a new engine, a look for each table."""
        with (
            mock.patch.object(nbgrader.api, "create_engine", self._engine),
            mock.patch.object(nbgrader.api.Base.metadata, "create_all", self._create_once),
        ):
            yield

    def _create_once(self, bind: sqlalchemy.Engine) -> None:
        if not self._has_tables:
            type(nbgrader.api.Base.metadata).create_all(nbgrader.api.Base.metadata, bind)
            self._has_tables = True

    def _record(self, result: Result, rebuilt: Path) -> None:
        self._require(result.assignment)
        folder = self.staging / result.student / result.assignment
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        clean = folder / f"{result.assignment}.ipynb"
        if result.status == results.OK:
            shutil.copyfile(rebuilt, clean)
        else:
            nbformat.write(_unanswered(_source(self.course, result.assignment)), clean)
        handed_in = self.root / self.submitted / result.student / result.assignment
        for name in EXCHANGE_FILES:
            text = _exchange_text(handed_in / name)
            if text is not None:
                (folder / name).write_text(text)
        _known[result.assignment, result.student] = result
        try:
            with warnings.catch_warnings():
                # nbgrader 0.9.6 adds rows outside of a session, which is harmless.
                warnings.simplefilter("ignore", SAWarning)
                self.converter.record(result.assignment, result.student)
        except GraderFailed:
            pass  # saved as not graded; the result itself tells the caller
        finally:
            _known.pop((result.assignment, result.student), None)
            shutil.rmtree(folder.parent)

    def _require(self, assignment: str) -> None:
        if assignment in self._assignments:
            return
        with Gradebook(self.course.db_url, self.course.course_id) as gradebook:
            try:
                gradebook.find_notebook(assignment, assignment)
            except MissingEntry:
                raise CourseError(
                    f"{assignment} is not in the gradebook; "
                    f"run: nbgrader generate_assignment {assignment}"
                ) from None
        self._assignments.add(assignment)


class _Recorder(Autograde):
    """nbgrader's own steps for one submission; what goes wrong is raised as it is."""

    def record(self, assignment: str, student: str) -> None:
        self.names = (assignment, student)
        self.start()

    def init_notebooks(self) -> None:
        assignment, _ = self.names
        self.notebooks = [os.path.join(self._format_source(*self.names), f"{assignment}.ipynb")]

    def convert_notebooks(self) -> None:
        self.init_destination(*self.names)
        try:
            self.init_assignment(*self.names)
            self._init_preprocessors()
            for notebook in self.notebooks:
                BaseConverter.convert_single_notebook(self, notebook)
            self.set_permissions(*self.names)
        except BaseException:
            shutil.rmtree(self._format_dest(*self.names), ignore_errors=True)
            raise


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except (sqlalchemy.exc.OperationalError, InvalidEntry) as error:
        what = str(error).splitlines()[0]
        raise CourseError(
            f"the gradebook cannot be used ({what}). Usual reason: another program holds it, "
            "or the disk is full. Results that are written already stay; grade again."
        ) from error


def _check_version(url: str) -> None:
    engine, here = sqlalchemy.create_engine(url), _database_version()
    with engine.connect() as connection:
        is_empty = not sqlalchemy.inspect(connection).has_table("alembic_version")
        query = sqlalchemy.text("SELECT version_num FROM alembic_version")
        found = here if is_empty else connection.scalar(query)  # nbgrader fills an empty one
    engine.dispose()
    if found != here:
        raise CourseError(
            f"the gradebook is of another version of nbgrader ({found}, here {here}); "
            "copy it, then run: nbgrader db upgrade"
        )


@functools.cache
def _database_version() -> str | None:
    return ScriptDirectory(ALEMBIC_DIR).get_current_head()


# --- feedback and the formgrader's page


class FeedbackExporter(HTMLExporter):
    """The student's page, made from the verified result; nothing else reaches `feedback/`."""

    def from_notebook_node(
        self, nb: Any, resources: dict[str, Any] | None = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        from companion.grading import canaries, feedback

        notebook, resources = Exporter.from_notebook_node(self, nb, resources, **kwargs)
        course, names = self.parent.coursedir, resources["nbgrader"]
        _keep_exchange_files(_folder(course, course.feedback_directory, names))
        path = _grading(course) / "results" / names["assignment"] / f"{names['student']}.json"
        if not path.is_file():
            raise NbGraderException(
                f"{names['student']} has no result for {names['assignment']}; "
                f"run: nbgrader autograde {names['assignment']} --force"
            )
        page = feedback.html_page(results.read(path), notebook, _book(names))
        cells = notebook.cells
        own = [
            cell.source for cell in cells if is_solution(cell) or "nbgrader" not in cell.metadata
        ]
        source = read_source(_source(course, names["assignment"]))
        canaries.check(page, source, own="\n".join(own))
        return page, resources


def _book(names: dict[str, str]) -> Book:
    """What the gradebook says beyond the result, as it stands there."""
    with Gradebook(names["db_url"]) as gradebook:
        notebook = gradebook.find_submission_notebook(
            names["notebook"], names["assignment"], names["student"]
        )
        scores = {
            grade.name: grade.score
            for grade in notebook.grades
            if grade.auto_score is not None or grade.manual_score is not None
        }
        # What stands in automatic comments, the page says by itself.
        comments = {comment.name: comment.manual_comment or "" for comment in notebook.comments}
        penalty = notebook.late_submission_penalty or 0.0
    manual = {name: (scores.get(name), comments.get(name, "")) for name in scores | comments}
    return Book(manual, penalty)


_TAGS = (
    "a abbr b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i li ol p pre "
    "span strong sub summary sup table tbody td th thead tr ul"
).split()


def safe_markdown(source: str) -> str:
    """HTML of Markdown without anything that could run: the formgrader shows students' answers."""
    attributes = {"a": ["href", "title"], "*": ["class", "id"]}
    return bleach.clean(markdown2html(source), tags=_TAGS, attributes=attributes)
