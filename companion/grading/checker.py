"""Judges one submission: runs the test cells here, and the student's cells in a session.

A question is tried in a snapshot of the session, so that a crash or an endless loop in one leaves
the others graded.  Where no snapshot can be taken, because the student's code started a thread,
each question gets a session of its own that runs all cells before it.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import io
import json
import os
import signal
import socket
import sys
import time
import types
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from companion import checks
from companion.checks import CheckFailed, NotAttempted
from companion.device import seed_everything
from companion.grading import results, sandbox
from companion.grading.alone import Alone, Ended
from companion.grading.names import names_defined, strings
from companion.grading.rebuild import Cell, Plan, Question, is_hidden
from companion.grading.remote import Lost, ProcessEnded, Remote, hostile, remade, status_of
from companion.grading.reseed import reseeded
from companion.grading.results import CellResult
from companion.grading.sandbox import Policy
from companion.grading.wire import Broken, Channel, Gone, Late, WireError

ENDED = {
    signal.SIGXCPU: (results.TIMEOUT, "the processor time of this submission was used up"),
    signal.SIGKILL: (results.CRASH, "the process was killed"),
}
CATEGORIES = ("shape", "dtype", "value", "gradient", "error", "forbidden", "type")
LOSSES_PER_QUESTION = 2  # then the tests that remain share the verdict of the last one
MOST_WAITS = 6.0  # wall-clock seconds for one of processor time
GRACE_SECONDS = 5.0
START_SECONDS = 60.0
USED_UP = "the time for a whole submission was used up"


@dataclass(frozen=True)
class Limits:
    """Seconds, of processor time where the machine is busy.  `test` has those of single tests.

    `submission_seconds` pass on the clock, for all cells and tests together.
    """

    cell_seconds: float = 30.0
    test_seconds: float = 60.0
    test: dict[str, float] = field(default_factory=dict)
    submission_seconds: float = 1800.0

    def of(self, grade_id: str) -> float:
        return self.test.get(grade_id, self.test_seconds)


class Runtime:
    """Requests to the runtime parent."""

    def __init__(self, requests: socket.socket, policy: Policy) -> None:
        self.requests, self.policy = requests, policy

    def open(self, *, bare: bool = False) -> tuple[Channel, socket.socket, int]:
        """A new session: its channel, its control socket, and its number.

        A `bare` one has no data set.
        """
        data, far_data = socket.socketpair()
        control, far_control = socket.socketpair()
        policy = sandbox.without_data(self.policy) if bare else self.policy
        request = json.dumps({"do": "open", "policy": asdict(policy)}).encode()
        socket.send_fds(self.requests, [request], [far_data.fileno(), far_control.fileno()])
        far_data.close()
        far_control.close()
        reply = json.loads(self.requests.recv(65536))
        if "pid" not in reply:
            raise Lost(results.INFRASTRUCTURE, f"no session was opened: {reply}")
        return Channel(data), control, reply["pid"]

    def used(self, pid: int) -> float:
        """Seconds of processor time that a session has used so far."""
        self.requests.send(json.dumps({"do": "used", "pid": pid}).encode())
        return json.loads(self.requests.recv(65536))["used"]

    def kill(self, pid: int) -> tuple[str, int]:
        """Ends every session; returns why the parent had ended this one, and its wait status."""
        self.requests.send(json.dumps({"do": "kill", "pid": pid}).encode())
        reply = json.loads(self.requests.recv(65536))
        return reply["why"], reply["status"]

    def end(self, pid: int) -> None:
        """Ends one session and leaves the others, in the tiers that can tell them apart."""
        self.requests.send(json.dumps({"do": "end", "pid": pid}).encode())
        self.requests.recv(65536)

    def kill_soon(self, pid: int) -> None:
        """The same without waiting: the last request for a submission."""
        self.requests.send(json.dumps({"do": "kill", "pid": pid}).encode())


class Checker:
    """Grades the questions of one plan, or with `stops_at_wrong` until a check does not hold."""

    def __init__(
        self, plan: Plan, names: frozenset[str], runtime: Runtime, *, limits: Limits, seed: int,
        stops_at_wrong: bool = False,
    ) -> None:  # fmt: skip
        self.plan, self.names, self.runtime = plan, names, runtime
        self.limits, self.seed, self.stops_at_wrong = limits, seed, stops_at_wrong
        self.end = time.monotonic() + limits.submission_seconds
        self.namespace = self._trusted_namespace()
        self.own_words = own_words((*plan.setup, *plan.tests))
        self.session: tuple[Channel, socket.socket, int] | None = None
        self.remote: Remote | None = None
        self.before: list[Cell] = []  # cells whose effects later questions build on
        self.commits: list[Cell] = []  # cells of this question that did not end the process
        self.survivors: list[Cell] = []  # the same of the last run that ended it
        self.used = 0.0, time.monotonic()  # processor time of the session, and when it was read
        self.can_fork = True
        self.takes_snapshots = False  # from the first loss on
        self.is_running = False  # whether the question's cells have run, and it can be asked
        self.asking: tuple[Question, Cell] | None = None
        self.notes: list[str] = []
        self.cell_errors: dict[str, BaseException] = {}

    def grade(self) -> list[CellResult]:
        """Results of all test cells, in the order of the notebook."""
        found: list[CellResult] = []
        try:
            for number, question in enumerate(self.plan.questions):
                found += self._question(question, self.seed + number)
                if self._stops(found):
                    break
        finally:
            if self.session is not None:
                self.runtime.kill_soon(self.session[2])
            self.forget()
        return found

    def _stops(self, found: Sequence[CellResult]) -> bool:
        return self.stops_at_wrong and any(cell.status == results.WRONG for cell in found)

    def _trusted_namespace(self) -> dict[str, Any]:
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        seed_everything(self.seed)
        for cell in self.plan.setup:
            with _quiet():
                _execute(cell, module.__dict__, self.seed)
        for name in self.names:
            module.__dict__[name] = _stand_in(name)
        return module.__dict__

    def _question(self, question: Question, seed: int) -> list[CellResult]:
        self.commits = list(question.cells)
        if not question.attempted and not any(cell.kind == "extra" for cell in question.cells):
            self._end(seed)
            return [
                _result(question, test, results.NOT_ATTEMPTED, message=NotAttempted.message)
                for test in question.tests
            ]
        found: list[CellResult] = []
        n_lost, lost = 0, None
        for test in question.tests:
            if self._stops(found):
                break
            start = time.monotonic()
            if start > self.end:
                n_lost, lost = LOSSES_PER_QUESTION, Lost(results.TIMEOUT, USED_UP)
            if n_lost < LOSSES_PER_QUESTION:
                try:
                    found.append(self._asked(question, test, seed, start))
                    continue
                except Lost as error:
                    # An answer that cannot even be run is run once.
                    n_lost += 1 if error.in_test else LOSSES_PER_QUESTION
                    lost = error
            seconds = time.monotonic() - start
            found.append(_result(question, test, lost.why, message=lost.message, seconds=seconds))
        self._end(seed)
        return found

    def _asked(self, question: Question, test: Cell, seed: int, start: float) -> CellResult:
        """The verdict of one test.  Raises Lost, after what could be saved is saved."""
        is_alone, in_test = self.takes_snapshots, False
        try:
            if not self.is_running:
                self._begin(question, seed)
            in_test = True
            return self._test(question, test, start)
        except Lost as error:
            error.in_test = in_test
            self._recover(error)
            if is_alone or error.why == results.TIMEOUT:
                raise
        # What an earlier question left behind may be to blame.
        return self._asked(question, test, seed, start)

    # Sessions and snapshots.  At first all questions share one session, as in a notebook.  Once it
    # is lost, a new one repeats the cells, and each question is asked in a snapshot of its own.

    def _begin(self, question: Question, seed: int) -> None:
        """Runs the question's cells, after a loss in a snapshot."""
        self.commits = list(question.cells)
        while True:
            if self.session is None:
                self._open(seed)
            channel = self.session[0]
            if not (self.takes_snapshots and self.can_fork):
                break
            with self._listening(GRACE_SECONDS, "the snapshot"):
                channel.send({"op": "fork"})
                reply = channel.receive()[0].get("reply")
                if reply not in ("forked", "threads"):
                    raise WireError(f"the reply {str(reply)[:40]!r} to a fork")
            if reply == "forked":
                break
            self.can_fork = False
            self.notes.append(
                "A cell starts threads that stay, so each question was graded in a run of its own."
            )
            self.close()
        self.used = self.runtime.used(self.session[2]), time.monotonic()
        self.remote = Remote(
            channel, self.names, self.namespace, alone=self._alone, cell=self._cell_that_defines
        )
        self.remote.process = time.monotonic_ns()
        self.is_running = True
        try:
            self._cells(question.cells, seed)
        except Lost:
            self.commits = self.survivors
            raise

    def _open(self, seed: int) -> None:
        """A fresh session with the effects of all earlier cells."""
        while True:
            if time.monotonic() > self.end:
                raise Lost(results.TIMEOUT, USED_UP)
            self.session = self.runtime.open()
            self.used = 0.0, time.monotonic()
            channel = self.session[0]
            channel.deadline = time.monotonic() + START_SECONDS
            try:
                ready = channel.receive()[0]
            except Broken as error:
                raise Lost(results.INFRASTRUCTURE, f"no session started: {error}") from None
            if ready != {"reply": "ready"}:
                raise Lost(results.INFRASTRUCTURE, f"a session began with {ready}")
            try:
                if self.before:
                    self._cells(self.before, seed)
                return
            except Lost:
                self.close()
                self.before.pop()

    def _cells(self, cells: Sequence[Cell], seed: int) -> None:
        """Runs cells in the session; on a loss, `survivors` are those without the one at fault."""
        channel, running = self.session[0], 0
        try:
            with self._listening(self.limits.cell_seconds, "a cell"):
                channel.send(
                    {"op": "cells", "cells": [[c.name, c.source] for c in cells], "seed": seed}
                )
                while True:
                    header, _ = channel.receive()
                    match header.get("reply"):
                        case "start" if running < len(cells):
                            running += 1
                            channel.deadline = self._deadline(self.limits.cell_seconds)
                        case "cells":
                            self._keep_errors(header)
                            return
                        case "back":
                            raise ProcessEnded(status_of(header))
                        case other:
                            raise WireError(f"the reply {str(other)[:40]!r} to cells")
        except Lost:
            culprit = max(running - 1, 0)
            self.survivors = [
                cell for i, cell in enumerate(cells)
                if i < culprit or (i > culprit and cell.kind == "setup")
            ]  # fmt: skip
            raise

    def _keep_errors(self, header: dict[str, Any]) -> None:
        outcomes = header.get("outcomes")
        for outcome in outcomes if isinstance(outcomes, list) else ():
            if not (isinstance(outcome, list) and len(outcome) == 3):
                raise WireError("a malformed outcome of a cell")
            name, error, _ = outcome
            if isinstance(error, dict):
                with hostile():
                    self.cell_errors[str(name)] = remade(error)
            else:
                self.cell_errors.pop(str(name), None)

    @contextlib.contextmanager
    def _listening(self, seconds: float, what: str) -> Iterator[None]:
        """Gives the other side so long, and turns every way of losing it into Lost."""
        channel, _, pid = self.session
        start = time.monotonic()
        channel.deadline = self._deadline(seconds)
        channel.more_time = lambda: self.more_time(pid, start, seconds)
        try:
            yield
        except Late:
            if time.monotonic() > self.end:
                raise Lost(results.TIMEOUT, USED_UP) from None
            raise Lost(results.TIMEOUT, f"{what} was still running after {seconds:g} s") from None
        except ProcessEnded as error:
            self.is_running, self.remote = False, None
            lost = self.ended(error.status)
            lost.is_over = True
            raise lost from None
        except WireError as error:
            raise Lost(results.TAMPERED, f"the process sent {error}") from None
        except Gone:
            why, status = self.runtime.kill(pid)
            self.forget()
            if why == "memory":
                raise Lost(results.MEMORY, "the memory of this submission was used up") from None
            raise self.ended(status) from None

    def _deadline(self, seconds: float) -> float:
        return min(time.monotonic() + seconds, self.end)

    def more_time(
        self, pid: int, start: float, seconds: float, before: tuple[float, float] | None = None
    ) -> float:
        """Limits are processor time where the machine is busy with something else.

        A process that computes goes on until it has used its seconds, or `MOST_WAITS` times as
        many have passed; one that sleeps does not.  `before` is what it had used, and when.
        """
        used_before, since = before or self.used
        waited = time.monotonic() - start
        used = max(0.0, self.runtime.used(pid) - used_before - (start - since))
        if used < waited / 20 or waited > MOST_WAITS * seconds:
            return 0.0
        return min(seconds - used, self.end - time.monotonic())

    @staticmethod
    def ended(status: int) -> Lost:
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number in ENDED:
                return Lost(*ENDED[number])
            return Lost(results.CRASH, f"the process died ({signal.Signals(number).name})")
        return Lost(results.CRASH, f"the process ended itself (exit status {status >> 8})")

    def _recover(self, error: Lost) -> None:
        """After a loss: gets rid of the snapshot, or of the whole session where it does not go."""
        if error.why == results.INFRASTRUCTURE:
            raise error
        was_snapshot = self.is_running and self.takes_snapshots and self.can_fork
        self.takes_snapshots = True
        if self.session is None or error.is_over:
            return
        if not was_snapshot or error.why == results.TAMPERED:
            self.close()
            return
        self.remote, self.is_running = None, False
        channel, control, _ = self.session
        channel.deadline = time.monotonic() + GRACE_SECONDS
        try:
            control.send(b"k")
            self._await_back(channel)
        except (Broken, OSError):
            self.close()

    def _await_back(self, channel: Channel) -> None:
        for _ in range(1000):  # whatever the snapshot still had to say comes first
            if channel.receive()[0].get("reply") == "back":
                return
        raise WireError("no end of messages")

    def _end(self, seed: int) -> None:
        """Leaves the snapshot and runs the question's cells where later questions start."""
        if not self.takes_snapshots and self.is_running:
            self.remote, self.is_running = None, False
            self.before += self.commits
            return
        if self.remote is not None:
            self.remote, self.is_running = None, False
            channel = self.session[0]
            try:
                with self._listening(GRACE_SECONDS, "the end of a question"):
                    channel.send({"op": "end"})
                    if self.can_fork:
                        self._await_back(channel)
            except Lost:
                self.close()
        self._close_unless_forking()
        if self.session is not None:
            try:
                self._cells(self.commits, seed)
            except Lost:
                self.close()
        self.before += self.commits

    def _close_unless_forking(self) -> None:
        if not self.can_fork:
            self.close()

    def close(self) -> None:
        if self.session is not None:
            self.runtime.kill(self.session[2])
        self.forget()

    def forget(self) -> None:
        if self.session is not None:
            self.session[0].connection.close()
            self.session[1].close()
        self.session, self.remote, self.is_running = None, None, False

    # Functions that run without the session

    def _cell_that_defines(self, name: str) -> str:
        """The text of the last cell up to this question that defines a name."""
        cells = [*self.before, *self.asking[0].cells]
        for cell in reversed(cells):
            if name in names_defined(cell.source):
                return cell.source
        raise CheckFailed(
            "error", f"the notebook defines no {name!r}.",
            "Usual reason: the cell that defines it was renamed or did not run.",
        )  # fmt: skip

    def _alone(self, name: str, part: str, args: tuple, kwargs: dict[str, Any]) -> Any:
        if self.remote is not None:
            self.remote.is_closed = True
        _, test = self.asking
        session = Alone(self, name, self.limits.of(test.name))
        return session.answer(part, args, kwargs, self.seed)

    # Tests

    def _test(self, question: Question, test: Cell, start: float) -> CellResult:
        self.asking = question, test
        remote = self.remote  # which the test may close
        checks.use_elsewhere(remote)
        remote.forbidden.clear()
        remote.is_closed = False
        seconds = self.limits.of(test.name)
        signal.signal(signal.SIGPROF, _too_long)
        signal.setitimer(signal.ITIMER_PROF, seconds + GRACE_SECONDS)  # processor time of this side
        try:
            with self._listening(seconds, "the test"), _quiet() as printed:
                value, error = _run(test, self.namespace, self.seed)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            checks.use_elsewhere(None)
        for name in sorted(remote.restored):
            note = f"{name} had been replaced, and was put back before the tests."
            if note not in self.notes:
                self.notes.append(note)
        if is_hidden(test) and getattr(error, "is_remote", False):
            error = self._without_inputs(error)
        outcome = _judged(question, test, value, error, printed.getvalue())
        if outcome.status != results.OK:
            outcome = self._explained(outcome, question)
        return replace(outcome, seconds=time.monotonic() - start)

    def _without_inputs(self, error: Exception) -> Exception:
        """What may be told of an exception that student code raised while it held hidden inputs.

        A hint stays where it is a text of the author's, and a type where it is Python's own:
        anything else could be the inputs in disguise.
        """
        if isinstance(error, NotAttempted | MemoryError):
            return error
        if isinstance(error, CheckFailed):
            if error.hint not in self.own_words:
                error.hint = ""
            if error.category not in CATEGORIES:
                error.category = "value"
        elif type(error).__module__ != "builtins":
            where, details = error.where, f"{type(error).__name__}: {error}"
            error = RuntimeError(details)
            error.where = where
        return error

    def _explained(self, outcome: CellResult, question: Question) -> CellResult:
        """Adds that the answer's own cell stopped early, which explains most failures after it."""
        raised = self.cell_errors.get(question.name)
        if raised is None or outcome.status == results.NOT_ATTEMPTED:
            return outcome
        said = f"Your cell stopped with {type(raised).__name__}: {raised}"
        if outcome.details.startswith("the notebook defines no"):  # because the cell stopped
            outcome = replace(outcome, message="", hint="")
        if isinstance(raised, NotAttempted):
            return replace(outcome, status=results.NOT_ATTEMPTED, message=NotAttempted.message)
        return replace(
            outcome, status=results.ERROR, message=f"{said}\n{outcome.message}".strip(),
            where=outcome.where or raised.where,
        )  # fmt: skip


def _stand_in(name: str) -> Any:
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        return checks.call(name, *args, **kwargs)

    stand_in.__name__ = stand_in.__qualname__ = name
    return stand_in


def _too_long(*_: Any) -> None:
    """A value can keep the test cell itself busy, here, where no deadline of a socket helps."""
    raise Late("the deadline has passed")


@contextlib.contextmanager
def _quiet() -> Iterator[io.StringIO]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        yield printed


@functools.lru_cache(maxsize=8)
def own_words(cells: tuple[Cell, ...]) -> frozenset[str]:
    """Every text that stands in these cells or in `companion.checks`."""
    sources = [inspect.getsource(checks), *(cell.source for cell in cells)]
    return frozenset(word for source in sources for word in strings(source))


@functools.lru_cache(maxsize=1024)
def compiled(cell: Cell, seed: int) -> tuple[types.CodeType, types.CodeType | None]:
    """Code of a trusted cell: its statements, and its last expression, which a notebook shows.

    With a seed other than 0, hidden tests get other random numbers.
    """
    filename = f"<{cell.name}>"
    tree = reseeded(ast.parse(cell.source, filename), seed if is_hidden(cell) else 0)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    shown = None if last is None else compile(ast.Expression(last.value), filename, "eval")
    return compile(tree, filename, "exec"), shown


def _execute(cell: Cell, namespace: dict[str, Any], seed: int) -> Any:
    """Runs a trusted cell; returns the value of its last expression."""
    statements, shown = compiled(cell, seed)
    exec(statements, namespace)
    return None if shown is None else eval(shown, namespace)


def _run(test: Cell, namespace: dict[str, Any], seed: int) -> tuple[Any, Exception | None]:
    """Value and exception of a test cell.  What ends the session is no Exception and passes."""
    try:
        return _execute(test, namespace, seed), None
    except Exception as error:
        return None, error


def _judged(
    question: Question, test: Cell, value: Any, error: Exception | None, printed: str
) -> CellResult:
    if error is None:
        return _passed(question, test, value, printed)
    where = getattr(error, "where", None)
    common = {"where": where}
    if isinstance(error, NotAttempted):
        return _result(question, test, results.NOT_ATTEMPTED, message=NotAttempted.message)
    if isinstance(error, Ended):
        return _result(question, test, error.why, message=str(error))
    if isinstance(error, CheckFailed):
        return _result(
            question, test, results.WRONG, category=error.category, hint=error.hint,
            details=error.details, **common,
        )  # fmt: skip
    if isinstance(error, AssertionError) and where is None:
        return _result(question, test, results.WRONG, category="value", details=str(error))
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return _result(question, test, results.MEMORY, message="the answer used too much memory")
    details = f"{type(error).__name__}: {error}"
    return _result(question, test, results.ERROR, category="error", details=details, **common)


def _passed(question: Question, test: Cell, value: Any, printed: str) -> CellResult:
    """Full points, or those that the last line of the cell says, as nbgrader reads them."""
    points = test.points
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not value <= points:  # more, or nan: where nbgrader gives up
            details = f"the test cell gave {value:g} of {points:g} points"
            return _result(question, test, results.ERROR, category="error", details=details)
        if value >= 0:
            points = float(value)
    if points == test.points:
        return _result(question, test, results.OK, points=points)
    lines = [line for line in printed.splitlines() if line.startswith("partial credit: ")]
    return _result(
        question, test, results.WRONG, points=points, category="partial",
        hint=lines[-1] if lines else "partial credit",
    )  # fmt: skip


def _result(question: Question, test: Cell, status: str, **more: Any) -> CellResult:
    result = CellResult(
        test.name, status, more.pop("points", 0.0), test.points, question=question.name,
        is_hidden=is_hidden(test), **more,
    )  # fmt: skip
    return result if result.message else replace(result, message=_message(result))


def _message(result: CellResult) -> str:
    """What the student may read: for a hidden test no inputs, values or texts of the process."""
    if result.status in (results.OK, results.NOT_ATTEMPTED):
        return ""
    if not result.is_hidden:
        return "\n".join(part for part in (result.details, result.hint) if part)
    if result.status == results.ERROR:
        return f"{result.details.split(':')[0]} was raised."
    return result.hint or f"The {result.category} is not what the text asks for."
