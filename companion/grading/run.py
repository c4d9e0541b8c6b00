"""Grades a class: every submission once, on persistent workers, into results and gradebook."""

from __future__ import annotations

import hashlib
import json
import queue
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from companion.grading import canaries, feedback, results, sandbox
from companion.grading.client import WorkerClient
from companion.grading.light import import_jsonschema
from companion.grading.rebuild import read_source
from companion.grading.reference import draw_seed, reference_limits
from companion.grading.results import Result
from companion.grading.worker import Job
from companion.workspace import CourseError


@dataclass(frozen=True)
class ClassRun:
    """What a run gave: results in the order of the students' names, and wall-clock seconds."""

    assignment: str
    tier: str
    results: tuple[Result, ...]
    seconds: float
    seed: int
    problems: tuple[str, ...] = field(default=())

    @property
    def is_complete(self) -> bool:
        return not self.problems and all(
            result.status != results.INFRASTRUCTURE for result in self.results
        )


def choose_tier(require: str | None) -> str:
    """The best usable tier.  Raises CourseError where it is weaker than what is required.

    Without a requirement, "none" is refused: it protects nothing.
    """
    least = require or "landlock"
    if least not in sandbox.TIERS:
        raise CourseError(f"no tier {least!r}: expected one of {', '.join(sandbox.TIERS)}")
    reasons = sandbox.probe(all_tiers=False)
    usable = [tier for tier, reason in reasons.items() if not reason]
    if usable and sandbox.TIERS.index(usable[0]) <= sandbox.TIERS.index(least):
        return usable[0]
    found = usable[0] if usable else "no tier"
    why = "; ".join(f"{tier}: {reason}" for tier, reason in reasons.items() if reason)
    raise CourseError(
        f"the sandbox of this machine is {found!r}, required is {least!r} ({why}). "
        "Installing the package bubblewrap usually helps; `--require-tier none` grades without."
    )


def grade_class(
    root: Path,
    assignment: str,
    *,
    students: Sequence[str] = (),
    workers: int = 2,
    seed: int | None = None,
    require_tier: str | None = None,
    show: TextIO = sys.stderr,
) -> ClassRun:
    """Grades `build/grading/submitted/*/<assignment>/` below `root`.

    Without a seed one is drawn, so that nobody knows the inputs of hidden tests beforehand.
    Raises CourseError before anything is graded: no such assignment, no submission, no sandbox,
    or a reference solution that does not get full points.
    """
    grading = root / "build" / "grading"
    source = root / "solutions" / assignment / f"{assignment}.ipynb"
    if not source.is_file():
        raise CourseError(f"no assignment {assignment!r} in solutions/")
    handed_in = submissions(grading, assignment)
    problems = [f"{name}: nothing was handed in" for name in students if name not in handed_in]
    chosen = {name: path for name, path in handed_in.items() if not students or name in students}
    if not chosen:
        raise CourseError(f"nothing was handed in for {assignment} in {grading / 'submitted'}")
    tier = choose_tier(require_tier)
    start = time.monotonic()
    seed = draw_seed() if seed is None else seed
    pool = _Pool(min(workers, len(chosen)), tier)
    # While the workers import torch and grade the reference, this process imports nbgrader.
    importing = threading.Thread(target=_import_bridge, daemon=True)
    importing.start()
    try:
        limits = reference_limits(source, tier, grading / "reference", pool.grade, seed)
        _enter_into_gradebook(root, assignment, source)
        jobs = [
            Job(assignment, name, str(source), str(path), seed=seed, limits=limits,
                rebuilt=str(grading / "rebuilt" / name / assignment / source.name))
            for name, path in chosen.items()
        ]  # fmt: skip
        found: dict[str, Result] = {}
        graded = pool.run(jobs)
        from companion.grading.bridge import GradebookWriter

        with GradebookWriter(root) as gradebook:
            for result in _with_progress(graded, len(jobs), show):
                results.write(result, grading / "results")
                rebuilt = Path(_job_of(jobs, result).rebuilt)
                gradebook.record(result, rebuilt)
                if result.status == results.OK:
                    try:
                        book = gradebook.book(result)
                        _write_markdown(result, rebuilt, book, source, grading / "results")
                    except ValueError as error:  # it would have shown a hidden test
                        problems.append(f"{result.student}: no feedback was written: {error}")
                found[result.student] = result
    finally:
        pool.close()
    in_order = tuple(found[name] for name in sorted(found))
    return ClassRun(assignment, tier, in_order, time.monotonic() - start, seed, tuple(problems))


def _import_bridge() -> None:
    import_jsonschema()
    import companion.grading.bridge  # noqa: F401


def submissions(grading: Path, assignment: str) -> dict[str, Path]:
    """Folders of submissions by student, in alphabetical order."""
    found = sorted((grading / "submitted").glob(f"*/{assignment}"))
    return {path.parent.name: path for path in found if path.is_dir() or path.is_symlink()}


def _enter_into_gradebook(root: Path, assignment: str, source: Path) -> None:
    """Runs `nbgrader generate_assignment` where the gradebook does not hold this version."""
    grading = root / "build" / "grading"
    stamp = grading / "reference" / f"{assignment}.entered"
    version = hashlib.sha256(source.read_bytes()).hexdigest()
    known = stamp.is_file() and stamp.read_text(encoding="utf-8") == version
    if known and (grading / "gradebook.db").is_file():
        return
    release = f"--CourseDirectory.release_directory={grading / 'release'}"
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", assignment, "--force"]
    done = subprocess.run([*command, release], cwd=root, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CourseError(f"nbgrader generate_assignment failed: {last}")
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(version, encoding="utf-8")


def _write_markdown(
    result: Result, rebuilt: Path, book: feedback.Book, source: Path, folder: Path
) -> None:
    """The student's feedback beside the result.  Raises ValueError where it tells too much."""
    notebook = json.loads(rebuilt.read_text(encoding="utf-8"))
    page = feedback.markdown(result, notebook, book)
    own = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if _is_students(cell))
    canaries.check(page, read_source(source), own=own)
    (folder / result.assignment / f"{result.student}.md").write_text(page, encoding="utf-8")


def _is_students(cell: dict[str, Any]) -> bool:
    settings = cell["metadata"].get("nbgrader")
    return settings is None or settings["solution"]


def _job_of(jobs: Sequence[Job], result: Result) -> Job:
    return next(job for job in jobs if job.student == result.student)


class _Pool:
    """Worker processes, each driven by a thread."""

    def __init__(self, n_workers: int, tier: str) -> None:
        if n_workers < 1:
            raise CourseError(f"{n_workers} workers; at least one is needed")
        self.clients = [WorkerClient(number, tier) for number in range(n_workers)]
        for client in self.clients:
            client.start()

    def grade(self, job: dict[str, Any]) -> Result:
        """One submission, for the fields of a Job."""
        return next(self.run([Job(**job)]))

    def run(self, jobs: Sequence[Job]) -> Iterator[Result]:
        """Starts at once; results as they come."""
        waiting: queue.Queue[Job] = queue.Queue()
        done: queue.Queue[Result | Exception] = queue.Queue()
        for job in jobs:
            waiting.put(job)
        for client in self.clients[: len(jobs)]:
            threading.Thread(target=self._work, args=(client, waiting, done), daemon=True).start()
        return self._results(done, len(jobs))

    @staticmethod
    def _results(done: queue.Queue[Result | Exception], n_jobs: int) -> Iterator[Result]:
        for _ in range(n_jobs):
            result = done.get()
            if isinstance(result, Exception):
                raise result
            yield result

    @staticmethod
    def _work(client: WorkerClient, waiting: queue.Queue, done: queue.Queue) -> None:
        while True:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put(client.grade(job))
            except Exception as error:
                done.put(error)
                return

    def close(self) -> None:
        for client in self.clients:
            client.close()


def _with_progress(found: Iterator[Result], n_jobs: int, show: TextIO) -> Iterator[Result]:
    """Passes results on, and says how far it is and how long it will take."""
    start = time.monotonic()
    is_terminal = show.isatty()
    for number, result in enumerate(found, 1):
        yield result
        if is_terminal:
            left = (time.monotonic() - start) / number * (n_jobs - number)
            filled = "#" * (30 * number // n_jobs)
            show.write(f"\r[{filled:<30}] {number}/{n_jobs}, about {left:.0f} s left ")
            show.flush()
    if is_terminal:
        show.write("\r" + " " * min(78, shutil.get_terminal_size().columns) + "\r")


def table(run: ClassRun) -> Iterator[str]:
    """Lines: points of every question for every student, then seconds of every question."""
    questions = list(dict.fromkeys(c.question for r in run.results for c in r.cells))
    width = max(len("student"), *(len(r.student) for r in run.results))
    for number, name in enumerate(questions, 1):
        yield f"question {number}: {name}"
    head = "".join(f"{number:>6}" for number in range(1, len(questions) + 1))
    yield f"{'student':<{width}}{head}   score  seconds  remarks"
    for result in run.results:
        points = [sum(c.points for c in result.cells if c.question == q) for q in questions]
        counts = Counter(c.status for c in result.cells if c.status != results.OK)
        remarks = ", ".join(f"{n} {status}" for status, n in counts.most_common())
        remarks = f"{result.status}: {result.message}" if result.status != results.OK else remarks
        if result.written:
            remarks = f"{len(result.written)} to read{', ' if remarks else ''}{remarks}"
        columns = "".join(f"{value:6g}" for value in points)
        yield (
            f"{result.student:<{width}}{columns}  {result.score:4g}/{result.max_score:<g} "
            f"{result.seconds:7.1f}  {remarks}"
        )
    yield "seconds of a question, median and largest over the class:"
    for question in questions:
        seconds = [sum(c.seconds for c in r.cells if c.question == question) for r in run.results]
        yield f"  {question:<28} {statistics.median(seconds):7.2f} {max(seconds):7.2f}"
    per_minute = 60 * len(run.results) / run.seconds
    yield (
        f"{len(run.results)} submissions in {run.seconds:.1f} s, {per_minute:.0f} a minute; "
        f"sandbox: {run.tier}"
    )
    yield f"seed: {run.seed}; `--seed {run.seed}` draws the same random numbers again"
    yield from run.problems
