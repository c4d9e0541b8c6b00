"""What becomes of right, wrong, broken and endless answers.  The checker runs in this process."""

from __future__ import annotations

import copy
import importlib
import pkgutil
import sys
import time
import types

import pytest
import torch
from notebooks import cell, hidden, notebook, solution, write

import companion
from companion import checks
from companion.grading import results, runtime, sandbox
from companion.grading.checker import Checker, Runtime
from companion.grading.seal import Seal
from companion.grading.wire import Channel
from companion.grading.worker import Job, Worker, graded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux only")

SOURCE = notebook(
    cell(
        "import torch\nfrom companion.checks import *\nfrom companion.checks import NotAttempted",
        "setup",
    ),
    cell("# 1  Double", kind="markdown"),
    solution("double", "def double(x):", "return 2 * x"),
    cell("close(call('double', torch.arange(3.0)), [0.0, 2.0, 4.0], hint='Twice.')",
         "test_double", points=1),
    hidden("x = torch.randn(5, generator=torch.Generator().manual_seed(7))\n"
           "close(call('double', x), x + x, hint='Not twice.')\n"
           "close(vjp('double', [x], torch.ones(5))[0], 2 * torch.ones(5), hint='No gradient.')",
           "hidden_double", 2),
    cell("def through(f, x):\n    return double(x) if f is None else f(double(x))\n\n\n"
         "def alone(x):\n    return ('outside', x)", "helpers"),
    cell("# 2  Layer", kind="markdown"),
    solution("layer", "class Layer(torch.nn.Module):\n    def __init__(self, n):",
             "    super().__init__()\n    self.inner = torch.nn.Linear(n, n, bias=False)"),
    cell("module = call('Layer', 3)\n"
         "same(list(state(module)), ['inner.weight'])\nsame(n_parameters(module), 9)\n"
         "same(call(module, method='train') is not None, True)", "test_layer", points=1),
    cell("same(state(module)['inner.weight'].shape, torch.Size([3, 3]))", "test_kept", points=1),
    cell("# 3  Draw", kind="markdown"),
    solution("draw", "def draw(n, generator):", "return torch.randn(n, generator=generator)"),
    cell("g, h = (torch.Generator().manual_seed(1) for _ in range(2))\n"
         "close(call('draw', 3, g), torch.randn(3, generator=h))\n"
         "close(call('draw', 3, g), torch.randn(3, generator=h), hint='It was not used.')\n"
         "close(call('through', lambda y: y + 1, torch.zeros(2)), torch.ones(2))\n"
         "close(call('through', torch.exp, torch.zeros(2)), torch.ones(2))\n"
         "same(call('alone', 3), ('outside', 3))\n"
         "close(double(torch.ones(1)), [2.0])\n"
         "same(operations('double', torch.ones(2)) < 4, True)\n"
         "raises(TypeError, 'double', hint='One argument is wanted.')", "test_draw", points=1),
    cell("with forbid('mul', hint='Without a product.'):\n    call('draw', 2, g)\n"
         "partial(0.25, 'half way') if call('draw', 1, g).numel() > 1 else None",
         "test_rules", points=1),
)  # fmt: skip
GARBAGE = """import os
def double(x):
    for fd in range(3, 40):
        try: os.write(fd, b'x' * 99)
        except OSError: pass"""
THREAD = (
    "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n"
)
ALL = {"test_double": 1, "hidden_double": 2, "test_layer": 1, "test_kept": 1, "test_draw": 1,
       "test_rules": 1}  # fmt: skip


@pytest.fixture(scope="module")
def worker():
    running = Worker(77, sandbox.best())
    running.start()
    yield running
    running.stop()


@pytest.fixture
def grade(worker, tmp_path, monkeypatch):
    """Grades the notebook with other answers; `extra` cells go before the cells of that name."""
    source = write(tmp_path / "solutions", "small", SOURCE)

    def grade(extra=None, seed=0, test_seconds=20.0, cell_seconds=20.0, change=None, **answers):
        handed_in = copy.deepcopy(SOURCE)
        for place in handed_in["cells"]:
            name = place["metadata"].get("nbgrader", {}).get("grade_id")
            place["source"] = answers.get(name, place["source"])
        for name, text in (extra or {}).items():
            at = next(i for i, c in enumerate(handed_in["cells"])
                      if c["metadata"].get("nbgrader", {}).get("grade_id") == name)  # fmt: skip
            handed_in["cells"].insert(at, cell(text))
        (change or (lambda nb: None))(handed_in)
        write(tmp_path / "submitted", "small", handed_in)
        job = Job("small", "ada", str(source), str(tmp_path / "submitted"), seed=seed,
                  test_seconds=test_seconds, cell_seconds=cell_seconds)  # fmt: skip
        assert worker._in_step()
        monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
        try:
            return graded(job, Runtime(worker.requests, worker.policy()))
        finally:
            checks.use_elsewhere(None)

    return grade


def by_name(result):
    return {c.grade_id: c for c in result.cells}


def lost(result):
    """Status by test cell, of those that did not get all points."""
    return {c.grade_id: c.status for c in result.cells if c.points < c.max_points}


def test_a_right_answer_gets_all_points(grade):
    result = grade()
    assert lost(result) == {} and result.points() == ALL and result.score == result.max_score == 7
    assert result.status == results.OK and result.tier in sandbox.TIERS
    assert all(c.seconds > 0 and not c.message for c in result.cells)
    assert set(result.versions) >= {"torch", "python", "nbgrader"}


def test_a_wrong_answer_is_told_what_was_seen_where_the_test_is_visible(grade):
    cells = by_name(grade(double="def double(x):\n    return 3 * x"))
    visible, further = cells["test_double"], cells["hidden_double"]
    assert visible.status == further.status == results.WRONG
    assert "the largest error is at index (1,): 3 instead of 2" in visible.message
    assert visible.message.endswith("Twice.")
    assert further.message == "Not twice." and "instead of" in further.details
    assert further.is_hidden and not visible.is_hidden


def test_an_exception_is_located_in_the_students_cell(grade):
    cells = by_name(grade(double="def double(x):\n    y = 1\n    return y / 0 * len(str(x))"))
    assert cells["test_double"].status == results.ERROR
    assert cells["test_double"].message == "ZeroDivisionError: division by zero"
    assert cells["test_double"].where == ("double", 3, "return y / 0 * len(str(x))")
    assert cells["hidden_double"].message == "ZeroDivisionError was raised."


@pytest.mark.parametrize(
    "answer",
    [
        "class Input(Exception): pass\ndef double(x):\n    raise Input(str(x))",
        "def double(x):\n    raise type('A_' + '_'.join(str(v) for v in x.tolist()), "
        "(Exception,), {})('')",
        "def double(x):\n    raise ValueError(str(x.tolist()))",
        "def double(x):\n    raise CheckFailed('value', '', str(x.tolist()))",
        "def double(x):\n    raise CheckFailed(str(x.tolist()), '', '')",
    ],
)
def test_hidden_inputs_do_not_come_back_in_messages(grade, answer):
    answer = "from companion.checks import CheckFailed\n" + answer
    x = torch.randn(5, generator=torch.Generator().manual_seed(7))
    further = by_name(grade(double=answer))["hidden_double"]
    shown = further.message + further.hint + further.category
    assert further.points == 0 and further.message
    assert not any(f"{abs(value):.3f}"[:5] in shown for value in x.tolist())


def test_a_cell_that_stops_early_explains_what_follows(grade):
    cells = by_name(grade(double="def double(x):\n    return (x"))
    message = cells["test_double"].message
    assert message.startswith("Your cell stopped with SyntaxError") and "renamed" not in message
    assert cells["test_double"].where[:2] == ("double", 2)
    assert cells["test_layer"].status == results.OK


def test_a_stub_is_not_attempted(grade):
    result = grade(double="def double(x):\n    raise NotAttempted()", layer="")
    found = lost(result)
    assert found["test_double"] == found["hidden_double"] == results.NOT_ATTEMPTED
    assert {"test_layer", "test_kept", "test_draw"} <= set(found) and "test_rules" not in found
    assert by_name(result)["test_double"].message.startswith("not attempted")


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ("import os\nos._exit(3)", results.CRASH, "exit status 3"),
        ("import os\ndef double(x):\n    os._exit(3)", results.CRASH, "exit status 3"),
        ("import ctypes\ndef double(x):\n    ctypes.string_at(0)", results.CRASH, "SIGSEGV"),
        ("while True:\n    pass", results.TIMEOUT, "a cell was still running after 2 s"),
        ("def double(x):\n    while True:\n        pass", results.TIMEOUT, "after 2 s"),
        ("import time\ndef double(x):\n    time.sleep(99)", results.TIMEOUT, "after 2 s"),
        ("def double(x):\n    return torch.ones(10**10)", results.MEMORY, "too much memory"),
        ("def double(x):\n    return [0] * 10**10", results.MEMORY, "too much memory"),
        (GARBAGE, results.TAMPERED, "the process sent"),
    ],
)  # fmt: skip
def test_what_ends_the_process_costs_its_own_question(grade, answer, status, says):
    result = grade(double=answer, test_seconds=2.0, cell_seconds=2.0, draw="def draw(n, generator):"
                   "\n    return torch.randn(n, generator=generator)")  # fmt: skip
    found = lost(result)
    assert {found["test_double"], found["hidden_double"]} == {status}
    assert says in by_name(result)["test_double"].message
    assert "test_layer" not in found and "test_kept" not in found and "test_rules" not in found


@pytest.mark.parametrize(
    ("waited", "used", "more"),
    [
        (10.0, 9.9, 0.1),  # alone on its processor
        (10.0, 4.0, 6.0),  # it had 4 of its 10 seconds
        (10.0, 0.1, 0.0),  # it sleeps
        (10.0, 12.0, -2.0),
        (61.0, 9.0, 0.0),  # long enough, whatever it does
    ],
)
def test_limits_are_processor_time_on_a_busy_machine(monkeypatch, waited, used, more):
    now = 1000.0
    checker = object.__new__(Checker)
    checker.end = now + 1000.0
    checker.used = 5.0, now - waited - 3.0  # read three seconds before this test began
    checker.runtime = types.SimpleNamespace(used=lambda pid: 5.0 + 3.0 + used)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert checker.more_time(1, now - waited, 10.0) == pytest.approx(more)


def test_an_answer_that_is_lost_leaves_the_set_up(grade):
    result = grade(layer="import os\nos._exit(1)")
    assert set(lost(result)) == {"test_layer", "test_kept"}


def test_a_thread_that_stays_costs_nothing(grade):
    result = grade(double=THREAD + "def double(x):\n    return 2 * x")
    assert lost(result) == {} and result.points() == ALL
    assert not any("threads" in note for note in result.notes)


def test_a_loss_beside_a_thread_costs_its_own_question(grade):
    dies = "class Layer:\n    def __init__(self, n): __import__('os')._exit(1)"
    result = grade(double=THREAD + "def double(x):\n    return 2 * x", layer=dies)
    assert set(lost(result)) == {"test_layer", "test_kept"}
    assert any("starts threads that stay" in note for note in result.notes)


def test_snapshots_are_taken_after_a_loss_only(grade, monkeypatch):
    sent = []
    send = Channel.send
    monkeypatch.setattr(Channel, "send", lambda self, header, *more: (
        sent.append(header["op"]), send(self, header, *more)))  # fmt: skip
    assert lost(grade()) == {} and "fork" not in sent
    assert set(lost(grade(layer="import os\nos._exit(1)"))) == {"test_layer", "test_kept"}
    assert sent.count("fork") == 2  # the lost question once more, and the one after it


@pytest.mark.parametrize(
    "damage",
    [
        "torch.set_default_dtype(torch.float64)",
        "torch.set_grad_enabled(False)",
        "torch.manual_seed(5)",
        "__import__('threading').Timer(0.1, __import__('os')._exit, (1,)).start()",
    ],
)
def test_what_a_call_leaves_behind_costs_no_later_question(grade, damage):
    # One call of the first question does it; the others show whether it is still there.
    torch.manual_seed(2)  # as before the cells of the third question
    answer = (
        "def double(x):\n    if x.numel() == 5 and not x.requires_grad:\n"
        f"        {damage}\n    return 2 * x"
    )
    extra = "import time\ntime.sleep(0.2)\nnumber = torch.rand(1).item()"  # the timer fires
    draw = (
        f"def draw(n, generator):\n    assert number == {torch.rand(1).item()}\n"
        "    return torch.randn(n, generator=generator)"
    )
    found = lost(grade(double=answer, draw=draw, extra={"draw": extra}))
    assert set(found) <= ({"hidden_double"} if "_exit" in damage else set())


def test_prints_warnings_and_sys_exit_cost_nothing(grade):
    noisy = (
        "import sys, warnings\nprint('x' * 10**6)\nwarnings.warn('old')\n"
        "def double(x):\n    print('called', file=sys.stderr)\n    return 2 * x\nsys.exit()"
    )
    assert lost(grade(double=noisy)) == {}


def test_what_was_replaced_is_put_back(grade):
    patched = "import torch\ntorch.Tensor.sum = lambda *a, **k: 0\n"
    result = grade(double=patched + "def double(x):\n    return 2 * x")
    assert lost(result) == {}
    assert any("Tensor.sum had been replaced" in note for note in result.notes)


def test_every_module_that_answers_use_is_loaded_and_sealed():
    for name in runtime.PRELOAD:
        importlib.import_module(name)
    sealed = {place.__name__ for place, *_ in Seal().kept}
    of_the_course = {"cli", "doctor", "explorables", "grading", "selfcheck", "storage", "workspace"}
    modules = {module.name for module in pkgutil.iter_modules(companion.__path__)} - {"__main__"}
    assert {f"companion.{name}" for name in modules - of_the_course} <= sealed


def test_a_forbidden_operator_is_named(grade):
    answer = "def draw(n, generator):\n    return 1.0 * torch.randn(n, generator=generator)"
    rules = by_name(grade(draw=answer))["test_rules"]
    assert rules.status == results.WRONG and rules.category == "forbidden"
    assert "the operator 'mul' ran" in rules.message and "Without a product." in rules.message


def test_partial_credit_comes_with_its_reason(grade):
    answer = (
        "def draw(n, generator):\n    return torch.randn(max(n, 2), generator=generator)[:n + 1]"
    )
    rules = by_name(grade(draw=answer))["test_rules"]
    assert rules.points == 0.25 and rules.message == "partial credit: half way"


def test_another_seed_draws_hidden_tests_anew(grade):
    seen = torch.randn(5, generator=torch.Generator().manual_seed(7)).tolist()
    answer = (
        f"def double(x):\n    known = {seen}\n    given = x.detach().tolist()\n"
        "    return 2 * x if given == known or len(given) != 5 else 3 * x"
    )
    assert lost(grade(double=answer)) == {}
    assert lost(grade(double=answer, seed=11)) == {"hidden_double": results.WRONG}
    assert lost(grade(seed=11)) == {}


def test_random_numbers_of_answers_are_the_same_each_time(grade):
    answer = "noise = torch.rand(1).item()\ndef double(x):\n    raise ValueError(repr(noise))"
    one, two, other = (
        by_name(grade(double=answer, seed=s))["test_double"].message for s in (0, 0, 1)
    )
    assert one == two != other


def test_the_checker_reads_no_students_object_by_accident(grade):
    sly = (
        "class Sly(float):\n    def __eq__(self, other): return True\n"
        "    def __sub__(self, other): return 0.0\n    __rsub__ = __sub__\n"
        "def double(x):\n    return [Sly(9) for _ in range(len(x))]"
    )
    assert set(lost(grade(double=sly))) >= {"test_double", "hidden_double"}


def test_a_false_answer_to_a_fork_is_no_failure_of_the_grader(grade):
    speaks = (
        "import gc\nfrom companion.grading.wire import Channel\n"
        "def double(x):\n    return 2 * x\n"
        "for thing in gc.get_objects():\n"
        "    if isinstance(thing, Channel):\n"
        "        class Twice(Channel):\n"
        "            def send(self, header, buffers=()):\n"
        "                super().send(header, buffers)\n"
        "                if header.get('reply') == 'cells': super().send({'reply': 'nonsense'})\n"
        "        thing.__class__ = Twice"
    )
    result = grade(double=speaks)
    # The cell that does it runs before every later question of this student too.
    assert result.status == results.OK and set(lost(result).values()) == {results.TAMPERED}


def test_a_worker_leaves_no_folder_behind(worker):
    other = Worker(78, worker.tier)
    other.start()
    folder = other.work
    assert (folder / "scratch").is_dir()
    other.stop()
    assert not folder.exists()


def test_helpers_in_extra_cells_run_in_place(grade):
    result = grade(extra={"double": "def twice(x):\n    return x + x"},
                   double="def double(x):\n    return twice(x)")  # fmt: skip
    assert lost(result) == {}


def test_an_endless_constructor_costs_its_own_question(grade):
    result = grade(layer="class Layer:\n    def __init__(self, n):\n        while True: pass",
                   test_seconds=1.0)  # fmt: skip
    assert lost(result)["test_layer"] == results.TIMEOUT and "test_draw" not in lost(result)


def test_the_test_split_is_out_of_reach(grade):
    looks = (
        "from companion.data import load\nfrom pathlib import Path\nimport companion\n"
        "files = Path(companion.__file__).parent / 'data' / 'files'\n"
        "try:\n    found = [p.name for p in files.iterdir() if p.read_bytes()]\n"
        "except OSError:\n    found = []\n"
        "test, train = load('mnist1d', split='test'), load('mnist1d')\n"
        "def double(x):\n"
        "    assert not found, found\n"
        "    assert torch.equal(test.inputs, train.inputs[3000:]) and len(test) == 1000\n"
        "    return 2 * x"
    )
    assert lost(grade(double=looks)) == {}


def test_a_malformed_notebook_is_no_crash(grade, tmp_path):
    def spoil(nb):
        nb["nbformat"] = 3

    result = grade(change=spoil)
    assert result.status == results.MALFORMED and result.score == 0 and result.max_score == 7
    assert "JupyterLab" in result.message
    assert {c.status for c in result.cells} == {results.MALFORMED}
    assert by_name(result)["hidden_double"].is_hidden


def test_results_survive_their_file(grade, tmp_path):
    result = grade(double="def double(x):\n    return x / 0")
    assert results.read(results.write(result, tmp_path)) == result
