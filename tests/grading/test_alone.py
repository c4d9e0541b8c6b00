"""A function that runs alone gets its source and its arguments, and nothing else."""

from __future__ import annotations

import copy
import sys

import pytest
from notebooks import cell, hidden, notebook, solution, write

from companion import checks
from companion.grading import results, sandbox
from companion.grading.checker import Runtime
from companion.grading.worker import Job, Worker, graded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux only")

SOURCE = notebook(
    cell("import torch\nfrom companion.checks import *\n"
         "from companion.checks import NotAttempted\nsecret = 7", "setup"),
    cell("# 1  Pack", kind="markdown"),
    solution("pack", "import zlib\nimport torch\n\n\ndef pack(x):", "return x.numpy().tobytes()")
    | {"source": "import zlib\nimport torch\n\n\ndef pack(x):\n"
       "    ### BEGIN SOLUTION\n    return zlib.compress(x.numpy().tobytes())\n    ### END SOLUTION"
       "\n\n\ndef unpack(blob):\n    ### BEGIN SOLUTION\n"
       "    return torch.frombuffer(bytearray(zlib.decompress(blob)), dtype=torch.float32)\n"
       "    ### END SOLUTION"},
    cell("x = torch.arange(5.0)\nblob = call('pack', x)\nsame(alone('unpack', blob), x)\n"
         "same(source_size('unpack') < 10, True)", "test_pack", points=1),
    hidden("x = torch.randn(5, generator=torch.Generator().manual_seed(7))\n"
           "blob = call('pack', x)\nsame(alone('unpack', blob), x, hint='Not what was packed.')\n"
           "same(alone('unpack', blob), x, hint='Not what was packed.')", "hidden_pack", 2),
    cell("# 2  Double", kind="markdown"),
    solution("double", "def double(x):", "return 2 * x"),
    cell("close(call('double', torch.ones(2)), [2.0, 2.0])", "test_double", points=1),
)  # fmt: skip
PACK = """import zlib, torch, os
def pack(x):
    return zlib.compress(x.numpy().tobytes())
"""
UNPACK = """def unpack(blob):
    return torch.frombuffer(bytearray(zlib.decompress(blob)), dtype=torch.float32)
"""
GARBAGE = """for fd in range(3, 40):
        try: os.write(fd, b'x' * 99)
        except OSError: pass"""


@pytest.fixture(scope="module", params=[sandbox.best(), "landlock", "none"])
def worker(request):
    if reason := sandbox.probe()[request.param]:
        pytest.skip(f"no {request.param} here: {reason}")
    running = Worker(78, request.param)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def grade(worker, tmp_path, monkeypatch):
    source = write(tmp_path / "solutions", "small", SOURCE)

    def grade(answer, extra="", test_seconds=20.0, double="def double(x):\n    return 2 * x"):
        handed_in = copy.deepcopy(SOURCE)
        for place in handed_in["cells"]:
            name = place["metadata"].get("nbgrader", {}).get("grade_id")
            place["source"] = {"pack": answer, "double": double}.get(name, place["source"])
        if extra:
            handed_in["cells"].insert(2, cell(extra))
        write(tmp_path / "submitted", "small", handed_in)
        job = Job("small", "ada", str(source), str(tmp_path / "submitted"),
                  test_seconds=test_seconds)  # fmt: skip
        assert worker._in_step()
        if worker.tier in ("landlock", "none"):
            sandbox.tidy_scratch(str(worker.work / "scratch"))
        monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
        try:
            result = graded(job, Runtime(worker.requests, worker.policy()))
        finally:
            checks.use_elsewhere(None)
        assert result.status == results.OK, result.message
        return {c.grade_id: c for c in result.cells}

    return grade


def lost(cells):
    return {name: c.status for name, c in cells.items() if c.points < c.max_points}


def test_a_right_answer_gets_all_points(grade):
    assert lost(grade(PACK + UNPACK)) == {}


def test_a_helper_and_a_table_come_along(grade):
    answer = PACK + (
        "KINDS = {}\nfor name in ('float32',):\n    KINDS[name] = getattr(torch, name)\n"
        "def helper(data):\n    return torch.frombuffer(data, dtype=KINDS['float32'])\n"
        "x = pack(torch.ones(2))\nraise_later = secret_of_no_one = 1\n"
        "def unpack(blob):\n    x = bytearray(zlib.decompress(blob))\n    return helper(x)\n"
        "print(unpack(pack(torch.ones(2))))\n"
    )
    assert lost(grade(answer)) == {"test_pack": results.WRONG}  # its strings and numbers count


def test_a_stub_is_not_attempted(grade):
    stub = "def unpack(blob):\n    raise NotAttempted()\n"
    found = grade(PACK + stub)
    assert {found["test_pack"].status, found["hidden_pack"].status} == {results.NOT_ATTEMPTED}


@pytest.mark.parametrize("leans_on", ["secret", "own"])
def test_a_variable_of_another_cell_is_out_of_reach(grade, leans_on):
    answer = PACK + f"def unpack(blob):\n    return {leans_on}\n"
    found = grade(answer, extra="import torch\nown = torch.arange(5.0)")
    assert found["test_pack"].status == results.WRONG
    assert f"name '{leans_on}' is not defined" in found["test_pack"].message
    assert "its own cell" in found["test_pack"].message
    assert found["hidden_pack"].message == checks.ALONE_HINT


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ("while True: pass", results.TIMEOUT),
        ("os._exit(3)", results.CRASH),
        ("return [0] * 10**10", results.MEMORY),
        (GARBAGE, results.TAMPERED),
        ("return torch.nn.Linear(2, 2)", results.WRONG),
        ("return 1 / 0", results.ERROR),
    ],
)  # fmt: skip
def test_what_ends_the_process_costs_its_own_question(grade, ends, status):
    found = grade(PACK + f"def unpack(blob):\n    {ends}\n", test_seconds=3.0)
    assert {found["test_pack"].status, found["hidden_pack"].status} == {status}, found
    assert found["test_double"].status == results.OK
