"""One checker judges many submissions, and none feels the one before it."""

from __future__ import annotations

import copy
import os
import sys
import time

import pytest
import torch
from notebooks import cell, hidden, notebook, solution, write

from companion.grading import results, sandbox
from companion.grading.judge import MOST_GROWTH, MOST_SUBMISSIONS, Judge, Traces
from companion.grading.worker import Job, Worker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux only")

SOURCE = notebook(
    cell("import torch\nfrom companion.checks import *\nfrom companion.checks import NotAttempted",
         "setup"),
    solution("double", "def double(x):", "return 2 * x"),
    cell("x = torch.rand(4)\nclose(call('double', x), x + x, hint='Twice.')", "test_double",
         points=1),
    hidden("close(call('double', torch.ones(3)), [2.0] * 3, hint='Once.')", "hidden_double", 2),
)  # fmt: skip
ANSWERS = {
    "right": "def double(x):\n    return x + x",
    "wrong": "def double(x):\n    return x",
    "partly": "def double(x):\n    return 2 * x if len(x) == 4 else x",
    "error": "def double(x):\n    return x / 'two'",
    "stub": "def double(x):\n    raise NotAttempted()",
    "ends": "def double(x):\n    __import__('os')._exit(3)",
    "sleeps": "def double(x):\n    __import__('time').sleep(60)",
    "giant": "def double(x):\n    return torch.zeros(2**25 + 1)",
    "deep": "def double(x):\n    for _ in range(10**4): x = [x]\n    return x",
    "garbage": "import os\ndef double(x):\n    for fd in range(3, 40):\n"
               "        try: os.write(fd, b'x' * 99)\n        except OSError: pass",
    "again": "def double(x):\n    return x + x",
}  # fmt: skip


@pytest.fixture
def judge():
    """Judges jobs that hold Python code, and gives the number of the process and the statuses."""
    made = []

    def make(memory_bytes=2**32):
        def judging(job):
            exec(job["code"], {})
            return {"pid": os.getpid()}, job.get("statuses", [results.OK])

        made.append(Judge(judging, memory_bytes))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_one_process_judges_many(judge):
    one = judge()
    pids = {one.ask({"code": ""}, 10.0)["pid"] for _ in range(4)}
    assert pids == {one.pid} and one.pid != os.getpid() and one.goes_on


def test_it_ends_in_time(judge):
    one = judge()
    for number in range(MOST_SUBMISSIONS):
        assert one.goes_on, number
        one.ask({"code": ""}, 10.0)
    assert not one.goes_on


@pytest.mark.parametrize(
    "status",
    [results.TIMEOUT, results.MEMORY, results.CRASH, results.TAMPERED, results.MALFORMED,
     results.INFRASTRUCTURE],
)  # fmt: skip
def test_it_ends_after_what_is_unusual(judge, status):
    one = judge()
    assert one.ask({"code": "", "statuses": [results.OK, status]}, 10.0) and not one.goes_on


@pytest.mark.parametrize(
    ("code", "trace"),
    [
        ("torch.set_default_dtype(torch.float64)", "default dtype"),
        ("torch.set_default_device('meta')", "default device"),
        ("torch.set_grad_enabled(False)", "gradient mode"),
        ("torch.use_deterministic_algorithms(True)", "deterministic algorithms"),
        ("torch.set_num_threads(2)", "threads of torch"),
        ("import threading; threading.Thread(target=time.sleep, args=(9,)).start()", "threads"),
        ("import builtins; builtins.kept = open('/dev/null')", "open files"),
        ("os.environ['LEFT'] = 'behind'", "environment"),
        ("os.chdir('/')", "folder"),
        ("import matplotlib.pyplot as plt; plt.figure()", "figures"),
        ("import matplotlib.pyplot as plt; plt.rcParams['font.size'] = 31", "style of figures"),
        ("torch.Tensor.sum = max", "Tensor.sum"),
        ("from companion import checks; checks.close = print", "companion.checks.close"),
        ("from companion import device; device.AVAILABLE['cuda'] = True",
         "companion.device.AVAILABLE"),
        ("from companion.grading.wire import TORCH_TYPES as t; t['bool'] = t.pop('bool')",
         "companion.grading.wire.TORCH_TYPES"),
        ("from companion import device; device._warned.add('left')", "companion.device._warned"),
        (f"import builtins; builtins.kept = b'x' * {MOST_GROWTH + 2**20}", "memory"),
    ],
)  # fmt: skip
def test_it_ends_where_a_test_cell_left_a_trace(judge, code, trace):
    import matplotlib.pyplot  # noqa: F401  (as the worker does before it forks)

    from companion.grading import checker  # noqa: F401

    says = "import os, time, torch\nfrom companion.grading.judge import Traces\n"
    one = judge()
    assert one.ask({"code": says + code}, 30.0) and not one.goes_on
    other = judge()  # it names what it found
    seen = f"traces = Traces()\n{code}\nassert {trace!r} in traces.found()"
    assert other.ask({"code": says + seen}, 30.0)


def test_filters_of_warnings_are_put_back(judge):
    one = judge()
    assert one.ask({"code": "import warnings; warnings.simplefilter('error')"}, 10.0)
    assert one.goes_on
    assert one.ask({"code": "import warnings; warnings.warn('again')"}, 10.0) and one.goes_on


def test_nothing_is_found_where_nothing_was_left():
    traces = Traces()
    torch.rand(3)
    assert traces.found() == []


def test_a_process_that_dies_or_is_late_is_no_answer(judge):
    dies, sleeps = judge(), judge()
    with pytest.raises(RuntimeError, match="ended with status 768"):
        dies.ask({"code": "import os; os._exit(3)"}, 10.0)
    assert not dies.goes_on
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="ended with status 9"):
        sleeps.ask({"code": "import time; time.sleep(60)"}, 0.5)
    assert time.monotonic() - start < 10 and not sleeps.goes_on


def test_an_exception_ends_it(judge):
    with pytest.raises(RuntimeError, match="before it had a result"):
        judge().ask({"code": "1 / 0"}, 10.0)


@pytest.fixture(scope="module")
def worker():
    running = Worker(79, sandbox.best())
    running.start()
    yield running
    running.stop()


def test_the_order_of_a_class_changes_no_result(worker, tmp_path):
    source = write(tmp_path / "solutions", "small", SOURCE)
    jobs = []
    for name, answer in ANSWERS.items():
        handed_in = copy.deepcopy(SOURCE)
        handed_in["cells"][1]["source"] = answer
        write(tmp_path / name, "small", handed_in)
        jobs.append(
            Job("small", name, str(source), str(tmp_path / name), test_seconds=2.0,
                rebuilt=str(tmp_path / "rebuilt" / f"{name}.ipynb"))
        )  # fmt: skip

    def graded(jobs):
        """Result and notebook of every student, without the times, and the checkers at work."""
        found, pids = {}, []
        for job in jobs:
            entry = worker.grade(job).to_dict()
            entry["seconds"] = [each.pop("seconds") for each in entry["cells"]] and 0
            with open(job.rebuilt, encoding="utf-8") as file:
                found[job.student] = entry, file.read()
            pids.append(worker.judge and worker.judge.pid)
        return found, pids

    forwards, pids = graded(jobs)
    backwards, _ = graded(jobs[::-1])
    assert forwards == backwards
    assert len(set(pids[:5])) == 1 and pids[5] is None  # one process until the first is lost
    statuses = {
        name: {c["status"] for c in entry["cells"]} for name, (entry, _) in forwards.items()
    }
    assert statuses["right"] == statuses["again"] == {results.OK}
    assert statuses["partly"] == {results.OK, results.WRONG}
    assert statuses["ends"] == {results.CRASH} and statuses["sleeps"] == {results.TIMEOUT}
