"""The mutator finds what it should; stored scores are fresh, high enough, and reproducible."""

from __future__ import annotations

import ast
import random
import shutil
from pathlib import Path

import pytest

from tools import mutate
from tools._assignment import find
from tools._runner import Runner
from tools.variants import preload

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures_assignment"
ASSIGNMENTS = {assignment.name: assignment for assignment in find(ROOT)}
SAMPLE = 4


@pytest.fixture(scope="module")
def runner():
    with Runner(preload=preload([*ASSIGNMENTS.values(), *find(FIXTURES)])) as running:
        yield running


@pytest.fixture
def tiny(tmp_path):
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    (assignment,) = find(tmp_path)
    return assignment


@pytest.mark.parametrize(
    ("operator", "source", "mutated"),
    [
        ("wrong_axis", "x.sum(dim=1)", "x.sum(dim=0)"),
        ("wrong_axis", "torch.cat(parts, 0)", "torch.cat(parts, 1)"),
        ("wrong_axis", "x.mean((0, 2))", "x.mean((0,))"),
        ("drop_transpose", "a @ b.T", "a @ b"),
        ("drop_transpose", "w.flip(2)", "w"),
        ("drop_transpose", "torch.flip(w, [0])", "w"),
        ("reduction", "x.mean()", "x.sum()"),
        ("reduction", "pool(x, 'amax')", "pool(x, 'amin')"),
        ("off_by_one", "x[1:n]", "x[1:n - 1]"),
        ("off_by_one", "range(n)", "range(n + 1)"),
        ("gradient_flow", "x.detach()", "x"),
        ("gradient_flow", "with torch.no_grad():\n    f()", "if True:\n    f()"),
        ("gradient_flow", "def f(x):\n    return x * x", "def f(x):\n    return (x * x).detach()"),
        ("train_eval", "model.eval()", "model.train()"),
        ("train_eval", "f(x, self.training)", "f(x, not self.training)"),
        ("epsilon", "torch.sqrt(v + eps)", "torch.sqrt(v) + eps"),
        ("epsilon", "(v + e).sqrt()", "v.sqrt() + e"),
        ("epsilon", "(v + e) ** 0.5", "v ** 0.5 + e"),
        ("epsilon", "a / (b + eps)", "a / b"),
        ("comparison", "x < y", "x <= y"),
        ("comparison", "x == y", "x != y"),
        ("arithmetic", "a * b", "a / b"),
        ("arithmetic", "n // 2", "-(-n // 2)"),
        ("arithmetic", "a @ b", "b @ a"),
        ("complement", "1 - z", "z"),
        ("drop_keyword", "x.sum(dim=1, keepdim=True)", "x.sum(dim=1)"),
        ("constant", "y = 0.5", "y = 1.0"),
        ("constant", "f(bias=True)", "f(bias=False)"),
        ("unbiased", "x.var(dim=0)", "x.var(dim=0, correction=0)"),
        ("dtype", "x.float()", "x"),
        ("dtype", "torch.float32", "torch.float64"),
        ("in_place", "mean.mul_(0.9)", "mean.mul(0.9)"),
        ("in_place", "x.clamp(0)", "x.clamp_(0)"),
        ("function_swap", "torch.sigmoid(x)", "torch.tanh(x)"),
        ("function_swap", "math.ceil(x)", "math.floor(x)"),
        ("drop_statement", "self.n += 1", "pass"),
        ("drop_statement", "x = 1\nx = f(x)", "x = 1\npass"),
        ("drop_statement", "if bad:\n    raise ValueError", "pass"),
        ("condition", "a and b", "a or b"),
        ("condition", "a if b else c", "a if not b else c"),
        ("swap_arguments", "f(a, b)", "f(b, a)"),
        ("swap_arguments", "def f():\n    return (a, b)", "def f():\n    return (b, a)"),
    ],
)
def test_operator(operator, source, mutated):
    made = [m.source for m in mutate.mutants_of(source, limit=None) if m.operator == operator]
    assert ast.unparse(ast.parse(mutated)) in made


def test_every_operator_has_an_example():
    (mark,) = (m for m in test_operator.pytestmark if m.name == "parametrize")
    assert {case[0] for case in mark.args[1]} == set(mutate.OPERATORS)


def test_only_solution_regions_are_mutated(tiny):
    source = tiny.tasks["detrend"].solution.source
    mutants = mutate.mutants_of(source, limit=None)
    assert mutants
    first = source.split("\n").index("    ### BEGIN SOLUTION") + 1
    assert all(mutant.line > first for mutant in mutants)
    assert all("The series minus its moving average" in mutant.source for mutant in mutants)


def test_mutants_differ_and_their_ids_hold_still():
    source = "def f(x, n):\n    y = x.sum(dim=1) / n\n    return y + 1"
    mutants = mutate.mutants_of(source, limit=None)
    assert len({m.id for m in mutants}) == len(mutants) == len({m.source for m in mutants})
    moved = mutate.mutants_of("import torch\n\n\n" + source, limit=None)
    assert {m.id for m in moved} == {m.id for m in mutants}


def test_limit_spreads_over_the_operators():
    source = "def f(x, n):\n    y = x.sum(dim=1) / n + 3 * 4 * 5 * 6\n    return y + 1 < 2"
    few = mutate.mutants_of(source, limit=6)
    assert len(few) == 6 and len({m.operator for m in few}) >= 5


def test_no_mutant_in_messages_annotations_and_docstrings():
    source = 'def f(x: int | None = None) -> int:\n    """One."""\n    raise ValueError(f"{x} + 1")'
    assert not [m for m in mutate.mutants_of(source, limit=None) if m.operator == "constant"]


def test_mutants_of_the_tiny_assignment_are_judged(tiny, runner):
    fates = {}
    for task in tiny.tasks:
        mutants = mutate.task_mutants(tiny, task)
        fates |= {m: fate for m, fate in mutate.run_mutants(tiny, task, mutants, runner)}
    by_change = {(m.before, m.after): fate for m, fate in fates.items()}
    assert by_change["x - trend", "x + trend"] == "killed"
    assert by_change["return x - trend", "return (x - trend).detach()"] == "survived"
    assert "crash" in by_change.values()
    assert sum(fate == "killed" for fate in fates.values()) >= 15


def stored_for(assignment, runner, monkeypatch, folder):
    monkeypatch.setattr(mutate, "PROGRESS", folder)
    return {"tasks": {task: mutate.measure(assignment, task, runner) for task in assignment.tasks}}


def test_result_is_resumed_not_repeated(tiny, runner, monkeypatch, tmp_path):
    first = stored_for(tiny, runner, monkeypatch, tmp_path / "progress")
    monkeypatch.setattr(mutate, "run_mutants", None)
    assert stored_for(tiny, runner, monkeypatch, tmp_path / "progress") == first


def test_stale_low_and_unargued_results_are_rejected(tiny, runner, monkeypatch, tmp_path):
    stored = stored_for(tiny, runner, monkeypatch, tmp_path / "progress")
    assert mutate.problems_of(tiny, stored) == []
    counts = stored["tasks"]["moving_average"]["counts"]
    counts["survived"] = counts["killed"]
    assert any("mutation score" in p for p in mutate.problems_of(tiny, stored))
    counts["survived"], counts["equivalent"] = 0, 9
    assert any("are called equivalent" in p for p in mutate.problems_of(tiny, stored))
    path = tiny.variants / "detrend" / "equivalent.yml"
    path.write_text("arithmetic-25fb7c: it is\n")
    assert any("stale" in p for p in mutate.problems_of(tiny, stored))
    stored = stored_for(tiny, runner, monkeypatch, tmp_path / "progress")
    said = "\n".join(mutate.problems_of(tiny, stored))
    assert "argued equivalent but is killed" in said and "has no argument" in said


def test_hash_covers_exactly_its_task(tiny):
    before = {task: mutate.covered(tiny, task) for task in tiny.tasks}
    path = tiny.path
    path.write_text(path.read_text().replace("manual_seed(77123)", "manual_seed(77124)"))
    (changed,) = find(path.parent.parent.parent)
    after = {task: mutate.covered(changed, task) for task in changed.tasks}
    assert before["moving_average"] == after["moving_average"]
    assert before["detrend"] != after["detrend"]


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_stored_score_is_fresh_and_high_enough(name):
    assignment = ASSIGNMENTS[name]
    assert mutate.problems_of(assignment, mutate.read_stored(assignment)) == []


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_random_sample_of_the_stored_result_repeats(name, runner):
    assignment = ASSIGNMENTS[name]
    tasks = mutate.read_stored(assignment).get("tasks", {})
    task = random.choice(
        [t for t in assignment.tasks if not assignment.expectations(t).get("mutants")]
    )
    known = tasks[task]["mutants"]
    candidates = [m for m in mutate.task_mutants(assignment, task) if known[m.id] != "timeout"]
    for mutant, fate in mutate.run_mutants(
        assignment, task, random.sample(candidates, min(SAMPLE, len(candidates))), runner
    ):
        stored = known[mutant.id]
        assert fate == ("survived" if stored == "equivalent" else stored), str(mutant)


@pytest.mark.full
@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_mutation_score_recomputed(name):
    assert mutate.main([name]) == 0
