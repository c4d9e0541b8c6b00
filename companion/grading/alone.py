"""Calls one function in a session that holds nothing but the source it needs.

In the tiers with namespaces such a session lives beside the one of the submission, and neither
can reach the other.  Elsewhere nothing keeps them apart, so the other one is ended first, with all
that it started, and the scratch folder is emptied.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from companion import checks
from companion.grading import results, sandbox
from companion.grading.fresh import PRELUDE
from companion.grading.remote import Lost, Remote, hostile, remade
from companion.grading.wire import Broken, Gone, Late, WireError

if TYPE_CHECKING:
    from companion.grading.checker import Checker

START_SECONDS = 60.0


class Ended(Exception):
    """The process of a function that ran alone was lost.  `why` is a status of results.py."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


class Alone(Remote):
    """One call.  The function is the only thing of the student's that the session has run."""

    def __init__(self, checker: Checker, name: str, seconds: float) -> None:
        self.checker, self.name, self.seconds = checker, name, seconds
        self.keeps_session = checker.runtime.policy.tier in sandbox.WITH_NAMESPACES
        if not self.keeps_session:
            checker.close()
            sandbox.tidy_scratch(checker.runtime.policy.scratch)
        self.channel, self.control, self.pid = checker.runtime.open(bare=True)
        super().__init__(self.channel, frozenset([name]), {})

    def answer(self, part: str, args: tuple, kwargs: dict[str, Any], seed: int) -> Any:
        """The value of the call.  Raises what it raises, and Ended where its process is lost."""
        try:
            self._start(part, seed)
            value = self.ask("call", self.name, args, {"method": None, **kwargs})
        except Lost:
            raise
        except Broken as error:
            raise self._lost(error) from None
        except BaseException:
            self._end()
            raise
        self._end()
        return value

    def _start(self, part: str, seed: int) -> None:
        self.channel.deadline = time.monotonic() + START_SECONDS
        try:
            ready = self.channel.receive()[0]
        except Broken as error:
            raise Lost(results.INFRASTRUCTURE, f"no session started: {error}") from None
        if ready != {"reply": "ready"}:
            raise Lost(results.INFRASTRUCTURE, f"a session began with {ready}")
        start = time.monotonic()
        self.channel.deadline = min(start + self.seconds, self.checker.end)
        self.channel.more_time = lambda: self.checker.more_time(
            self.pid, start, self.seconds, before=(0.0, start)
        )
        cell = [f"{self.name} alone", PRELUDE + part]
        self.channel.send({"op": "cells", "cells": [cell], "seed": seed})
        while (header := self.channel.receive()[0]).get("reply") == "start":
            pass
        outcomes = header.get("outcomes")
        with hostile():
            ((_, error, _),) = outcomes
            raised = None if error is None else remade(error)
        if raised is not None:
            raise raised

    def _lost(self, error: Broken) -> Ended:
        """Ends all sessions, since the one that was lost says why only then."""
        why, status = self.checker.runtime.kill(self.pid)
        self._close()
        self.checker.forget()
        what = f"{self.name}, run alone,"
        match error:
            case Late():
                return Ended(results.TIMEOUT, f"{what} was still running after {self.seconds:g} s")
            case WireError():
                return Ended(results.TAMPERED, f"{what} sent {error}")
            case Gone() if why == "memory":
                return Ended(results.MEMORY, f"{what} used up the memory")
        lost = self.checker.ended(status)
        return Ended(lost.why, f"{what} was lost: {lost.message}")

    def _end(self) -> None:
        (self.checker.runtime.end if self.keeps_session else self.checker.runtime.kill)(self.pid)
        self._close()

    def _close(self) -> None:
        self.channel.connection.close()
        self.control.close()

    def _runs_here(self, target: Any, arguments: Any) -> bool:
        return False

    def _keep(self, value: Any) -> None:
        return None

    def _find(self, tag: str, number: int, name: str) -> Any:
        return checks.no_plain_data(self.name, str(name))
