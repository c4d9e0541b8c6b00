"""The release is what nbgrader makes of solutions/, keeps its secrets, and scores 0."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

from tools import release
from tools._assignment import Assignment, find
from tools._runner import Runner
from tools.variants import job_for, preload

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures_assignment"
ASSIGNMENTS = {assignment.name: assignment for assignment in find(ROOT)}


@pytest.fixture(scope="module")
def tiny_release(tmp_path_factory):
    root = tmp_path_factory.mktemp("course")
    shutil.copytree(FIXTURES, root, dirs_exist_ok=True)
    release.generate("90_tiny", release.course_config(root), release=root / "assignments")
    return root


@pytest.fixture
def tiny(tiny_release, tmp_path):
    """A private copy of the tiny assignment and its release, to be broken."""
    shutil.copytree(tiny_release, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="module")
def runner():
    with Runner(workers=1, preload=preload([*ASSIGNMENTS.values(), *find(FIXTURES)])) as running:
        yield running


def problems_of(root: Path) -> str:
    (assignment,) = find(root)
    return "\n".join(
        release.problems_of(assignment, root / "assignments" / "90_tiny", n_tasks=(1, 8))
    )


def released_notebook(name: str) -> Path:
    return ROOT / "assignments" / name / f"{name}.ipynb"


def released_answers(assignment: Assignment, folder: Path) -> dict[str, str]:
    notebook = nbformat.read(folder / assignment.path.name, as_version=4)
    cells = {c.metadata.get("nbgrader", {}).get("grade_id"): c.source for c in notebook.cells}
    return {task: cells[task] for task in assignment.tasks}


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_release_is_fresh_and_obeys_the_rules(name, tmp_path):
    assignment = ASSIGNMENTS[name]
    fresh = release.generate(name, release.course_config(), release=tmp_path)
    assert release.differences(fresh, ROOT / "assignments" / name) == [], "run `make assignments`"
    assert release.problems_of(assignment, fresh) == []


def test_every_release_has_a_source():
    released = {path.parent.name for path in (ROOT / "assignments").glob("*/*.ipynb")}
    assert released <= set(ASSIGNMENTS)


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_released_notebook_scores_nothing(name, runner):
    assignment = ASSIGNMENTS[name]
    answers = released_answers(assignment, ROOT / "assignments" / name)
    report = runner.run(job_for(assignment, answers, seconds=300))
    assert report.points == 0
    assert {outcome.status for outcome in report.outcomes.values()} == {"not attempted"}


def test_tiny_release_scores_nothing_and_says_so(tiny, runner):
    (assignment,) = find(tiny)
    report = runner.run(
        job_for(assignment, released_answers(assignment, tiny / "assignments" / "90_tiny"))
    )
    assert report.points == 0
    for outcome in report.outcomes.values():
        assert outcome.status == "not attempted" and "not attempted" in outcome.message


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_not_attempted_is_one_line_in_a_notebook(name, capsys):
    shell, n_tests = InteractiveShell(), 0
    for cell in nbformat.read(released_notebook(name), as_version=4).cells:
        if cell.cell_type != "code":
            continue
        capsys.readouterr()
        shell.run_cell(cell.source)
        printed = capsys.readouterr().out.strip()
        if cell.metadata.nbgrader.grade and cell.source.strip():
            n_tests += 1
            assert "\n" not in printed and "not attempted" in printed, cell.metadata.nbgrader
            assert "Traceback" not in printed
    assert n_tests >= len(ASSIGNMENTS[name].tasks)


def test_generating_twice_gives_the_same_bytes(tiny):
    config = release.course_config(tiny)
    again = release.generate("90_tiny", config)  # with the gradebook this time
    other = release.generate("90_tiny", config, release=tiny / "other")
    assert release.differences(again, other) == []


def test_differences_are_named(tiny):
    stored = tiny / "assignments" / "90_tiny"
    fresh = release.generate("90_tiny", release.course_config(tiny), release=tiny / "fresh")
    assert release.differences(fresh, stored) == []
    (stored / "90_tiny.ipynb").write_text("{}")
    (stored / "extra.txt").write_text("")
    (fresh / "new.txt").write_text("")
    said = "\n".join(release.differences(fresh, stored))
    assert "differs" in said and "should not be" in said and "is missing" in said


def test_generate_says_what_nbgrader_said(tiny):
    with pytest.raises(RuntimeError, match="could not generate 91_none"):
        release.generate("91_none", release.course_config(tiny), release=tiny / "x")


def test_tiny_release_holds(tiny):
    assert problems_of(tiny) == ""


def cell_of(notebook, name):
    return next(c for c in notebook.cells
                if c.metadata.get("nbgrader", {}).get("grade_id") == name)  # fmt: skip


def in_text(old, new):
    def change(notebook):
        changed = False
        for cell in notebook.cells:
            changed = changed or old in cell.source
            cell.source = cell.source.replace(old, new)
        assert changed, old

    return change


def in_metadata(name, **values):
    def change(notebook):
        cell_of(notebook, name).metadata["nbgrader"].update(values)

    return change


def outputs(notebook):
    output = nbformat.v4.new_output("stream", text="42")
    cell_of(notebook, "detrend").outputs.append(output)


def hidden_answer_in_metadata(notebook):
    cell_of(notebook, "hidden_detrend").metadata["note"] = "seed 77123"


def hidden_name_in_text(notebook):
    notebook.cells[0].source += "\nSee cotangent."


def missing_cell(notebook):
    notebook.cells.remove(cell_of(notebook, "test_detrend"))


def missing_solution(notebook):
    notebook.cells.remove(cell_of(notebook, "detrend"))


SOURCE_RULES = [
    (in_text("8 points in all", "9 points in all"), "the first text states 9 points"),
    (in_text("3 points, 10 minutes", "4 points, 10 minutes"), "8 and 4 points, its cells sum to 3"),
    (in_text("10 minutes", "short"), "states no minutes"),
    (in_text("difficulty 2 of 5", "hard"), "states no difficulty"),
    (in_text("<details><summary>Hint</summary>\n\nThe function", "\n\nThe function"), "no hint"),
    (in_text("2 points, 5 minutes, ", ""), "written_when: the text states no points"),
    (in_metadata("detrend", schema_version=2), "metadata.nbgrader: 2 is less than the minimum"),
    (in_metadata("detrend", hint="x"), "Additional properties are not allowed"),
    (in_metadata("detrend", grade_id="setup"), "the id 'setup' occurs 2 times"),
    (in_metadata("test_detrend", locked=False), "a test cell must be locked"),
    (in_metadata("test_detrend", grade_id="check"), "is not named after its task"),
    (in_metadata("test_detrend", grade_id="check"), "no test cell test_detrend"),
    (in_metadata("hidden_detrend", points=0), "gives no points"),
    (in_text("### BEGIN SOLUTION\n    trend", "trend"), "has no solution region"),
    (in_text("### BEGIN HIDDEN TESTS\nwave", "wave"), "has no hidden region"),
    (outputs, "has outputs"),
]


@pytest.mark.parametrize(("change", "complaint"), SOURCE_RULES)
def test_source_rule_rejects(tiny, change, complaint):
    path = tiny / "solutions" / "90_tiny" / "90_tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)
    assert complaint in problems_of(tiny)


RELEASE_RULES = [
    (in_metadata("detrend", schema_version=2), "metadata.nbgrader"),
    (in_metadata("detrend", grade_id="setup"), "occurs 2 times"),
    (in_text("raise NotAttempted()", "pass"), "does not hold `raise NotAttempted()`"),
    (in_text("call", "### BEGIN SOLUTION"), "holds the marker"),
    (outputs, "the release holds outputs"),
    (missing_cell, "test_detrend is missing"),
    (missing_solution, "its cell is missing"),
    (hidden_answer_in_metadata, "holds a number of a solution or hidden test: '77123'"),
    (hidden_name_in_text, "holds a name of a solution or hidden test: 'cotangent'"),
    (in_text("raise NotAttempted()", "raise NotAttempted()  # half = width // 2"), "holds a line"),
    (in_text("When is", "The trend is local: the mean of the neighbours. When is"), "holds a text"),
    (in_text("Which operation", "`shifted = [torch.roll(x, shift, dims=1) for shift in "
             "range(-half, half + 1)]` which"), "holds a line of a solution"),
    (in_text("YOUR ANSWER HERE", "Where the signal has steps: the average smears them."), "a line"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "complaint"), RELEASE_RULES)
def test_release_rule_rejects(tiny, change, complaint):
    path = tiny / "assignments" / "90_tiny" / "90_tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)
    assert complaint in problems_of(tiny)


def test_a_hint_that_quotes_the_solution_is_rejected(tiny):
    path = tiny / "solutions" / "90_tiny" / "90_tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    in_text("Which operation", "`return torch.stack(shifted).mean(dim=0)`. Which")(notebook)
    nbformat.write(notebook, path)
    release.generate("90_tiny", release.course_config(tiny), release=tiny / "assignments")
    assert "holds a line of a solution" in problems_of(tiny)


def test_a_support_file_that_holds_the_hidden_seed_is_rejected(tiny):
    (tiny / "assignments" / "90_tiny" / "helper.py").write_text("seed = 77123\n")
    assert "helper.py holds a number" in problems_of(tiny)


def test_code_left_in_a_hidden_cell_is_rejected(tiny):
    path = tiny / "assignments" / "90_tiny" / "90_tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cell_of(notebook, "hidden_detrend").source = "close(1, 1)"
    nbformat.write(notebook, path)
    assert "is called hidden" in problems_of(tiny)


def test_a_missing_release_is_named(tiny):
    (tiny / "assignments" / "90_tiny" / "90_tiny.ipynb").unlink()
    assert "is missing from the release" in problems_of(tiny)


def test_too_few_tasks_are_named(tiny):
    (assignment,) = find(tiny)
    said = release.problems_of(assignment, tiny / "assignments" / "90_tiny")
    assert "2 tasks, expected 5 to 8" in said
