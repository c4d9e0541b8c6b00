"""Runs the student's cells and answers the checker's calls.  Untrusted from its first cell on.

Nothing that is decided here counts as a verdict: this side returns values, exceptions and the
line where they arose, and the checker compares them with what it expects.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import random
import select
import signal
import socket
import sys
import traceback
import types
from typing import Any

import numpy as np
import torch

from companion import checks
from companion.grading.seal import Seal
from companion.grading.wire import Broken, Channel, Decoder, Encoder, Gone, Unsupported

PRINTED_LIMIT = 20_000  # characters kept of what one cell prints
MESSAGE_LIMIT = 2_000
VERBS = {
    "call": checks.call,
    "state": checks.state,
    "n_parameters": checks.n_parameters,
    "vjp": checks.vjp,
    "operations": checks.operations,
}


class Printed(io.TextIOBase):
    """Keeps the beginning of what is printed, and swallows the rest."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.room = PRINTED_LIMIT

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.room > 0:
            self.parts.append(str(text)[: self.room])
            self.room -= len(self.parts[-1])
        return len(text)

    def text(self) -> str:
        return "".join(self.parts)


class Session:
    """A namespace like a notebook's, and the objects that stay in this process."""

    def __init__(self, data: socket.socket, control: socket.socket, seal: Seal) -> None:
        self.channel, self.control, self.seal = Channel(data), control, seal
        self.handles: list[Any] = []
        self.modes = _modes()
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        self.namespace = module.__dict__
        self.namespace |= {"display": lambda *_, **__: None, "get_ipython": lambda: _Shell()}

    def serve(self) -> None:
        """Answers until the other side has gone."""
        self.channel.send({"reply": "ready"})
        while True:
            try:
                header, body = self.channel.receive()
            except Gone:
                os._exit(0)
            match header["op"]:
                case "cells":
                    self._cells(header["cells"], header["seed"])
                case "fork":
                    self._fork()
                case "ask":
                    self._ask(header, body)
                case "end":
                    os._exit(0)

    def _cells(self, cells: list[list[str]], seed: int) -> None:
        for seed_it in (random.seed, np.random.seed, torch.manual_seed):
            seed_it(seed)
        self._put_back_modes()
        self.handles.clear()  # of the question before
        outcomes = []
        for name, source in cells:
            self.channel.send({"reply": "start", "cell": name})
            printed = Printed()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(Printed()):
                raised = self._run(name, source)
            error = None if raised is None else described(raised)
            outcomes.append([name, error, printed.text()])
        self.modes = _modes()
        self.channel.send({"reply": "cells", "outcomes": outcomes})

    def _run(self, name: str, source: str) -> BaseException | None:
        filename = f"<{name}>"
        lines = source.splitlines(keepends=True)
        linecache.cache[filename] = (len(source), None, lines, filename)
        try:
            exec(compile(source, filename, "exec", dont_inherit=True), self.namespace)
        except SystemExit:
            return None  # ends the cell, as a notebook goes on after it
        except BaseException as error:  # noqa: BLE001  (a cell may raise anything)
            return error
        return None

    def _fork(self) -> None:
        n_threads = len(os.listdir("/proc/self/task"))
        if n_threads > 1:
            self.channel.send({"reply": "threads", "n": n_threads})
            return
        try:
            pid = os.fork()
        except OSError as error:  # too many processes: the checker goes on without snapshots
            self.channel.send({"reply": "threads", "n": 0, "why": str(error)})
            return
        if pid == 0:
            self.control.close()
            self.channel.send({"reply": "forked"})
            return
        ended = os.pidfd_open(pid)
        while True:
            ready, _, _ = select.select([ended, self.control], [], [])
            if self.control in ready:
                if not self.control.recv(1):
                    os._exit(0)
                os.kill(pid, signal.SIGKILL)
            if ended in ready:
                break
        os.close(ended)
        _, status = os.waitpid(pid, 0)
        self.channel.send({"reply": "back", "status": status})

    def _ask(self, header: dict[str, Any], body: memoryview) -> None:
        more: dict[str, Any] = {"restored": self.seal.restore()}
        self._put_back_modes()
        decoder = Decoder(body, self._find, by_name=True)
        target, args, kwargs = (decoder.value(header[part]) for part in ("target", "args", "named"))
        encoder = Encoder(self._keep)
        printed = Printed()
        try:
            with (
                contextlib.ExitStack() as stack,
                contextlib.redirect_stdout(printed),
                contextlib.redirect_stderr(Printed()),
            ):
                for operators, hint in header["forbidden"]:
                    stack.enter_context(checks.forbid(*operators, hint=hint))
                value = self._verb(header["verb"], target, args, kwargs)
            tree = encoder.tree(value)
            # Random generators that were passed in come back as far as they were used.
            states = [g.get_state().numpy().tobytes() for g in decoder.generators]
            reply = {"reply": "value", "tree": tree, "states": [len(state) for state in states]}
            buffers = [*encoder.buffers, *states]
        except Broken:
            raise
        except BaseException as error:  # noqa: BLE001  (student code may raise anything)
            reply, buffers = {"reply": "error", **described(error)}, []
        more["printed"] = printed.text()
        try:
            self.channel.send(reply | more, buffers)
        except Unsupported as error:
            self.channel.send({"reply": "error", **described(error), **more})

    def _put_back_modes(self) -> None:
        """What one answer switched when it was called costs the next one nothing."""
        if _modes() != self.modes:
            is_on, kind = self.modes
            torch.set_grad_enabled(is_on)
            torch.set_default_dtype(kind)

    def _verb(self, verb: str, target: Any, args: Any, kwargs: Any) -> Any:
        # The verbs find names in the globals of their caller: here, the student's.
        here = {"verb": VERBS[verb], "target": target, "args": args, "kwargs": kwargs}
        return eval("verb(target, *args, **kwargs)", self.namespace, here)

    def _keep(self, value: Any) -> tuple[str, int, str]:
        inner = value.value if isinstance(value, checks.Handle) else value
        self.handles.append(inner)
        return "handle", len(self.handles) - 1, type(inner).__name__

    def _find(self, tag: str, number: int, name: str) -> Any:
        if tag == "handle":
            return checks.Handle(self.handles[number])

        def back(*args: Any, **kwargs: Any) -> Any:
            return self._call_back(number, args, kwargs)

        back.__name__ = back.__qualname__ = name
        return back

    def _call_back(self, number: int, args: Any, kwargs: Any) -> Any:
        """Asks the checker to run a function of the test cell."""
        encoder = Encoder(self._keep)
        trees = [encoder.tree(checks._outward(part)) for part in (args, kwargs)]
        self.channel.send(
            {"reply": "callback", "number": number, "args": trees[0], "named": trees[1]},
            encoder.buffers,
        )
        header, body = self.channel.receive()
        if header["op"] == "raised":
            raise RuntimeError(header["message"])
        return Decoder(body, self._find, by_name=True).value(header["tree"])


def _modes() -> tuple[bool, torch.dtype]:
    return torch.is_grad_enabled(), torch.get_default_dtype()


class _Shell:
    """What `get_ipython()` gives: accepts every request and does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def described(error: BaseException) -> dict[str, Any]:
    """Type, base types, message, and the student's line, of an exception."""
    try:
        message = str(error)[:MESSAGE_LIMIT]
    except BaseException:  # noqa: BLE001  (a student's __str__)
        message = ""
    found: dict[str, Any] = {
        "type": type(error).__name__[:80],
        "bases": [kind.__name__[:80] for kind in type(error).__mro__[1:10]],
        "message": message,
        "where": _where(error),
    }
    if isinstance(error, checks.CheckFailed):
        found["check"] = [str(error.category), str(error.details), str(error.hint)]
    return found


def _where(error: BaseException) -> list[Any] | None:
    """Cell, line number and text of the innermost line of a student's cell."""
    if isinstance(error, SyntaxError) and str(error.filename).startswith("<"):
        return [error.filename[1:-1], error.lineno or 0, (error.text or "").strip()[:200]]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        name = frame.filename
        if name.startswith("<") and name in linecache.cache:
            return [name[1:-1], frame.lineno or 0, (frame.line or "").strip()[:200]]
    return None
