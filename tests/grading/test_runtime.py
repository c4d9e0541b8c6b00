"""The runtime parent forks the next session while one is at work."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import replace

import pytest

from companion.grading import sandbox
from companion.grading.checker import Runtime
from companion.grading.worker import Worker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux only")


@pytest.fixture(scope="module", params=sandbox.TIERS)
def worker(request):
    if reason := sandbox.probe()[request.param]:
        pytest.skip(f"no {request.param} here: {reason}")
    running = Worker(80, request.param)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def runtime(worker):
    """Every session has ended before, and none waits."""
    worker.requests.send(json.dumps({"do": "import", "modules": []}).encode())
    assert worker._in_step()
    yield Runtime(worker.requests, worker.policy())
    if worker.parent is not None:
        assert worker._in_step()


def sessions(worker):
    """Processes below the runtime parent, as they are seen from here."""
    return set(sandbox._descendants(worker.parent.pid)) - worker.own


def _has_ended(pid):
    """Whether a process is a zombie, or no more."""
    try:
        return sandbox._read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[0] == b"Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def start(worker, runtime):
    """Opens a session and asks it something; returns its number."""
    channel, control, pid = runtime.open()
    channel.deadline = None
    assert channel.receive()[0] == {"reply": "ready"}
    channel.send({"op": "cells", "cells": [["a", "import colorsys"]], "seed": 0})
    replies = [channel.receive()[0]["reply"] for _ in range(2)]
    assert replies == ["start", "cells"]
    channel.connection.close()
    control.close()
    return pid


def test_the_next_session_waits_where_namespaces_tell_them_apart(worker, runtime):
    worker.own = set(sandbox._descendants(worker.parent.pid))
    first = start(worker, runtime)
    alone = sessions(worker)
    for _ in range(2):  # the answer to the second comes after the fork that follows the first
        runtime.used(first)
    waiting = sessions(worker) - alone
    runtime.kill(first)
    if worker.tier not in sandbox.WITH_NAMESPACES:
        assert not waiting and not sessions(worker)
        return
    assert waiting and sessions(worker) == waiting
    second = start(worker, runtime)
    assert sessions(worker) <= waiting and second != first
    runtime.kill(second)
    assert not sessions(worker)


@pytest.mark.parametrize("change", ["policy", "import", "killed"])
def test_a_session_that_no_longer_fits_is_not_given_out(worker, runtime, change):
    worker.own = set(sandbox._descendants(worker.parent.pid))
    first = start(worker, runtime)
    alone = sessions(worker)
    for _ in range(2):
        runtime.used(first)
    waiting = sessions(worker) - alone
    runtime.kill(first)
    match change:
        case "policy":
            runtime = Runtime(worker.requests, replace(runtime.policy, n_files=99))
        case "import":
            worker.requests.send(json.dumps({"do": "import", "modules": ["colorsys"]}).encode())
            assert json.loads(worker.requests.recv(4096)) == {"imported": True}
            assert not sessions(worker)
        case "killed":
            for pid in waiting:
                os.kill(pid, signal.SIGKILL)
            while not all(_has_ended(pid) for pid in waiting):
                time.sleep(0.01)
    second = start(worker, runtime)
    assert not {pid for pid in sessions(worker) & waiting if not _has_ended(pid)}
    runtime.kill(second)
    assert not sessions(worker)


def test_none_outlives_the_parent(worker, runtime):
    worker.own = set()
    first = start(worker, runtime)
    for _ in range(2):
        runtime.used(first)
    below = sessions(worker)
    worker.stop()
    deadline = time.monotonic() + 20
    while not all(_has_ended(pid) for pid in below):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert below
