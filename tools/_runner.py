"""Runs notebook cells the way the grader runs a submission, many notebooks one after the other.

    with Runner(workers=2, preload=["companion.checks"]) as runner:
        report = runner.submit(job).result()

Each worker is a process of its own with a `companion.grading` worker: answers run in a sandboxed
session, test cells in a trusted checker, and only plain data crosses.  What works here therefore
works when a class is graded.  torch is imported once, so a job costs its own compute and the forks
of checker, session and snapshots.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import queue
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from companion.grading import results, sandbox
from companion.grading.names import names_of_student
from companion.grading.rebuild import Cell, Plan, Question
from companion.grading.results import CellResult

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    )
}
STATUSES = {
    results.OK: "passed", results.WRONG: "failed", results.ERROR: "error",
    results.MEMORY: "error", results.TIMEOUT: "timeout", results.CRASH: "crash",
    results.TAMPERED: "crash", results.NOT_ATTEMPTED: "not attempted",
}  # fmt: skip
SEED = 0  # hidden tests as they are written
EXAMPLE = "the example of the docstring"
EXAMPLE_CELL = """
def example_holds():
    import doctest

    test = doctest.DocTestParser().get_doctest({docstring!r}, dict(globals()), "example", None, 0)
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(optionflags=options, verbose=False)
    return runner.run(test, out=lambda text: None).failed == 0
"""
EXAMPLE_TEST = "from companion import checks\nchecks.same(checks.call('example_holds'), True)"


@dataclass(frozen=True)
class Job:
    """The cells of a source notebook ("setup", "solution" or "test"), in their order.

    `answers` replaces solution cells, by name.  `seconds` of wall-clock time are given to each
    cell.  `example` is a docstring whose `>>>` lines run last.  With `stop_at_failure`, the job
    ends at the first test cell that fails by a check.
    """

    cells: tuple[Cell, ...]
    answers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 60.0
    example: str = ""
    stop_at_failure: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a test cell did.

    `status` is "passed", "partial", "failed" (by a check), "error" (by any other exception),
    "not attempted", "timeout", or "crash" where the session ended.  `message` is the instructor's:
    for a hidden test it says what was observed.  `hint` is what students see of it, where the test
    is hidden.
    """

    status: str
    points: float = 0.0
    message: str = ""
    category: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Report:
    """`outcomes` by test cell; `broken` holds the message of every other cell that raised."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    example: bool | None = None
    seconds: float = 0.0

    @property
    def points(self) -> float:
        return sum(outcome.points for outcome in self.outcomes.values())


class Runner:
    """`workers` preloaded processes; `submit(job)` gives a Future of a Report.

    The future raises RuntimeError where the grader itself failed.
    """

    def __init__(self, *, workers: int = 2, preload: Sequence[str] = ("companion.checks",)) -> None:
        self._idle: queue.Queue[subprocess.Popen[str]] = queue.Queue()
        self._servers = []
        tier = sandbox.best()
        for number in range(workers):
            server = subprocess.Popen(
                [sys.executable, "-m", "tools._runner", str(number), tier, *preload],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
                env=os.environ | ONE_THREAD | {"COMPANION_PREDICTIONS": "off", "MPLBACKEND": "agg"},
            )  # fmt: skip
            self._servers.append(server)
            self._idle.put(server)
        self._pool = ThreadPoolExecutor(workers)

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for server in self._servers:
            server.stdin.close()
            server.wait()
            server.stdout.close()

    def submit(self, job: Job) -> Future[Report]:
        return self._pool.submit(self._run, job)

    def run(self, job: Job) -> Report:
        return self.submit(job).result()

    def _run(self, job: Job) -> Report:
        server = self._idle.get()
        try:
            server.stdin.write(json.dumps(asdict(job)) + "\n")
            server.stdin.flush()
            line = server.stdout.readline()
        finally:
            self._idle.put(server)
        if not line:
            raise RuntimeError(f"the worker process ended with status {server.wait()}")
        answer = json.loads(line)
        outcomes = {name: Outcome(**entry) for name, entry in answer.pop("outcomes").items()}
        return Report(outcomes=outcomes, **answer)


def modules_imported(sources: Sequence[str]) -> list[str]:
    """Modules that cells import at their top level, for preloading."""
    found: dict[str, None] = {"companion.checks": None}
    for source in sources:
        for node in ast.parse(source).body:
            if isinstance(node, ast.Import):
                found.update(dict.fromkeys(alias.name for alias in node.names))
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found[node.module] = None
    return list(found)


def plan_of(job: Job) -> Plan:
    """What `companion.grading.rebuild` makes of the same notebook, handed in with these answers.

    Every answer counts as attempted, so that each test cell says itself what it makes of a stub.
    Raises ValueError where a test cell comes before every solution cell.
    """
    drafts: list[tuple[list[Cell], list[Cell]]] = []
    waiting: list[Cell] = []
    for cell in job.cells:
        if cell.kind == "solution":
            source = job.answers.get(cell.name, cell.source)
            drafts.append(([*waiting, Cell(cell.name, "solution", source)], []))
            waiting = []
        elif cell.kind == "test":
            if not drafts:
                raise ValueError(f"test cell {cell.name} comes before every solution cell")
            drafts[-1][0].extend(waiting)
            drafts[-1][1].append(cell)
            waiting = []
        else:
            waiting.append(cell)
    if job.example:
        helper = Cell(EXAMPLE, "extra", EXAMPLE_CELL.format(docstring=job.example))
        drafts.append(([*waiting, helper], [Cell(EXAMPLE, "test", EXAMPLE_TEST, 1.0)]))
        waiting = []
    questions = []
    for cells, tests in drafts:
        name = next((cell.name for cell in cells if cell.kind == "solution"), EXAMPLE)
        questions.append(Question(name, name, tuple(cells), tuple(tests), attempted=True))
    setup = tuple(cell for cell in job.cells if cell.kind == "setup")
    return Plan("", tuple(questions), tuple(waiting), (), (), setup)


def _serve(number: int, tier: str, modules: Sequence[str]) -> None:
    import torch

    from companion.grading.checker import compiled
    from companion.grading.runtime import warm
    from companion.grading.worker import Worker

    torch.set_num_threads(1)
    warm()
    for name in modules:
        importlib.import_module(name)
    worker = Worker(number, tier, _judged)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever prints does not disturb the answers
    try:
        for line in sys.stdin:
            fields = json.loads(line)
            job, start = _job_from(fields), time.monotonic()
            for cell in job.cells:
                if cell.kind != "solution":
                    compiled(cell, SEED)  # before the fork, so that the next job has it too
            worker.start()
            worker.import_ahead(_modules_ahead(job))
            answer = worker.ask(fields)
            answer["seconds"] = time.monotonic() - start
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    finally:
        worker.stop()


def _modules_ahead(job: Job) -> tuple[str, ...]:
    from companion.grading.worker import modules_ahead

    helpers = [cell.source for cell in job.cells if cell.kind == "setup"]
    cells = [job.answers.get(c.name, c.source) for c in job.cells if c.kind != "setup"]
    return modules_ahead(cells, helpers)


def _job_from(fields: dict[str, Any]) -> Job:
    return Job(**fields | {"cells": tuple(Cell(**cell) for cell in fields["cells"])})


def _judged(fields: dict[str, Any], runtime: Any) -> tuple[dict[str, Any], list[str]]:
    """The fields of a Report, and the statuses of the grader."""
    from companion.grading.checker import Checker, Limits

    job = _job_from(fields)
    plan = plan_of(job)
    names = names_of_student(
        tuple(cell.source for cell in job.cells if cell.kind == "solution"),
        tuple(cell.source for cell in plan.setup),
    )
    checker = Checker(plan, names, runtime, limits=Limits(job.seconds, job.seconds), seed=SEED,
                      stops_at_wrong=job.stop_at_failure)  # fmt: skip
    cells = checker.grade()
    outcomes = {cell.grade_id: asdict(_outcome(cell)) for cell in cells}
    example = outcomes.pop(EXAMPLE, None)
    answer = {
        "outcomes": outcomes,
        "broken": {
            name: f"{type(error).__name__}: {error}" for name, error in checker.cell_errors.items()
        },
        "example": None if example is None else example["status"] == "passed",
    }
    return answer, [cell.status for cell in cells]


def _outcome(cell: CellResult) -> Outcome:
    status = STATUSES[cell.status]
    if status == "failed" and cell.points > 0:
        status = "partial"
    observed = "\n".join(part for part in (cell.details, cell.hint) if part)
    message = observed if cell.is_hidden and observed else cell.message
    return Outcome(status, cell.points, message, cell.category, cell.hint if cell.is_hidden else "")


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
