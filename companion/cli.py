"""The command `companion`: a reader's copies, self-checks, hand-in, and the machine's health."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from companion import __version__
from companion.workspace import (
    COURSE_ID,
    Course,
    CourseError,
    is_attempted,
    read_notebook,
    reset,
    solution_cells,
    source,
    start,
    update,
)

FINE, WRONG, UNUSABLE = 0, 1, 2  # exit statuses


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0: fine, 1: something is wrong or unsolved, 2: the command cannot run."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows console may know fewer characters
            stream.reconfigure(errors="replace")
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `companion ... | head` reads no further
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except CourseError as error:
        print(f"companion: {error}", file=sys.stderr)
    except OSError as error:
        print(f"companion: {error.strerror or error}: {error.filename}", file=sys.stderr)
    except KeyboardInterrupt:
        print("companion: stopped", file=sys.stderr)
    return UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="companion", description="The command of the course Learning Is Compression."
    )
    parser.add_argument("--version", action="version", version=f"companion {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, run: Callable[[argparse.Namespace], int], says: str):
        command = commands.add_parser(name, help=says, description=f"{says}.")
        command.set_defaults(run=run)
        return command

    add("doctor", _doctor, "say what this machine has and what to do about each problem")
    add("start", _start, "copy chapters and assignments into work/ where they are missing")
    one = "an assignment, such as 02_architecture or 02"
    command = add("check", _check, "run an assignment's visible tests on your notebook")
    command.add_argument("name", help=one)
    command = add("submit", _submit, "hand in your notebook of an assignment")
    command.add_argument("name", help=one)
    command = add("reset", _reset, "put an original back; your version is kept beside it")
    command.add_argument("name", help=one)
    which = command.add_mutually_exclusive_group()
    which.add_argument("--task", help="only this task of the assignment")
    which.add_argument("--chapter", action="store_true", help="the chapter of that name instead")
    add("update", _update, "refresh unedited copies, put new versions beside edited ones")
    command = add("solution", _solution, "show a task's worked answer, after an attempt")
    command.add_argument("name", help=one)
    command.add_argument("task", help="the task, as `companion check` names it")
    command = add("grade", _grade, "grade what was handed in (instructors)")
    command.add_argument("name", help=one)
    command.add_argument("--students", metavar="A,B", help="these students alone")
    command.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), metavar="N",
                         help="processes that grade at the same time")  # fmt: skip
    command.add_argument(
        "--seed",
        type=int,
        metavar="S",
        help="random numbers of the students' code and of the hidden tests; "
        "without it, one that nobody can guess",
    )
    command.add_argument(
        "--require-tier",
        metavar="TIER",
        help="bubblewrap, namespace, landlock or none: refuse a weaker sandbox",
    )
    return parser


def _doctor(options: argparse.Namespace) -> int:
    from companion import doctor

    findings = doctor.examine()
    print(f"companion {__version__}, {sys.executable}")
    print(doctor.render(findings))
    return WRONG if any(finding.state == "problem" for finding in findings) else FINE


def _start(options: argparse.Namespace) -> int:
    course = Course.find()
    lines = start(course)
    print("\n".join(lines) if lines else "nothing is missing in work/")
    return FINE


def _update(options: argparse.Namespace) -> int:
    lines = update(Course.find())
    print("\n".join(lines) if lines else "work/ is as new as the course")
    return FINE


def _reset(options: argparse.Namespace) -> int:
    course = Course.find()
    if options.chapter:
        name = course.chapter(options.name)
        original, copy = course.chapters / f"{name}.ipynb", course.work / "course" / f"{name}.ipynb"
    else:
        name = course.assignment(options.name)
        original = course.released(name)
        copy = course.work / "assignments" / name / original.name
    if options.task is not None:
        copy = course.copy(name)
    kept = reset(course, original, copy, task=options.task)
    what = f"task {options.task} of {name}" if options.task else name
    print(f"{what} is as it was handed out" + (f"; your version is {kept.name}" if kept else ""))
    return FINE


def _check(options: argparse.Namespace) -> int:
    from companion import selfcheck

    course = Course.find()
    name = course.assignment(options.name)
    path = course.copy(name)
    student, released = read_notebook(path), read_notebook(course.released(name))
    print(f"running {name} and its visible tests ...", flush=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    executed = selfcheck.run(selfcheck.rebuild(student, released), path.parent)
    reports = selfcheck.report(executed, student, released)
    width = max((len(report.task) for report in reports), default=0)
    for report in reports:
        points = f"{report.points:g} / {report.max_points:g}" if report.max_points else ""
        if report.status == "written":
            points = "read by the instructor"
        print(f"{report.task:<{width}}  {report.status:<13}  {points}".rstrip())
        for message in report.messages:
            print("    " + message.replace("\n", "\n    "))
    earned, visible = (sum(r.points for r in reports), sum(r.max_points for r in reports))
    hidden = sum(report.hidden_points for report in reports)
    print(f"visible tests: {earned:g} of {visible:g} points", end="")
    print(f"; hidden tests decide {hidden:g} more when it is graded" if hidden else "")
    return FINE if all(r.status in ("passed", "written") for r in reports) else WRONG


def _submit(options: argparse.Namespace) -> int:
    course = Course.find()
    name = course.assignment(options.name)
    notebook = course.copy(name)
    answers = solution_cells(read_notebook(notebook))
    stubs = solution_cells(read_notebook(course.released(name)))
    missing = [
        task
        for task, stub in stubs.items()
        if task not in answers or not is_attempted(source(answers[task]), source(stub))
    ]
    if os.name == "nt":
        raise CourseError(f"nbgrader's exchange does not run on Windows: hand in {notebook} itself")
    inbound = _exchange_folders(course, name)
    with tempfile.TemporaryDirectory() as staging:
        folder = Path(staging) / name
        folder.mkdir()
        # Only what was handed out goes back: kept and new versions beside it stay at home.
        for original, copy in course.originals():
            if original.is_relative_to(course.assignments / name) and copy.exists():
                place = folder / copy.relative_to(course.work / "assignments" / name)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(copy, place)
        handed_in = _hand_in(course, name, Path(staging))
    place = inbound / handed_in
    print(f"handed in: {place.relative_to(course.root) if course.root in place.parents else place}")
    if missing:
        print(f"not attempted: {', '.join(missing)}; you may hand in again, the latest one counts")
    return FINE


def _exchange_root(course: Course) -> Path:
    """Where hand-ins meet: `c.Exchange.root` of nbgrader_config.py, else a folder of one's own."""
    if not (course.root / "nbgrader_config.py").is_file():
        return course.exchange
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader("nbgrader_config.py", path=str(course.root)).load_config()
    return Path(config.get("Exchange", {}).get("root", course.exchange))


def _exchange_folders(course: Course, name: str) -> Path:
    """Makes nbgrader's exchange folders for one assignment; returns the one for submissions."""
    exchange = _exchange_root(course)
    inbound = exchange / COURSE_ID / "inbound"
    inbound.mkdir(parents=True, exist_ok=True)
    outbound = exchange / COURSE_ID / "outbound" / name
    shutil.copytree(course.assignments / name, outbound, dirs_exist_ok=True)
    return inbound


def _hand_in(course: Course, name: str, staging: Path) -> str:
    """Runs nbgrader's own submission; returns the name of the folder it made."""
    from nbgrader.auth import Authenticator
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange import ExchangeError
    from nbgrader.exchange.default import ExchangeSubmit
    from traitlets.config import Config

    config = Config()
    config.CourseDirectory.course_id = COURSE_ID
    config.CourseDirectory.assignment_id = name
    config.Exchange.root = str(_exchange_root(course))
    config.Exchange.cache = str(course.state / "submitted")
    config.Exchange.assignment_dir = str(staging)
    try:
        submission = ExchangeSubmit(
            coursedir=CourseDirectory(config=config),
            authenticator=Authenticator(config=config),
            config=config,
        )
        submission.start()
    except ExchangeError as error:
        raise CourseError(f"nbgrader did not take it: {error}") from error
    return submission.assignment_filename


def _solution(options: argparse.Namespace) -> int:
    course = Course.find()
    name = course.assignment(options.name)
    path = course.solutions / name / f"{name}.ipynb"
    if not path.is_file():
        raise CourseError("this copy of the course comes without solutions/: ask your instructor")
    stubs = solution_cells(read_notebook(course.released(name)))
    if options.task not in stubs:
        raise CourseError(f"no task {options.task!r}: expected one of {', '.join(stubs)}")
    answer = solution_cells(read_notebook(course.copy(name))).get(options.task)
    if answer is None or not is_attempted(source(answer), source(stubs[options.task])):
        print(f"{options.task} is not attempted yet: write an answer, save, and ask again")
        return WRONG
    worked = source(solution_cells(read_notebook(path))[options.task])
    print("\n".join(line for line in worked.splitlines() if not line.strip().startswith("### ")))
    return FINE


def _grade(options: argparse.Namespace) -> int:
    course = Course.find()
    name = course.assignment(options.name)
    if not (course.solutions / name).is_dir():
        raise CourseError("grading needs solutions/, which this copy of the course does not hold")
    if sys.platform != "linux":
        raise CourseError("grading runs student code in a sandbox, and that needs Linux")
    from companion.grading import run

    if (_exchange_root(course) / COURSE_ID / "inbound").is_dir():
        command = [sys.executable, "-m", "nbgrader", "collect", name, "--update"]
        done = subprocess.run(command, cwd=course.root, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise CourseError(f"nbgrader collect failed: {last}")
    students = tuple(filter(None, (options.students or "").split(",")))
    graded = run.grade_class(
        course.root, name, students=students, workers=options.workers, seed=options.seed,
        require_tier=options.require_tier,
    )  # fmt: skip
    print("\n".join(run.table(graded)))
    return FINE if graded.is_complete else WRONG
