"""The runtime parent: imports torch once, and forks a sandboxed session for each submission.

    python -m companion.grading.runtime SOCKET [--spawn]

It never runs student code and knows no test.  Requests come as JSON over the inherited
SOCK_SEQPACKET socket number SOCKET: "open" (with the session's two sockets attached), "kill",
"end" (of one session), "used" (processor time), "import" (of modules, for the sessions to come),
"sync".  While a session is at work, the next one is forked and isolated ahead, where a session's
processes can be told from others.  With `--spawn` nothing is imported before a fork: slower, for
machines where importing torch leaves a thread behind, after which a fork could hang.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import companion
from companion.grading import sandbox
from companion.grading.light import import_torch
from companion.grading.sandbox import Policy

# Modules of `companion` that run the course, and that no answer imports.
OF_THE_COURSE = frozenset(
    {"cli", "doctor", "explorables", "grading", "selfcheck", "storage", "workspace"}
)
PRELOAD = (
    "torch", "numpy", "matplotlib.pyplot",
    *(f"companion.{name}" for name in dir(companion) if name not in OF_THE_COURSE),
)  # fmt: skip
HIDDEN_ARRAYS = ("mnist1d", "mnist", "fashion_mnist")
GIVEN_NETS = ("digit_net",)
N_TRAIN = 4000  # examples of the training split of each of them
WATCH_SECONDS = 0.1


def preload(arrays: dict[str, dict[str, Any]]) -> Any:
    """Imports what student code uses; puts the training arrays where `load` finds them."""
    import_torch()
    for name in PRELOAD:
        importlib.import_module(name)
    import torch

    from companion.data import loading
    from companion.grading.seal import Seal

    torch.set_num_threads(1)
    loading.keep_training_part(arrays)
    warm()
    return Seal()


def warm() -> None:
    """Does once what torch and NumPy do at their first use, so that no session pays for it."""
    import numpy.random  # noqa: F401  (`import numpy` leaves it for later)
    import torch

    from companion import checks

    x = torch.ones(2, 3, requires_grad=True)
    with checks.forbid("convolution"):
        (x @ x.T).sum().backward()


def training_arrays() -> dict[str, dict[str, Any]]:
    """The training part of the shipped arrays, and nets that answers start from.

    Test parts stay outside of every session.
    """
    import numpy as np

    folder = Path(__file__).resolve().parents[1] / "data" / "files"
    found = {}
    for name in HIDDEN_ARRAYS:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
            found[name] = {key: file[key][:N_TRAIN].copy() for key in file.files}
    for name in GIVEN_NETS:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
            found[name] = {key: file[key].copy() for key in file.files}
    return found


class Parent:
    """The loop that opens and kills sessions, and watches their memory."""

    def __init__(self, requests: socket.socket, *, spawn: bool) -> None:
        self.requests = requests
        self.arrays = training_arrays()
        _return_freed_memory()  # it held the test images
        self.seal = None if spawn else preload(self.arrays)
        gc.freeze()  # what forks share, they need not look through
        self.sessions: dict[int, Policy] = {}
        self.waiting: tuple[int, Policy, socket.socket] | None = None  # not yet given to anybody
        self.ended: dict[int, tuple[str, int]] = {}  # why, and wait status
        sandbox.become_subreaper()

    def run(self) -> None:
        self._answer({"ready": True, "threads": _n_threads()})
        while True:
            wait = WATCH_SECONDS if self.sessions else None
            if select.select([self.requests], [], [], wait)[0]:
                message, fds, _, _ = socket.recv_fds(self.requests, 65536, 2)
                if not message:
                    break
                request = json.loads(message)
                self._answer(self._handle(request, fds))
                if request["do"] == "used":  # a question begins, so there is time
                    self._fork_ahead()
            self._watch()
        for pid in list(self.sessions):
            self._kill(pid)
        self._drop_waiting()

    def _answer(self, reply: dict[str, Any]) -> None:
        self.requests.send(json.dumps(reply).encode())

    def _handle(self, request: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        match request["do"]:
            case "open":
                return self._open(Policy(**request["policy"]), fds)
            case "kill":
                for pid in list(self.sessions):
                    self._kill(pid)
                why, status = self.ended.pop(request["pid"], ("", signal.SIGKILL))
                self.ended.clear()
                return {"why": why, "status": status}
            case "end":
                self._kill(request["pid"])
                return {"ended": self.ended.pop(request["pid"])[1]}
            case "import":
                if self.seal is not None:
                    self._drop_waiting()
                    for name in request["modules"]:
                        importlib.import_module(name)
                    gc.freeze()
                return {"imported": True}
            case "used":
                return {"used": sandbox.cpu_used(request["pid"])}
        return {"sync": request["token"]}

    def _open(self, policy: Policy, fds: list[int]) -> dict[str, Any]:
        n_threads = _n_threads()
        if n_threads > 1:
            for fd in fds:
                os.close(fd)
            return {"threads": n_threads}
        pid = (None if policy.bare else self._wake(policy, fds)) or self._fork(policy, fds)
        for fd in fds:
            os.close(fd)
        self.sessions[pid] = policy
        return {"pid": pid}

    def _fork_ahead(self) -> None:
        """Forks the session that comes next: one like that which is at work."""
        policy = next((p for p in self.sessions.values() if not p.bare), None)
        if self.waiting or policy is None or policy.tier not in sandbox.WITH_NAMESPACES:
            return
        if self.seal is None:  # it would count what it imports as memory of the one at work
            return
        near, far = socket.socketpair()
        with contextlib.suppress(OSError):  # too many processes now: `_open` forks when it is time
            self.waiting = self._fork(policy, [far.fileno()]), policy, near
        far.close()

    def _wake(self, policy: Policy, fds: list[int]) -> int | None:
        """Gives `fds` to the session that waits; None where none of this kind does."""
        if self.waiting is None:
            return None
        pid, its_policy, wakes = self.waiting
        if its_policy == policy:
            with contextlib.suppress(OSError):  # it has ended
                socket.send_fds(wakes, [b"w"], fds)
                wakes.close()
                self.waiting = None
                return pid
        self._drop_waiting()
        return None

    def _drop_waiting(self) -> None:
        if self.waiting is not None:
            pid, policy, wakes = self.waiting
            wakes.close()
            sandbox.kill_session(pid, policy)
        self.waiting = None

    def _fork(self, policy: Policy, fds: list[int]) -> int:
        pid = sandbox.fork(policy)
        if pid == 0:
            try:
                self._become_session(policy, fds)
            finally:
                os._exit(70)
        return pid

    def _become_session(self, policy: Policy, fds: list[int]) -> None:
        """`fds` are those of the session's two sockets, or of one through which they will come."""
        failure = None
        try:
            if self.seal is None:  # the session itself will import from companion/grading
                hidden = tuple(path for path in policy.hidden if not path.endswith("grading"))
                policy = replace(policy, hidden=hidden)
            else:
                from companion.grading.session import Session
            sandbox.isolate(policy, keep_fds=tuple(fds))
            if self.seal is None:
                self.seal = preload(self.arrays)
                from companion.grading.session import Session
            if policy.bare:
                from companion.data import loading

                loading.take_away()
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
        if len(fds) == 1:
            if not failure:
                self.seal.restore()  # touches pages while nobody waits for it
            with socket.socket(fileno=fds[0]) as wakes:
                _, fds, _, _ = socket.recv_fds(wakes, 1, 2)
            if not fds:
                return
        data, control = (socket.socket(fileno=fd) for fd in fds)
        if failure:
            # Before the first cell, so the checker takes it for what it is: a failure of ours.
            from companion.grading.wire import Channel

            Channel(data).send({"reply": "failed", "why": failure})
            return
        Session(data, control, self.seal).serve()

    def _watch(self) -> None:
        for pid, policy in list(self.sessions.items()):
            # The exact number takes longer, and is the smaller one.
            limit = policy.memory_bytes
            if sandbox.memory_used() > limit and sandbox.memory_used(exact=True) > limit:
                self._kill(pid, "memory")

    def _kill(self, pid: int, why: str = "") -> None:
        policy = self.sessions.pop(pid)
        self.ended[pid] = why, sandbox.kill_session(pid, policy)


def _n_threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _return_freed_memory() -> None:
    """Freed memory keeps its content until it is used again, and forks could read it."""
    with contextlib.suppress(AttributeError):  # not every C library has it
        ctypes.CDLL(None).malloc_trim(0)


def main(arguments: list[str]) -> None:
    warnings.filterwarnings("ignore")
    requests = socket.socket(fileno=int(arguments[0]))
    Parent(requests, spawn="--spawn" in arguments).run()


if __name__ == "__main__":
    main(sys.argv[1:])
