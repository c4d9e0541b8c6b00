"""Starts one worker process and talks to it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from companion.grading import results
from companion.grading.results import Result

if TYPE_CHECKING:
    from companion.grading.worker import Job  # imports torch, which only the worker needs

PACKAGE = Path(__file__).resolve().parents[1]
ANSWER_SECONDS = 7500.0  # beyond both tries of a worker
END_SECONDS = 5.0


class _Died(Exception):
    """The worker gave no answer."""


class WorkerClient:
    """One worker process, started at its first job at the latest and restarted when it dies.

    For one thread at a time; `close` may be called from another and is final.
    """

    def __init__(self, number: int, tier: str) -> None:
        self.number, self.tier = number, tier
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> WorkerClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Starts the process ahead of its first job, and does not wait."""
        self._running()

    def grade(self, job: Job) -> Result:
        """The result of one submission; "infrastructure" where two workers died over it."""
        return self.ask(asdict(job))

    def ask(self, job: dict[str, Any]) -> Result:
        """The same for the fields of a Job."""
        for _ in range(2):
            try:
                return self._answer(job)
            except _Died as error:
                message = str(error)
                with self._lock:
                    self._end()
        from companion.grading.worker import Job, failed

        return failed(Job(**job), self.tier, results.INFRASTRUCTURE, message)

    def close(self) -> None:
        """Ends the worker, in the middle of a job too."""
        with self._lock:
            self._is_closed = True
            self._end()

    def _answer(self, job: dict[str, Any]) -> Result:
        process = self._running()
        try:
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
            if not select.select([process.stdout], [], [], ANSWER_SECONDS)[0]:
                raise _Died(f"the worker gave no answer within {ANSWER_SECONDS:g} s")
            line = process.stdout.readline()
            return results.from_dict(json.loads(line))
        except (OSError, ValueError, TypeError, KeyError):
            raise _Died(f"the worker ended before it had a result ({self._last_words()})") from None

    def _running(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_closed:
                raise _Died("the worker was closed")
            if self._process is None:
                self._log = tempfile.TemporaryFile()
                # -P: nothing in the current folder is imported.
                command = [sys.executable, "-P", "-m", "companion.grading.worker"]
                path = os.pathsep.join(
                    filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH")))
                )
                # Before torch is imported, or it starts threads that no fork survives.
                one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
                self._process = subprocess.Popen(
                    [*command, str(self.number), self.tier],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
                    env=os.environ | one_thread | {"PYTHONPATH": path},
                    start_new_session=True,  # Ctrl+C reaches the caller alone, which closes this
                )  # fmt: skip
            return self._process

    def _last_words(self) -> str:
        if self._log is None:
            return "closed"
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):  # it has ended already
            process.stdin.close()  # an idle worker ends by itself and takes its runtime along
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        if process.returncode != 0:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its checker too
        process.wait()
        process.stdout.close()
