"""`alone` and `source_size` in a notebook, where the grader is far away."""

from __future__ import annotations

import os

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from companion import checks

SETUP = """import torch
from companion.checks import NotAttempted, alone, call, same, source_size
secret = 7
open('left', 'w').write('behind')
"""
ANSWER = '''import os, zlib
import torch
from companion.data import load

KEPT = []


def pack(x):
    KEPT.append(x)
    os.environ["LEFT"] = "behind"
    return zlib.compress(x.numpy().tobytes())


def unpack(blob, *, what="values"):
    """Several ways to look around."""
    if what == "values":
        print("a word in between")
        return {"w": torch.frombuffer(bytearray(zlib.decompress(blob)), dtype=torch.float32)}
    if what == "left":
        return [KEPT, os.environ.get("LEFT"), os.listdir(), "display" in globals()]
    if what == "secret":
        return secret
    if what == "stub":
        raise NotAttempted()
    if what == "data":
        return load("mnist")
    if what == "file":
        return open("left").read()
    if what == "module":
        return torch.nn.Linear(2, 2)
    if what == "end":
        os._exit(3)
    return 1 / 0
'''


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    os.chdir(tmp_path_factory.mktemp("notebook"))
    shell = InteractiveShell()
    shell.colors = "nocolor"
    for cell in (SETUP, ANSWER, "x = torch.arange(5.0)\nblob = call('pack', x)"):
        assert shell.run_cell(cell).success
    yield shell
    os.environ.pop("LEFT", None)


def shown(shell, source):
    with capture_output() as output:
        result = shell.run_cell(source)
    return result.result, output.stdout


@pytest.fixture(autouse=True)
def folder():
    before = os.getcwd()
    yield
    os.chdir(before)


def test_the_value_comes_back(shell):
    value, _ = shown(shell, "alone('unpack', blob)")
    assert list(value) == ["w"] and torch.equal(value["w"], torch.arange(5.0))


def test_nothing_was_left_behind_for_it(shell):
    value, _ = shown(shell, "alone('unpack', blob, what='left')")
    assert value == [[], None, [], False]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("secret", f"NameError: name 'secret' is not defined\n{checks.ALONE_HINT}"),
        ("file", f"No such file or directory: 'left'\n{checks.ALONE_HINT}"),
        ("data", "no data set is within reach here"),
        ("module", "unpack gave an object of type Linear, which does not leave its process"),
        ("end", "the process of unpack ended by itself (status 3)"),
        ("stub", "not attempted: this task still holds"),
        ("zero", "ZeroDivisionError: division by zero"),
    ],
)
def test_what_it_lacks_is_said(shell, what, says):
    value, output = shown(shell, f"alone('unpack', blob, what={what!r})")
    assert value is None and says in output


def test_a_call_that_does_not_end_is_ended(shell, monkeypatch):
    monkeypatch.setattr("companion.grading.fresh.SECONDS", 1.0)
    shell.run_cell("def waits(blob):\n    while True:\n        pass")
    _, output = shown(shell, "alone('waits', blob)")
    assert "waits, run alone, was still running after 1 s" in output


def test_the_source_is_that_of_its_cell(shell):
    value, _ = shown(shell, "source_size('unpack')")
    words = (
        "values",
        "a word in between",
        "values",
        "w",
        "left",
        "LEFT",
        "display",
        "secret",
        "stub",
        "data",
        "mnist",
        "file",
        "left",
        "module",
        "end",
        "2",
        "2",
        "3",
        "1",
        "0",
    )
    assert value == sum(len(word) + 1 for word in words)


@pytest.mark.parametrize("name", ["missing", "x", "torch"])
def test_only_a_function_of_a_cell_runs_alone(shell, name):
    for verb in ("alone", "source_size"):
        _, output = shown(shell, f"{verb}({name!r})")
        assert name in output and ("no cell is known" in output or "defines no" in output)
