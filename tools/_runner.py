"""Runs notebook cells in forked children of a preloaded interpreter, one child for each job.

    with Runner(workers=2, preload=["torch", "companion.checks"]) as runner:
        report = runner.submit(job).result()

Each worker is a process of its own that imports torch once, stays single-threaded, and forks for
every job, so that a job costs its own compute and about 20 ms.  A child that exceeds its time
limit is killed with everything it started.  Cells score as nbgrader scores them: an exception is
0 points, a number as the last expression is partial credit, anything else is full credit.

For trusted files of this repository.  It is no sandbox.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib
import io
import json
import linecache
import os
import queue
import select
import signal
import subprocess
import sys
import time
import types
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
MEMORY_LIMIT = 6 * 2**30


@dataclass(frozen=True)
class Job:
    """Cells in the order in which they run.

    `cells` holds (name, source, points); points is None for a cell that is not a test.  `example`
    is a docstring whose `>>>` lines run last.  With `stop_at_failure`, the job ends at the first
    test cell that fails by a check.
    """

    cells: tuple[tuple[str, str, float | None], ...]
    seconds: float = 60.0
    example: str = ""
    stop_at_failure: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a test cell did.

    `status` is "passed", "partial", "failed" (by a check), "error" (by any other exception),
    "not attempted", "timeout", or "crash" where the process died.
    """

    status: str
    points: float = 0.0
    message: str = ""
    category: str = ""
    traceback: tuple[str, ...] = ()


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
    """`workers` preloaded processes; `submit(job)` gives a Future of a Report."""

    def __init__(self, *, workers: int = 2, preload: Sequence[str] = ("companion.checks",)) -> None:
        self._idle: queue.Queue[subprocess.Popen[str]] = queue.Queue()
        self._servers = []
        for _ in range(workers):
            server = subprocess.Popen(
                [sys.executable, "-m", "tools._runner", *preload],
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


def _serve(modules: Sequence[str]) -> None:
    for name in modules:
        importlib.import_module(name)
    for line in sys.stdin:
        job = json.loads(line)
        sys.stdout.write(json.dumps(_in_child(job)) + "\n")
        sys.stdout.flush()


def _in_child(job: dict[str, Any]) -> dict[str, Any]:
    """Forks, runs the job, collects one JSON line for each cell, kills at the time limit."""
    n_threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
    if n_threads > 1:
        raise RuntimeError(
            f"{n_threads} threads before a fork, expected 1: a child could hang. "
            "Usual reason: a preloaded module starts threads when it is imported."
        )
    start = time.monotonic()
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        _child(job, write_end)
    os.close(write_end)
    lines, timed_out = _collect(read_end, start + job["seconds"])
    os.close(read_end)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)

    outcomes: dict[str, Any] = {}
    broken: dict[str, str] = {}
    example, running, done = None, None, False
    for entry in lines:
        match entry["event"]:
            case "start":
                running = entry["cell"]
            case "test":
                outcomes[entry["cell"]] = entry["outcome"]
                running = None
            case "setup":
                running = None
                if entry["message"]:
                    broken[entry["cell"]] = entry["message"]
            case "example":
                example = entry["holds"]
            case "end":
                done = True
    if not done:
        why = "timeout" if timed_out else "crash"
        what = (
            f"still running after {job['seconds']:g} s"
            if timed_out
            else f"the process died ({_signal_name(status)})"
        )
        if running is not None:
            broken[running] = what
        after = running is None
        for name, _, points in job["cells"]:
            after = after or name == running
            if after and points is not None and name not in outcomes:
                outcomes[name] = asdict(Outcome(why, message=what))
    return {
        "outcomes": outcomes, "broken": broken, "example": example,
        "seconds": time.monotonic() - start,
    }  # fmt: skip


def _collect(read_end: int, deadline: float) -> tuple[list[dict[str, Any]], bool]:
    data, timed_out = b"", False
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([read_end], [], [], left)[0]:
            timed_out = True
            break
        chunk = os.read(read_end, 65536)
        if not chunk:
            break
        data += chunk
        if b'"event": "end"' in data[-64:]:
            break
    complete = data[: data.rfind(b"\n") + 1]
    return [json.loads(line) for line in complete.splitlines()], timed_out


def _signal_name(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit status {os.waitstatus_to_exitcode(status)}"


def _child(job: dict[str, Any], write_end: int) -> None:
    """Never returns."""
    try:
        os.setsid()
        _limit_memory()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        with os.fdopen(write_end, "w", buffering=1, encoding="utf-8") as channel:
            _execute(job, lambda **entry: channel.write(json.dumps(entry) + "\n"))
    finally:
        os._exit(1)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))


def _execute(job: dict[str, Any], tell: Any) -> None:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    for name, source, points in job["cells"]:
        tell(event="start", cell=name)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            value, exception = _run_cell(name, source, module.__dict__)
        if points is None:
            message = "" if exception is None else f"{type(exception).__name__}: {exception}"
            tell(event="setup", cell=name, message=message)
            continue
        outcome = _outcome(value, exception, points, printed.getvalue())
        tell(event="test", cell=name, outcome=asdict(outcome))
        if job["stop_at_failure"] and outcome.status in ("failed", "partial"):
            break
    if job["example"]:
        tell(event="start", cell="example")
        tell(event="example", holds=_example_holds(job["example"], module.__dict__))
    tell(event="end")


def _run_cell(
    name: str, source: str, namespace: dict[str, Any]
) -> tuple[Any, BaseException | None]:
    """Value of the last expression, as a notebook would display it, and what was raised."""
    filename = f"<{name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    try:
        tree = ast.parse(source, filename)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, filename, "exec"), namespace)
        if last is None:
            return None, None
        return eval(compile(ast.Expression(last.value), filename, "eval"), namespace), None
    except BaseException as exception:  # noqa: BLE001  (a cell may raise anything, SystemExit too)
        return None, exception


def _outcome(value: Any, exception: BaseException | None, points: float, printed: str) -> Outcome:
    from companion.checks import CheckFailed, NotAttempted

    if exception is not None:
        render = getattr(exception, "_render_traceback_", lambda: ())
        shown = tuple(str(line) for line in render())
        message = str(exception)
        if isinstance(exception, NotAttempted):
            return Outcome("not attempted", message=message, traceback=shown)
        if isinstance(exception, AssertionError):
            category = exception.category if isinstance(exception, CheckFailed) else "assertion"
            return Outcome("failed", message=message, category=category, traceback=shown)
        return Outcome("error", message=f"{type(exception).__name__}: {message}", traceback=shown)
    if value is None:
        return Outcome("passed", points)
    try:
        given = float(repr(value))
    except ValueError:
        return Outcome("passed", points)
    if given > points:
        return Outcome("error", message=f"partial credit {given:g} of {points:g} points")
    if given < 0 or given == points:
        return Outcome("passed", points)
    return Outcome("partial", given, message=printed)


def _example_holds(docstring: str, namespace: dict[str, Any]) -> bool:
    test = doctest.DocTestParser().get_doctest(docstring, dict(namespace), "example", None, 0)
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(optionflags=options, verbose=False)
    return runner.run(test, out=lambda text: None).failed == 0


if __name__ == "__main__":
    _serve(sys.argv[1:])
