"""Whatever was moved, copied, edited or lost: structure and tests are those of solutions/."""

from __future__ import annotations

import ast
import copy
import json
import warnings
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader.utils import compute_checksum

from companion.grading.clean import checksum, rebuilt_notebook
from companion.grading.ipython import plain_python
from companion.grading.rebuild import read_source, rebuild
from companion.grading.submission import read_notebook

ROOT = Path(__file__).resolve().parents[2]
REAL = "02_architecture"


def cell(cell_type, source, name=None, cell_id=None, **marks):
    metadata = {}
    if name is not None:
        marks = {"grade": False, "solution": False, "locked": False, "task": False} | marks
        metadata["nbgrader"] = {"grade_id": name, "schema_version": 3} | marks
    made = {"cell_type": cell_type, "id": cell_id, "metadata": metadata, "source": source}
    return made | ({"outputs": [], "execution_count": None} if cell_type == "code" else {})


def task(name, arguments, answer, hidden):
    """Markdown, solution cell, a visible test and a hidden one."""
    stub = f'def {name}({arguments}):\n    """Computes {name} of {arguments}."""\n'
    solved = f"{stub}    ### BEGIN SOLUTION\n    return {answer}\n    ### END SOLUTION"
    secret = f"### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
    grade = dict(grade=True, locked=True)
    return [
        cell("markdown", f"## 1. The {name}\n\nWrite it.", cell_id=f"{name}-text"),
        cell("code", solved, name, f"{name}-cell", solution=True),
        cell("code", f"assert call('{name}', 2)", f"test_{name}", f"t-{name}", points=1.0, **grade),
        cell("code", secret, f"hidden_{name}", f"h-{name}", points=0.5, **grade),
    ]


SOURCE = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [
        cell("markdown", "# Title", cell_id="title"),
        cell("code", "import math", "setup", "setup-cell", locked=True),
        *task("square", "x", "x * x", "assert call('square', 3) == 9"),
        cell("code", "RATE = 2", "rate", "rate-cell", locked=True),
        *task("halve", "value, rounded=False", "value / 2", "assert call('halve', 3) == 1.5"),
        cell("markdown", "## 3  Words\n\nSay why.", cell_id="why-text"),
        cell("markdown", "Because.", "why", "why-cell", grade=True, solution=True, points=2),
    ],
}
SQUARE = 'def square(x):\n    """Computes square of x."""\n    return x ** 2'
HALVE = "def halve(value, rounded=False):\n    return value * 0.5"
SQUARE_STUB = 'def square(x):\n    """Computes square of x."""\n    raise NotAttempted()'
HALVE_STUB = (
    'def halve(value, rounded=False):\n    """Computes halve of value, rounded=False."""\n'
    "    raise NotAttempted()"
)


def own(source, cell_type="code", name=None, cell_id=None):
    """A cell as `read_notebook` gives it."""
    return {"cell_type": cell_type, "source": source, "id": cell_id, "grade_id": name}


def released():
    """The notebook as handed out, as `read_notebook` gives it."""
    cells = []
    for original in SOURCE["cells"]:
        name = original["metadata"].get("nbgrader", {}).get("grade_id")
        text = {"square": SQUARE_STUB, "halve": HALVE_STUB, "why": "YOUR ANSWER HERE"}.get(name)
        if text is None:
            text = "" if "HIDDEN" in original["source"] else original["source"]
        cells.append(own(text, original["cell_type"], name, original["id"]))
    return cells


def place(cells, name):
    return next(i for i, c in enumerate(cells) if c["grade_id"] == name)


def plan_of(cells, source=SOURCE):
    plan = rebuild("tiny", source, {"cells": cells, "notes": []})
    assert [q.name for q in plan.questions] == ["square", "halve"]
    assert [(t.name, t.source) for t in plan.tests] == TESTS
    assert [c.name for c in plan.setup] == ["setup", "rate"]
    assert plan.max_points == 5.0
    return plan


TESTS = [
    (c["metadata"]["nbgrader"]["grade_id"], c["source"])
    for c in SOURCE["cells"]
    if c["metadata"].get("nbgrader", {}).get("grade") and not c["metadata"]["nbgrader"]["solution"]
]


def answers(plan):
    return {c.name: c.source for q in plan.questions for c in q.cells if c.kind == "solution"}


def order(plan):
    return [[c.name for c in q.cells] for q in plan.questions] + [[c.name for c in plan.trailing]]


def answered():
    cells = released()
    cells[place(cells, "square")]["source"] = SQUARE
    cells[place(cells, "halve")]["source"] = HALVE
    cells[place(cells, "why")]["source"] = "Since it is so."
    return cells


PLAIN_ORDER = [["setup", "square"], ["rate", "halve"], []]


def test_the_released_notebook():
    plan = plan_of(released())
    assert plan.notes == ()
    assert [q.title for q in plan.questions] == ["The square", "The halve"]
    assert not any(q.attempted for q in plan.questions)
    assert answers(plan) == {"square": SQUARE_STUB, "halve": HALVE_STUB}
    assert order(plan) == PLAIN_ORDER
    assert [t.points for t in plan.tests] == [1.0, 0.5, 1.0, 0.5]
    (why,) = plan.written
    assert (why.name, why.source, why.points, why.attempted) == (
        "why",
        "YOUR ANSWER HERE",
        2,
        False,
    )


def test_the_answered_notebook():
    cells = answered()
    plan = plan_of(cells)
    assert plan.notes == ()
    assert all(q.attempted for q in plan.questions)
    assert answers(plan) == {"square": SQUARE, "halve": HALVE}
    positions = {c.name: c.position for q in plan.questions for c in q.cells}
    assert positions == {
        "setup": -1, "rate": -1, "square": place(cells, "square"), "halve": place(cells, "halve")
    }  # fmt: skip
    assert plan.written[0].source == "Since it is so." and plan.written[0].attempted


def test_notes_of_the_reader_come_first():
    plan = rebuild("tiny", SOURCE, {"cells": released()[:-1], "notes": ["from the reader"]})
    assert plan.notes == ("from the reader", "answers that are missing: why")


@pytest.mark.parametrize(
    "answer, attempted",
    [
        (SQUARE_STUB + "   \n\n", False),
        ("# What is asked?\n" + SQUARE_STUB.replace("x)", "x )"), False),
        ("", False),
        ("# deleted", False),
        (SQUARE, True),
        (SQUARE_STUB.replace("raise", "y = x\n    raise"), True),
        ("def square(x)\n    return x", True),
        ("def square(x):\n    return " + "-" * 50_000 + "x", True),
    ],
)
def test_attempted(answer, attempted):
    cells = released()
    cells[place(cells, "square")]["source"] = answer
    plan = plan_of(cells)
    assert [q.attempted for q in plan.questions] == [attempted, False]
    assert answers(plan)["square"] == answer


# --- test and set-up cells


def remove(name):
    return lambda cells: cells.pop(place(cells, name))


def edit(name, text):
    return lambda cells: cells[place(cells, name)].update(source=text)


def double(name):
    return lambda cells: cells.append(copy.deepcopy(cells[place(cells, name)]))


def lose_mark(name, **changes):
    return lambda cells: cells[place(cells, name)].update(grade_id=None, id="new", **changes)


def move(name, to):
    return lambda cells: cells.insert(to, cells.pop(place(cells, name)))


def add(source, at, cell_type="code"):
    def change(cells):
        cells.insert(len(cells) if at is None else place(cells, at), own(source, cell_type))

    return change


def two(first, second):
    return lambda cells: (first(cells), second(cells))


DELETED, EDITED = "that were deleted and came back", "that were edited, used as handed out"
COPIED = "that were copied, graded once"


@pytest.mark.parametrize(
    "change, notes",
    [
        (remove("test_square"), [f"test cells {DELETED}: test_square"]),
        (remove("hidden_halve"), [f"test cells {DELETED}: hidden_halve"]),
        (remove("setup"), [f"setup cells {DELETED}: setup"]),
        (edit("test_square", "1"), [f"test cells {EDITED}: test_square"]),
        (edit("test_square", "%%html\nx"), [f"test cells {EDITED}: test_square"]),
        (edit("hidden_halve", "1"), [f"test cells {EDITED}: hidden_halve"]),
        (edit("rate", "RATE = 9"), [f"setup cells {EDITED}: rate"]),
        (edit("test_square", "assert call('square', 2)  \n"), []),
        (double("test_square"), [f"test cells {COPIED}: test_square"]),
        (
            two(double("test_square"), lambda cells: cells[-1].update(source="pass")),
            [f"test cells {COPIED}: test_square"],
        ),
        (double("setup"), [f"setup cells {COPIED}: setup"]),
        (move("test_halve", 0), ["cells that were moved, run at their own place: test_halve"]),
        (lose_mark("test_square"), []),
        (two(double("test_square"), lambda cells: cells[-1].update(grade_id=None)), []),
        (lose_mark("setup"), []),
    ],
)
def test_changed_tests_and_setup_cost_nothing(change, notes):
    cells = answered()
    change(cells)
    plan = plan_of(cells)
    assert list(plan.notes) == notes
    assert answers(plan) == {"square": SQUARE, "halve": HALVE}
    assert order(plan) == PLAIN_ORDER


# --- where answers are found


MISPLACED = "answers without their mark, found by "


@pytest.mark.parametrize(
    "change, notes",
    [
        (move("square", -1), ["cells that were moved, run at their own place: square"]),
        (
            lambda cells: cells[place(cells, "square")].update(cell_type="markdown"),
            ["answers in cells that were no code cells: square"],
        ),
        (
            lambda cells: cells[place(cells, "square")].update(grade_id=None),
            [MISPLACED + "the id of their cell: square"],
        ),
        (lose_mark("square"), [MISPLACED + "the names that they define: square"]),
        (
            two(lose_mark("square"), add("def other():\n    pass", "test_square")),
            [MISPLACED + "the names that they define: square"],
        ),
        (
            lose_mark("square", source=SQUARE.replace("square(", "sqare(")),
            [MISPLACED + "their text: square"],
        ),
        (
            lose_mark("square", source="from mine import *  # squares by a lambda"),
            [MISPLACED + "their place: square"],
        ),
        (remove("square"), ["answers that are missing: square"]),
        (
            two(remove("square"), two(add("a = 1", "test_square"), add("b = 1", "test_square"))),
            ["answers that are missing: square"],
        ),
    ],
)
def test_where_an_answer_is_found(change, notes):
    cells = answered()
    change(cells)
    plan = plan_of(cells)
    assert list(plan.notes) == notes
    is_missing = "missing" in notes[0]
    assert plan.questions[0].attempted != is_missing
    assert (answers(plan)["square"] == SQUARE_STUB) == is_missing
    assert answers(plan)["halve"] == HALVE
    assert plan.questions[0].cells[-1].position == -1 or not is_missing


def test_a_lost_answer_with_a_syntax_error_is_found_by_its_name():
    cells = answered()
    broken = "def square(x)\n    return x"
    lose_mark("square", source=broken)(cells)
    assert answers(plan_of(cells))["square"] == broken


def test_another_tasks_scratch_copy_is_no_answer():
    cells = answered()
    lose_mark("square", source=HALVE)(cells)
    plan = plan_of(cells)
    assert plan.notes == ("answers that are missing: square",)


def copies(*texts, cell_type="code", name="square"):
    """The answered notebook with these cells in place of one answer, all with its mark."""
    cells = answered()
    at = place(cells, name)
    cells[at : at + 1] = [own(text, cell_type, name) for text in texts]
    return cells


@pytest.mark.parametrize(
    "texts, chosen, ran",
    [
        ([SQUARE, SQUARE_STUB], SQUARE, ["setup", "square"]),
        ([SQUARE_STUB, SQUARE], SQUARE, ["setup", "square"]),
        (["def square(x):\n    return 1", SQUARE], SQUARE, ["setup", "square"]),
        ([SQUARE, SQUARE], SQUARE, ["setup", "square"]),
        ([SQUARE_STUB, SQUARE_STUB], SQUARE_STUB, ["setup", "square"]),
        # Splitting a cell copies its mark.
        (["two = 2", SQUARE], SQUARE, ["setup", "extra_3", "square"]),
        ([SQUARE, "def helper():\n    pass"], SQUARE, ["setup", "square", "extra_4"]),
    ],
)
def test_several_cells_with_the_mark(texts, chosen, ran):
    plan = plan_of(copies(*texts))
    assert answers(plan)["square"] == chosen
    assert order(plan)[0] == ran
    assert plan.notes == ("answers with several cells, of which the last attempt counts: square",)


def test_an_answer_written_below_the_stub_counts():
    cells = released()
    cells.insert(place(cells, "test_square"), own(SQUARE))
    plan = plan_of(cells)
    assert answers(plan)["square"] == SQUARE
    assert plan.questions[0].attempted and order(plan) == PLAIN_ORDER
    assert plan.notes == (MISPLACED + "the names that they define: square",)


# --- extra cells


@pytest.mark.parametrize(
    "before, expected",
    [
        ("setup", [["setup", "EXTRA", "square"], ["rate", "halve"], []]),
        ("square", [["setup", "EXTRA", "square"], ["rate", "halve"], []]),
        ("test_square", [["setup", "square", "EXTRA"], ["rate", "halve"], []]),
        ("hidden_square", [["setup", "square", "EXTRA"], ["rate", "halve"], []]),
        ("rate", [["setup", "square"], ["rate", "EXTRA", "halve"], []]),
        ("halve", [["setup", "square"], ["rate", "EXTRA", "halve"], []]),
        ("hidden_halve", [["setup", "square"], ["rate", "halve", "EXTRA"], []]),
        ("why", [["setup", "square"], ["rate", "halve"], ["EXTRA"]]),
        (None, [["setup", "square"], ["rate", "halve"], ["EXTRA"]]),
    ],
)
def test_extra_cells_run_where_they_stand(before, expected):
    cells = answered()
    add("helper = 1", before)(cells)
    index = next(i for i, c in enumerate(cells) if c["source"] == "helper = 1")
    plan = plan_of(cells)
    assert plan.notes == ()
    assert order(plan) == [[n.replace("EXTRA", f"extra_{index}") for n in run] for run in expected]


def test_a_helper_runs_with_the_answer_above_it_where_all_tests_were_deleted():
    cells = answered()
    for name in ("test_square", "hidden_square"):
        remove(name)(cells)
    add("helper = 1", "rate")(cells)
    assert order(plan_of(cells))[0] == ["setup", "square", "extra_4"]


def test_what_is_no_extra_cell():
    cells = answered()
    for source in (
        "",
        "  \n",
        SQUARE_STUB,
        "import math",
        "RATE  =  2",
        "assert call('square', 2)",
    ):
        cells.append(own(source))
    cells.append(own("x = 1", "raw"))
    cells.append(own("x = 1", "markdown"))
    assert order(plan_of(cells)) == PLAIN_ORDER


def test_a_cell_with_an_unknown_mark_is_an_extra_cell():
    cells = [own("y = 1", name="unheard_of"), *answered()]
    (extra,) = [c for c in plan_of(cells).questions[0].cells if c.kind == "extra"]
    assert (extra.name, extra.source, extra.position) == ("extra_0", "y = 1", 0)


def test_setup_of_solutions_stays_at_its_place():
    source = copy.deepcopy(SOURCE)
    names = [c["metadata"].get("nbgrader", {}).get("grade_id") for c in source["cells"]]
    source["cells"].insert(names.index("test_halve"), source["cells"].pop(names.index("rate")))
    source["cells"].insert(0, source["cells"].pop(names.index("setup")))
    assert order(plan_of(answered(), source)) == [["setup", "square"], ["halve", "rate"], []]
    rate = next(c for c in source["cells"] if c["id"] == "rate-cell")
    source["cells"].remove(rate)
    source["cells"].append(rate)
    assert order(plan_of(answered(), source)) == [["setup", "square"], ["halve"], ["rate"]]


def test_a_test_before_every_answer_is_the_authors_mistake():
    source = {"cells": [cell("code", "1", "test", grade=True, points=1)]}
    with pytest.raises(ValueError, match="comes before every solution cell"):
        rebuild("tiny", source, {"cells": [], "notes": []})


# --- written answers


@pytest.mark.parametrize(
    "cells, text, note",
    [
        (copies("A.", "B.", cell_type="markdown", name="why"), "A.\n\nB.", "joined"),
        (copies("A.", "YOUR ANSWER HERE", cell_type="markdown", name="why"), "A.", "joined"),
        (copies("A.", name="why"), "A.", "in code cells"),
        ([*answered()[:-1], own("A.", "markdown", cell_id="why-cell")], "A.", "the id"),
        ([*answered()[:-1], own("A.", "markdown")], "A.", "their place"),
        ([*copies("YOUR ANSWER HERE\n", cell_type="markdown", name="why"), own("A.", "markdown")],
         "A.", "their place"),
        (answered()[:-1], None, "missing: why"),
        (copies(" YOUR ANSWER HERE ", cell_type="markdown", name="why"), None, ""),
        (copies("", cell_type="markdown", name="why"), None, ""),
    ],
)  # fmt: skip
def test_written_answers(cells, text, note):
    plan = plan_of(cells)
    (why,) = plan.written
    assert why.attempted == (text is not None)
    assert why.source == (text or "YOUR ANSWER HERE")
    assert note in "".join(plan.notes) and bool(note) == bool(plan.notes)
    assert plan.trailing == ()


def test_code_that_a_person_grades_runs_and_is_shown():
    source = copy.deepcopy(SOURCE)
    marks = source["cells"][2 + 1]["metadata"]["nbgrader"]
    assert marks["grade_id"] == "square"
    marks.update(grade=True, points=3)
    plan = rebuild("tiny", source, {"cells": answered(), "notes": []})
    assert plan.questions[0].attempted and plan.max_points == 8
    assert [(w.name, w.source, w.points) for w in plan.written][0] == ("square", SQUARE, 3)


# --- IPython's syntax


@pytest.mark.parametrize(
    "source, expected",
    [
        ("x = 1", "x = 1"),
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("if x:\n    %load_ext a\n    !ls 'don\ny = 1", "if x:\n    pass\n    pass\ny = 1"),
        ("!pip install \\\n  torch\nx = 1", "pass\n\nx = 1"),
        ("?help\nhelp?\nx.y??\nz = 1", "pass\npass\npass\nz = 1"),
        ("%time x = f(\n    1)\n%timeit f()", "x = f(\n    1)\npass"),
        ("%time\nx = 1", "pass\nx = 1"),
        ("y = %time f()\nfiles = !ls\nt = %timeit -o f()", "y = f()\nfiles = None\nt = None"),
        ("%%time\nx = 1", "\nx = 1"),
        ("\n%%capture out\n%%time\n!ls\nx = 1", "\n\n\npass\nx = 1"),
        ("%%timeit -n 3\nf()", "\nf()"),
        ("%%bash\nrm -rf /", ""),
        ("%%time\n%%html\n<b>", ""),
        ("%%writefile companion.py\nx = 1", ""),
        ('s = """\n%time x\n!ls\n"""', 's = """\n%time x\n!ls\n"""'),
        ('s = """\n%time x\n"""\n%time y = 1', 's = """\n%time x\n"""\ny = 1'),
        ("x = (7\n% 3)\n!ls", "x = (7\n% 3)\npass"),
        ("x = 7 \\\n% 3\n!ls", "x = 7 \\\n% 3\npass"),
        ("s = '#' # it's (\n!ls", "s = '#' # it's (\npass"),
        ("s = 'a\\\n!b'\n!ls", "s = 'a\\\n!b'\npass"),
        ("x %= 3\ny = x != 3\n!ls", "x %= 3\ny = x != 3\npass"),
        ("  x = 1\n  y = 2", "x = 1\ny = 2"),
        ("def f(:\n    return 1", "def f(:\n    return 1"),
    ],
)
def test_plain_python(source, expected):
    assert plain_python(source) == expected
    assert expected.count("\n") == source.count("\n") or expected == ""


@given(st.text(alphabet="%!?()[]{}'\"\\#\n ax=:,.time"))
@settings(max_examples=300, deadline=None)
def test_plain_python_keeps_lines_and_python(source):
    plain = plain_python(source)
    assert plain == "" or plain.count("\n") == source.count("\n")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except SyntaxError:
        return
    assert plain == source


@pytest.mark.parametrize(
    "line", [" " * 190_000, "a " * 90_000, "a" * 190_000 + "?x", "'" * 190_000, "(" * 190_000]
)
def test_plain_python_is_quick_on_hostile_lines(line):
    assert plain_python(line + "\n!ls ;;").count("\n") == 1


def test_student_cells_hold_plain_python_and_the_students_own_text():
    cells = answered()
    typed = "%%time\n" + SQUARE
    edit("square", typed)(cells)
    add("%%bash\nls", "square")(cells)
    plan = plan_of(cells)
    _, extra, solution = plan.questions[0].cells
    assert (solution.source, solution.typed) == ("\n" + SQUARE, typed)
    assert (extra.source, extra.typed) == ("", "%%bash\nls")
    assert plan.notes == ("cells that were not run, because %%bash makes them no Python: cell 4",)


# --- the notebook for nbgrader


def write_source(folder):
    path = folder / "tiny.ipynb"
    path.write_text(json.dumps(SOURCE))
    return path


@pytest.mark.parametrize("name", ["01_foundations", "02_architecture"])
def test_checksums_are_those_of_nbgrader(name):
    notebook = nbformat.read(ROOT / "solutions" / name / f"{name}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert {(c.cell_type, c.metadata.nbgrader.grade) for c in cells} >= {
        ("code", True), ("code", False), ("markdown", True)}  # fmt: skip
    for cell in cells:
        assert checksum(cell) == compute_checksum(cell)


def test_rebuilt_notebook(tmp_path):
    cells = answered()
    edit("square", "%%time\n" + SQUARE)(cells)
    add("before = 1", "square")(cells)
    add("!after", "test_square")(cells)
    add("last = 1", None)(cells)
    notebook = rebuilt_notebook(write_source(tmp_path), plan_of(cells))
    nbformat.validate(notebook)
    names = [c.metadata.get("nbgrader", {}).get("grade_id", c["id"]) for c in notebook.cells]
    assert names == [
        "title", "setup", "square-text", "extra-3", "square", "extra-5", "test_square",
        "hidden_square", "rate", "halve-text", "halve", "test_halve", "hidden_halve", "why-text",
        "why", "extra-15",
    ]  # fmt: skip
    by_name = dict(zip(names, notebook.cells, strict=True))
    assert by_name["square"].source == "%%time\n" + SQUARE
    assert by_name["why"].source == "Since it is so."
    assert by_name["extra-5"].source == "!after" and by_name["extra-5"].metadata == {}
    assert [(name, by_name[name].source) for name, _ in TESTS] == TESTS
    for name in ("square", "halve", "why"):
        assert by_name[name].metadata.nbgrader.checksum != compute_checksum(by_name[name])


def test_an_answer_left_as_it_was_has_the_checksum_of_no_response(tmp_path):
    notebook = rebuilt_notebook(write_source(tmp_path), plan_of(released()))
    for node in notebook.cells:
        if "nbgrader" in node.metadata:
            assert node.metadata.nbgrader.checksum == compute_checksum(node)


def test_ids_of_extra_cells_are_new(tmp_path):
    source = copy.deepcopy(SOURCE)
    source["cells"][0]["id"] = "extra-0"
    path = tmp_path / "tiny.ipynb"
    path.write_text(json.dumps(source))
    plan = rebuild("tiny", source, {"cells": [own("x = 1"), *answered()], "notes": []})
    ids = [c["id"] for c in rebuilt_notebook(path, plan).cells]
    assert "extra-0-x" in ids and len(set(ids)) == len(ids)


# --- a real assignment


@pytest.fixture(scope="module")
def real():
    source = read_source(ROOT / "solutions" / REAL / f"{REAL}.ipynb")
    return source, read_notebook(ROOT / "assignments" / REAL / f"{REAL}.ipynb")


def real_marked(source, key):
    return {
        c["metadata"]["nbgrader"]["grade_id"]: "".join(c["source"])
        for c in source["cells"]
        if c["metadata"].get("nbgrader", {}).get(key)
    }


def real_tests(source):
    solutions = real_marked(source, "solution")
    return [(n, s) for n, s in real_marked(source, "grade").items() if n not in solutions]


def test_the_real_release_is_not_attempted(real):
    source, submission = real
    plan = rebuild(REAL, source, submission)
    assert plan.notes == ()
    assert not any(item.attempted for item in (*plan.questions, *plan.written))
    assert [(t.name, t.source) for t in plan.tests] == real_tests(source)
    assert plan.max_points == 20
    # The checksums are those that nbgrader put into the release.
    path = ROOT / "solutions" / REAL / f"{REAL}.ipynb"
    release = nbformat.read(ROOT / "assignments" / REAL / f"{REAL}.ipynb", as_version=4)
    notebook = rebuilt_notebook(path, plan)
    for ours, theirs in zip(notebook.cells, release.cells, strict=True):
        if "HIDDEN TESTS" not in ours.source:
            assert ours.source == theirs.source
            assert ours.metadata.get("nbgrader") == theirs.metadata.get("nbgrader")


def test_the_real_answers_are_attempted(real):
    source, submission = real
    reference = real_marked(source, "solution")
    cells = [c | {"source": reference.get(c["grade_id"], c["source"])} for c in submission["cells"]]
    plan = rebuild(REAL, source, {"cells": cells, "notes": []})
    assert plan.notes == ()
    assert all(item.attempted for item in (*plan.questions, *plan.written))
    assert [(t.name, t.source) for t in plan.tests] == real_tests(source)
    assert answers(plan) | {w.name: w.source for w in plan.written} == reference


# --- any submission at all


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_shuffle_of_the_release_keeps_questions_and_tests(real, data):
    source, submission = real
    indices = data.draw(st.lists(st.integers(0, len(submission["cells"]) - 1), max_size=80))
    lost = data.draw(st.sets(st.integers(0, 79), max_size=20))
    cells = [
        submission["cells"][index] | ({"grade_id": None, "id": None} if n in lost else {})
        for n, index in enumerate(indices)
    ]
    plan = rebuild(REAL, source, {"cells": cells, "notes": []})
    solutions = [n for n in real_marked(source, "solution") if n not in ("written_false_belief",)]
    assert [q.name for q in plan.questions] == solutions
    assert [(t.name, t.source) for t in plan.tests] == real_tests(source)
    assert not any(item.attempted for item in (*plan.questions, *plan.written))
    run = [c for q in plan.questions for c in q.cells] + list(plan.trailing)
    assert [c.name for c in run if c.kind == "setup"] == [c.name for c in plan.setup]
    assert not [c for c in run if c.kind == "extra"]


ANY_CELL = st.builds(
    own,
    st.sampled_from(["", SQUARE, SQUARE_STUB, HALVE, "x = 1", "%%bash", "RATE = 2"]) | st.text(),
    st.sampled_from(["code", "markdown", "raw"]),
    st.sampled_from([None, "square", "halve", "why", "setup", "test_square", "hidden_halve"]),
    st.sampled_from([None, "square-cell", "why-cell", "why-text", "t-halve"]),
)


@given(st.lists(ANY_CELL, max_size=25))
@settings(max_examples=200, deadline=None)
def test_any_cells_give_a_plan_and_a_valid_notebook(tmp_path_factory, cells):
    plan = plan_of(cells)
    run = [c for q in plan.questions for c in q.cells] + list(plan.trailing)
    student = [c.position for c in run if c.position >= 0]
    assert len(set(student)) == len(student), "no cell of the student runs twice"
    path = tmp_path_factory.getbasetemp() / "tiny.ipynb"
    path.write_text(json.dumps(SOURCE))
    nbformat.validate(rebuilt_notebook(path, plan))
