"""A worker that dies costs a second try, and never the class."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from companion.grading import client, results
from companion.grading.client import WorkerClient
from companion.grading.worker import Job

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "fixtures_assignment" / "solutions" / "90_tiny" / "90_tiny.ipynb"
WORKER = """#!{python}
import json, os, sys, time
from pathlib import Path

starts = Path({starts!r})
starts.write_text(starts.read_text() + f"{{os.getpid()}}\\n")
for line in sys.stdin:
    job = json.loads(line)
    if job["student"] == "fatal" or (job["student"] == "once" and starts.read_text().count("\\n") < 2):
        print("last words", file=sys.stderr)
        sys.exit(3)
    if job["student"] == "endless":
        time.sleep(600)
    result = dict(assignment=job["assignment"], student=job["student"], tier=sys.argv[-1], seed=job["seed"],
                  cells=[], notes=[sys.argv[-2]], versions={{}}, status="ok", message="", written=[], seconds=0)
    print("garbage" if job["student"] == "garbage" else json.dumps(result), flush=True)
"""  # noqa: E501


@pytest.fixture
def starts(tmp_path, monkeypatch):
    """Stands in for the worker; gives a function that lists the processes started so far."""
    path, program = tmp_path / "starts", tmp_path / "worker"
    path.write_text("")
    program.write_text(WORKER.format(python=sys.executable, starts=str(path)))
    program.chmod(0o755)
    monkeypatch.setattr(client.sys, "executable", str(program))
    return lambda: [int(line) for line in path.read_text().split()]


def job(student):
    return Job("90_tiny", student, str(SOURCE), "/nowhere", seed=7)


def is_running(pid):
    return Path(f"/proc/{pid}").exists()


def test_one_process_answers_all_jobs_and_ends_with_the_client(starts):
    with WorkerClient(3, "landlock") as worker:
        assert starts() == []  # nothing starts before the first job
        found = [worker.grade(job(name)) for name in ("a", "b")]
    assert [(r.student, r.tier, r.notes, r.seed) for r in found] == [
        ("a", "landlock", ("3",), 7),
        ("b", "landlock", ("3",), 7),
    ]
    (pid,) = starts()
    assert not is_running(pid)


def test_a_worker_that_dies_is_restarted_and_the_job_is_tried_again(starts):
    with WorkerClient(0, "none") as worker:
        assert worker.grade(job("once")).status == results.OK
    assert len(starts()) == 2


@pytest.mark.parametrize("student, says", [("fatal", "last words"), ("garbage", "no message")])
def test_a_job_that_no_worker_survives_is_not_scored_and_the_next_one_is(starts, student, says):
    with WorkerClient(0, "none") as worker:
        result = worker.grade(job(student))
        assert worker.grade(job("next")).status == results.OK
    assert result.status == results.INFRASTRUCTURE and says in result.message
    assert {cell.status for cell in result.cells} == {results.INFRASTRUCTURE}
    assert len(result.cells) == 5 and len(starts()) == 3


def test_a_worker_that_never_answers_is_given_up(starts, monkeypatch):
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(client, "END_SECONDS", 0.1)
    with WorkerClient(0, "none") as worker:
        result = worker.grade(job("endless"))
    assert result.status == results.INFRASTRUCTURE and "no answer within 0.5 s" in result.message
    assert not any(is_running(pid) for pid in starts())


def test_close_ends_a_job_in_another_thread_for_good(starts, monkeypatch):
    monkeypatch.setattr(client, "END_SECONDS", 0.1)
    worker, found = WorkerClient(0, "none"), []
    thread = threading.Thread(target=lambda: found.append(worker.grade(job("endless"))))
    thread.start()
    while not starts():
        time.sleep(0.01)
    worker.close()
    thread.join(20)
    assert [result.status for result in found] == [results.INFRASTRUCTURE]
    assert len(starts()) == 1 and not is_running(starts()[0])


def test_the_client_needs_neither_torch_nor_nbgrader():
    code = "import sys, companion.grading.client; print({'torch', 'nbgrader'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "set()\n"
