"""Right answers score full, wrong ones fail exactly as tabled; the runner notices otherwise."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from companion.grading.names import names_defined, names_used, parsed
from companion.grading.rebuild import Cell, handed_out
from tools import variants
from tools._assignment import Assignment, Task, find, load
from tools._runner import Job, Runner

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures_assignment"
ASSIGNMENTS = {assignment.name: assignment for assignment in find(ROOT)}
TASKS = [(a.name, task) for a in ASSIGNMENTS.values() for task in a.tasks]
STORED = [(name, t) for name, t in TASKS if "stored" in ASSIGNMENTS[name].expectations(t)]


@pytest.fixture(scope="module")
def runner():
    with Runner(preload=variants.preload([*ASSIGNMENTS.values(), *find(FIXTURES)])) as running:
        yield running


@pytest.fixture
def tiny(tmp_path) -> Assignment:
    """A private copy of the tiny assignment, to be broken."""
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    (assignment,) = find(tmp_path)
    return assignment


def problems_of(assignment, task, runner, **options):
    report = variants.run_task(assignment, task, runner, **options)
    return "\n".join([*report.problems, *(p for r in report.results for p in r.problems)])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task"), [case for case in TASKS if case not in STORED])
def test_variants_are_as_tabled(name, task, runner):
    check_all(name, task, runner)


@pytest.mark.full
@pytest.mark.parametrize(("name", "task"), STORED)
def test_variants_that_take_long_are_as_tabled(name, task, runner):
    check_all(name, task, runner)


def check_all(name, task, runner):
    assignment = ASSIGNMENTS[name]
    report = variants.run_task(assignment, task, runner)
    assert report.holds, "\n".join(variants.table_lines(report, assignment))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task"), STORED)
def test_a_few_of_those_that_take_long_are_as_tabled(name, task, runner):
    assignment = ASSIGNMENTS[name]
    for variant in variants.a_few(assignment, task):
        assert problems_of(assignment, task, runner, only=variant) == "", variant


@pytest.mark.parametrize(("name", "task"), STORED)
def test_variants_that_take_long_were_run_since_they_changed(name, task):
    said = f"run `python -m tools.variants {name} {task}`, which writes ran.json"
    assert variants.is_stored(ASSIGNMENTS[name], task), said


def test_what_is_stored_of_a_task_goes_stale(tiny, runner):
    assert not variants.is_stored(tiny, "detrend")
    report = variants.run_task(tiny, "detrend", runner)
    variants.store(report, tiny)
    assert variants.is_stored(tiny, "detrend")
    assert json.loads(variants.stored_path(tiny, "detrend").read_text())["as_tabled"] == [
        result.variant for result in report.results
    ]
    write(tiny, "detrend", "wrong_a", "return x - x.mean()", LOCAL)
    assert not variants.is_stored(load(tiny.path, variants=tiny.variants), "detrend")


def test_only_a_whole_run_that_holds_is_stored(tiny, runner, monkeypatch):
    monkeypatch.setattr(variants, "Runner", lambda **_: contextlib.nullcontext(runner))
    monkeypatch.setattr(variants, "pick", lambda name: [load(tiny.path, variants=tiny.variants)])
    path, table = variants.stored_path(tiny, "detrend"), tiny.variants / "detrend" / "expect.yml"
    table.write_text(f"stored: It takes long.\n{table.read_text()}")
    assert variants.main(["90_tiny", "detrend", "wrong_sign"]) == 0 and not path.exists()
    assert variants.main(["90_tiny", "detrend"]) == 0 and path.exists()
    path.unlink()
    write(tiny, "detrend", "wrong_a", "return x + 1", LOCAL)
    assert variants.main(["90_tiny", "detrend"]) == 1 and not path.exists()


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_reference_scores_full(name, runner):
    assert variants.check_reference(ASSIGNMENTS[name], runner) == []


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_stub_is_not_attempted(name, runner):
    assert variants.check_stubs(ASSIGNMENTS[name], runner) == []


def test_tiny_assignment_holds(tiny, runner):
    assert variants.check_reference(tiny, runner) == []
    assert variants.check_stubs(tiny, runner) == []
    for task in tiny.tasks:
        assert problems_of(tiny, task, runner) == ""


def test_dependents_follow_names(tiny):
    assert tiny.dependents("moving_average") == ["moving_average", "detrend"]
    assert tiny.dependents("detrend") == ["detrend"]


def test_names_of_a_cell():
    source = "import torch as t\nif True:\n    a, b = 1, 2\nclass C:\n    d = 1\ncall('f', a)"
    assert names_defined(source) == {"a", "b", "C"}
    assert {"f", "a", "call"} <= names_used(parsed(source))


def test_stub_keeps_what_surrounds_the_solution(tiny):
    source = handed_out(tiny.tasks["detrend"].solution.source)
    assert source.endswith('"""\n    raise NotAttempted()') and "trend =" not in source


def write(assignment, task, name, body, entry=None, first="# A broken answer, for this test."):
    folder = assignment.variants / task
    (folder / f"{name}.py").write_text(f"{first}\ndef detrend(x, width):\n    {body}\n")
    if entry is not None:
        with (folder / "expect.yml").open("a") as table:
            table.write(f"\n{name}: {entry}\n")


LOCAL = "{fails: [hidden_detrend], says: The trend is local}"
ALL = "{fails: [test_detrend, hidden_detrend], says: all trend}"


@pytest.mark.parametrize(
    ("name", "body", "entry", "complaint"),
    [
        ("wrong_a", "return x - x.mean()", "{fails: [], says: local}", "the table says 2"),
        ("wrong_a", "return x - x.mean()", LOCAL.replace("local", "far"), "no message says"),
        ("wrong_a", "return x - x.mean()", "{fails: [hidden_detrend]}", "does not say what"),
        ("wrong_a", "return x - x.mean()", None, "has no entry"),
        ("wrong_a", "return x - x.mean()", "{fails: [hidden_other]}", "is no test cell"),
        ("wrong_a", "return x + 1", ALL, "passes no test"),
        ("wrong_a", "return x - moving_average(x, width)", "{says: local}", "loses nothing"),
        ("wrong_a", "return x - x.nonsense()", ALL, "stopped by no check (error)"),
        ("wrong_a", "raise SystemExit", ALL, "stopped by no check (error)"),
        ("wrong_a", "__import__('os')._exit(3)", ALL, "stopped by no check (crash)"),
        ("right_a", "return x - x.mean()", None, "the table says 2"),
        ("right_a", "return x - x.mean()", LOCAL, "takes points from a right answer"),
        ("right_a", "return x - moving_average(x, width) + 1e-7", None, "disagrees with the exam"),
    ],
)
def test_runner_rejects(tiny, runner, name, body, entry, complaint):
    write(tiny, "detrend", name, body, entry)
    assert complaint in problems_of(tiny, "detrend", runner, only=name)


def test_runner_stops_an_endless_answer(tiny, runner):
    write(tiny, "detrend", "wrong_endless", "while True: pass", ALL)
    said = problems_of(tiny, "detrend", runner, only="wrong_endless", seconds=1.0)
    assert "stopped by no check (timeout)" in said


def test_runner_wants_a_first_line_that_names(tiny, runner):
    write(tiny, "detrend", "wrong_a", "return x - x.mean()", LOCAL, first="import torch")
    assert "first line is no comment" in problems_of(tiny, "detrend", runner, only="wrong_a")


def test_runner_finds_a_hint_that_feedback_would_refuse(tiny, runner):
    text = tiny.path.read_text()
    words = '\\"The trend is local: the mean of the neighbours.\\"'
    assert f"hint={words}" in text
    tiny.path.write_text(text.replace(f"hint={words}", f"**dict([('hint', {words})])"))
    again = load(tiny.path, variants=tiny.variants)
    said = problems_of(again, "detrend", runner, only="wrong_sign")
    assert "the feedback on hidden_detrend would be refused" in said


def test_runner_wants_enough_variants(tiny, runner):
    folder = tiny.variants / "detrend"
    (folder / "right_linear.py").unlink()
    (folder / "wrong_sign.py").unlink()
    said = problems_of(tiny, "detrend", runner)
    assert "1 right variants" in said and "4 wrong variants of right shape" in said
    assert "there is no wrong_sign.py" in said


def test_runner_wants_an_example(tiny, runner):
    text = tiny.path.read_text().replace(">>>", "...")
    tiny.path.write_text(text)
    again = load(tiny.path, variants=tiny.variants)
    assert "no `>>>` example" in problems_of(again, "detrend", runner)


def test_runner_wants_wrong_answers_that_agree_with_the_example(tiny, runner):
    text = tiny.path.read_text().replace("tensor([[0., 0., 0., 0.]])", "tensor([[1., 0., 0., 0.]])")
    tiny.path.write_text(text)
    again = load(tiny.path, variants=tiny.variants)
    assert "0 wrong variants agree" in problems_of(again, "detrend", runner)


def test_runner_wants_the_pasted_library(tiny, runner):
    with (tiny.variants / "detrend" / "expect.yml").open("a") as table:
        table.write("\nlibrary: conv1d\n")
    assert "no wrong_pasted_library.py" in problems_of(tiny, "detrend", runner)


def test_stub_that_computes_is_noticed(tiny, runner):
    text = tiny.path.read_text()
    early = '"    ### BEGIN SOLUTION\\n",\n    "    trend'
    assert early in text
    tiny.path.write_text(text.replace(early, '"    return x\\n",\n    ' + early))
    again = load(tiny.path, variants=tiny.variants)
    assert any("the stub is" in problem for problem in variants.check_stubs(again, runner))


def test_runner_scores_as_nbgrader_does(runner):
    cells = (
        Cell("setup", "setup", "from companion.checks import partial"),
        Cell("answer", "solution", ""),
        Cell("value", "test", "1 + 1; 'text'", 2.0),
        Cell("part", "test", "partial(0.5, 'half')", 2.0),
        Cell("too_much", "test", "3", 2.0),
        Cell("raises", "test", "assert False, 'no'", 2.0),
        Cell("nothing", "test", "x = 1", 2.0),
    )
    outcomes = runner.run(Job(cells)).outcomes
    assert {name: (o.status, o.points) for name, o in outcomes.items()} == {
        "value": ("passed", 2.0), "part": ("partial", 0.5), "too_much": ("error", 0.0),
        "raises": ("failed", 0.0), "nothing": ("passed", 2.0),
    }  # fmt: skip
    assert "half" in outcomes["part"].message


def test_tensors_keep_their_layout_on_the_way(runner):
    test = """
import torch
from companion.checks import call
for x in torch.ones(2, 3, 4), torch.ones(2, 3).T, torch.ones(2, 3, 1, 5).permute(3, 0, 2, 1):
    assert call("strides", x) == list(x.stride()), x.stride()
    assert call("same", x).stride() == x.stride()
    assert torch.equal(call("same", x), x)
for x in torch.ones(3).expand(2, 3), torch.ones(4, 4)[:, ::2], torch.ones(0, 3), torch.ones(()):
    assert call("strides", x) == list(x.clone().stride()), x.stride()
"""
    answer = "def strides(x):\n    return list(x.stride())\ndef same(x):\n    return x"
    cells = (Cell("answer", "solution", answer), Cell("test", "test", test, 1.0))
    outcome = runner.run(Job(cells)).outcomes["test"]
    assert outcome.status == "passed", outcome.message


def test_runner_survives_a_broken_cell(runner):
    cells = (
        Cell("a", "solution", "def f(:"),
        Cell("b", "solution", "1 / 0"),
        Cell("t", "test", "assert 'f' not in globals()", 1.0),
    )
    report = runner.run(Job(cells))
    assert set(report.broken) == {"a", "b"} and report.points == 1.0


@pytest.mark.parametrize(
    ("task", "counterpart"),
    [("conv1d_circular", "conv1d"), ("CumulativeBatchNorm", "BatchNorm"), ("light_cell", None)],
)
def test_library_counterpart_is_recognized(tiny, task, counterpart):
    solution = dataclasses.replace(tiny.tasks["detrend"].solution, name=task, source="")
    named = dataclasses.replace(
        tiny, name="90_architecture", tasks={task: Task(solution, ())}, cells=(solution,)
    )
    assert variants.library_counterpart(named, task) == counterpart
    folder = named.variants / task
    folder.mkdir()
    (folder / "expect.yml").write_text("library: gru_cell\n")
    assert variants.library_counterpart(named, task) == "gru_cell"
    (folder / "expect.yml").write_text("library: none\n")
    assert variants.library_counterpart(named, task) is None


def test_bars_of_the_trained_task_leave_a_margin():
    """design_network: five seeds of each network, and the bars that its test cell has."""
    path = ASSIGNMENTS["02_architecture"].variants / "design_network" / "margin.json"
    stored = json.loads(path.read_text())
    bars, networks = stored["bars"], stored["networks"]
    tests = {t.name: t.source for t in ASSIGNMENTS["02_architecture"].tasks["design_network"].tests}
    accuracy = tests["hidden_design_network_accuracy"]
    assert f"accuracy >= {bars['half']:.2f}" in accuracy
    assert f"accuracy >= {bars['full']:.2f}" in accuracy
    expected = ASSIGNMENTS["02_architecture"].expectations("design_network")
    for name, network in networks.items():
        assert len(network["accuracy"]) >= 5
        lowest, highest = min(network["accuracy"]), max(network["accuracy"])
        if not name.startswith("wrong_"):
            assert lowest > bars["full"] + 0.01, name
            assert max(network["share_of_limit"]) < 0.8, name
            continue
        entry = expected[name]
        if "hidden_design_network_accuracy" in entry.get("fails", ()):
            assert highest < bars["half"] - 0.05, name
        elif "hidden_design_network_accuracy" in entry.get("partial", ()):
            assert bars["half"] + 0.01 < lowest and highest < bars["full"] - 0.01, name


def test_bars_of_the_denoiser_leave_a_margin():
    """train_denoiser: three seeds of each network, and the bars that its test cell has."""
    assignment = ASSIGNMENTS["04_self_supervision"]
    path = assignment.variants / "train_denoiser" / "margin.json"
    stored = json.loads(path.read_text())
    bars, networks = stored["bars"], stored["networks"]
    (cell,) = (
        t.source
        for t in assignment.tasks["train_denoiser"].tests
        if t.name == "hidden_train_denoiser_gain"
    )
    assert f"mean_gain >= {bars['half']}" in cell and f"mean_gain >= {bars['full']}" in cell
    expected = assignment.expectations("train_denoiser")
    for name, network in networks.items():
        assert len(network["gain"]) >= 3
        if not name.startswith("wrong_"):
            assert min(network["gain"]) > bars["full"] + 0.2, name
            assert min(network["clean"]) > 0.5, name
            assert max(network["share_of_limit"]) < 0.8, name
        elif "hidden_train_denoiser_gain" in expected[name].get("fails", ()):
            assert max(network["gain"]) < bars["half"] - 0.5, name
        elif "hidden_train_denoiser_gain" in expected[name].get("partial", ()):
            assert bars["half"] + 0.5 < min(network["gain"]), name
            assert max(network["gain"]) < bars["full"] - 0.15, name


def test_bars_of_the_shortest_file_leave_a_margin():
    """pack: two nets, the three bounds of its test cell, and what each kind of file takes."""
    assignment = ASSIGNMENTS["05_compression"]
    stored = json.loads((assignment.variants / "pack" / "margin.json").read_text())
    bars, files = stored["bars"], stored["networks"]
    (cell,) = (t.source for t in assignment.tasks["pack"].tests if t.name == "hidden_pack_size")
    for bar in ("first", "second", "third"):
        assert f"n_bytes <= {bars[bar]}" in cell
    assert f"lost <= {bars['lost']}" in cell
    reference = files["reference"]
    assert max(reference["bytes"]) < 0.95 * bars["third"]
    assert max(reference["lost"]) < bars["lost"] - 0.25
    assert max(files["eight_bits"]["bytes"]) < bars["first"]
    for name in ("wrong_eight_bits", "four_bits_zlib"):  # nothing was pruned
        assert bars["second"] * 1.2 < min(files[name]["bytes"]), name
    zlib = files["pruned_shared_zlib"]["bytes"]
    assert bars["third"] < min(zlib) and max(zlib) < bars["second"]


def test_bars_of_the_surrogate_leave_a_margin():
    """grow_surrogate: four draws of networks for each answer, and the bars of its test cell."""
    assignment = ASSIGNMENTS["06_explanation"]
    stored = json.loads((assignment.variants / "grow_surrogate" / "margin.json").read_text())
    bars, name = stored["bars"], "hidden_grow_surrogate_fidelity"
    (cell,) = (t.source for t in assignment.tasks["grow_surrogate"].tests if t.name == name)
    assert f"part >= {bars['half']}" in cell and f"part >= {bars['full']}" in cell
    expected = assignment.expectations("grow_surrogate")
    for answer, measured in stored["answers"].items():
        parts, entry = measured["part"], expected.get(answer, {})
        assert len(parts) >= 4 and measured["seconds"] < 1, answer
        if name in entry.get("fails", ()):
            assert max(parts) < bars["half"] - 0.05, answer
        elif name in entry.get("partial", {}):  # the networks that it is graded on
            assert bars["half"] + 0.05 < parts[0] < bars["full"] - 0.05, answer
        else:
            assert min(parts) > bars["full"] + 0.05, answer
