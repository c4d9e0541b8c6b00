"""A checker process that judges one submission after the other.

A fork for each submission would have to copy the pages that it touches, which takes a third of its
processor time.  So one fork of the worker goes on for as long as nothing unusual happens.  It takes
no chances: it ends after any submission that was lost in part, and wherever a test cell left a
trace in the interpreter, and the next submission gets a new fork.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from operator import is_
from typing import Any

from companion.grading import results, sandbox

USUAL = frozenset({results.OK, results.WRONG, results.ERROR, results.NOT_ATTEMPTED})
MOST_SUBMISSIONS = 100
MOST_GROWTH = 512 * 2**20  # bytes

# The fields of a job -> the answer as JSON carries it, and the statuses that occurred.
Judging = Callable[[dict[str, Any]], tuple[dict[str, Any], Iterable[str]]]


class Judge:
    """A fork of this process in which `judging` answers; `memory_bytes` is what it may use."""

    def __init__(self, judging: Judging, memory_bytes: int) -> None:
        self.connection, far = socket.socketpair()
        self.goes_on, self.status = True, None
        self.pid = os.fork()
        if self.pid == 0:
            self.connection.close()
            _serve(far, judging, memory_bytes)
        far.close()

    def ask(self, job: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to one job.  Raises RuntimeError where the process ends, or is late."""
        reply = b""
        with contextlib.suppress(ConnectionError):
            self.connection.sendall(json.dumps(job).encode() + b"\n")
            reply = _line(self.connection, seconds)
        if not reply:
            raise RuntimeError(f"the checker ended with status {self.end()} before it had a result")
        answer, self.goes_on = json.loads(reply)
        return answer

    def end(self) -> int:
        """Kills the process, once; returns its wait status."""
        self.goes_on = False
        if self.status is None:
            self.connection.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitpid(self.pid, 0)[1]
        return self.status


def _line(connection: socket.socket, seconds: float) -> bytes:
    """One line; nothing where it does not come in time, or the other side has gone."""
    deadline, parts = time.monotonic() + seconds, []
    while select.select([connection], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = connection.recv(2**20)
        if not part:
            return b""
        parts.append(part)
        if part.endswith(b"\n"):
            return b"".join(parts)
    return b""


def _serve(
    connection: socket.socket, judging: Judging, memory_bytes: int
) -> None:  # pragma: no cover
    """Answers until the other side has gone, or something unusual happens; never returns."""
    try:
        sandbox.limit_memory(memory_bytes)
        traces, n_left = Traces(), MOST_SUBMISSIONS
        lines = connection.makefile("rb")
        while n_left > 0 and (line := lines.readline()):
            answer, statuses = judging(json.loads(line))
            n_left -= 1
            goes_on = n_left > 0 and USUAL.issuperset(statuses) and not traces.found()
            connection.sendall(json.dumps([answer, goes_on]).encode() + b"\n")
            n_left *= goes_on
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


_END = object()


def _contents(places: Iterable[Any]) -> dict[str, list[Any]]:
    """What lies in the dicts, lists and sets of the modules of `companion`, by name."""
    return {
        f"{place.__name__}.{name}": list(_parts(value))
        for place in places
        if getattr(place, "__name__", "").startswith("companion.")
        for name, value in vars(place).items()
        if type(value) in (dict, list, set) and not name.startswith("__")
    }


def _parts(value: Any, depth: int = 0) -> Iterator[Any]:
    """A value and all that lies in it, as far as containers lie in one another."""
    yield value
    if type(value) in (dict, list, set, tuple) and depth < 5:
        inside = [*value, *value.values()] if type(value) is dict else value
        for part in inside:
            yield from _parts(part, depth + 1)
        yield _END


class Traces:
    """What test cells may leave behind in this process, as it was when this object was made."""

    def __init__(self) -> None:
        from companion.grading.seal import Seal

        self.seal = Seal()
        self.memory = sandbox.memory_held()
        self.filters = list(warnings.filters)
        self.before = self._now()
        self.contents = _contents(place for place, *_ in self.seal.kept)

    def found(self) -> list[str]:
        """Names of what differs, but for filters of warnings, which are put back.

        Libraries add filters when they are imported, which many test cells cause.
        """
        if warnings.filters != self.filters:
            warnings.resetwarnings()
            warnings.filters[:] = self.filters
        now = self._now()
        found = [name for name, value in now.items() if value != self.before.get(name)]
        if sandbox.memory_held() > self.memory + MOST_GROWTH:
            found.append("memory")
        contents = _contents(place for place, *_ in self.seal.kept)
        for name, before in self.contents.items():
            now = contents.get(name, [])
            if len(now) != len(before) or not all(map(is_, now, before)):
                found.append(name)
        return found + self.seal.restore()

    @staticmethod
    def _now() -> dict[str, Any]:
        import torch

        found = {
            "default dtype": torch.get_default_dtype(),
            "default device": torch.get_default_device(),
            "gradient mode": torch.is_grad_enabled(),
            "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
            "threads of torch": torch.get_num_threads(),
            "threads": len(os.listdir("/proc/self/task")),
            "open files": len(os.listdir("/proc/self/fd")),
            "environment": dict(os.environ),
            "folder": os.getcwd(),
        }
        if "matplotlib.pyplot" in sys.modules:
            pyplot = sys.modules["matplotlib.pyplot"]
            found["figures"] = pyplot.get_fignums()
            found["style of figures"] = dict(pyplot.rcParams)
        return found
