"""Each notebook lint rejects a fixture made for it and accepts a chapter that keeps the rules."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from companion import codelength
from tools import lint_notebooks as lints
from tools import notebooks

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNiAAAABgADNjd8qAAAAABJRU5ErkJggg=="


def good_chapter() -> NotebookNode:
    """The smallest notebook that keeps every rule of a chapter."""
    cells = [
        new_markdown_cell("# Shapes that know something\n\nWhat does a layer believe?"),
        new_code_cell(
            "import torch\n\n"
            "from companion import data\n"
            "from companion.codelength import Ledger\n"
            "from companion.explorables import architecture as explore\n"
            "from companion.plotting import report, series, show\n"
            "from companion.predictions import ask, reveal\n\n"
            'train = data.load("mnist1d")\n'
            "ledger = Ledger()"
        ),
    ]
    for n in range(6):
        cells.append(new_code_cell(f'ask("02.question.{n}", "Higher?", ["yes", "no"])'))
    cells.append(
        new_code_cell(
            'show(series(train.inputs[0]), alt="A smooth curve with two humps.")',
            outputs=[
                new_output(
                    "display_data",
                    {"image/png": PNG, "text/plain": "A smooth curve with two humps."},
                    metadata={"image/png": {"alt": "A smooth curve with two humps."}},
                )
            ],
        )
    )
    cells.append(new_markdown_cell("The curve has two humps, and a third of it is flat."))
    for n in range(6):
        cells.append(new_code_cell(f'reveal("02.question.{n}", "yes")'))
    cells += [
        new_code_cell(
            "accuracy = torch.tensor([0.9, 0.91]).mean()\n"
            'report("test accuracy", accuracy)\n'
            "assert accuracy > 0.8",
            outputs=[new_output("stream", name="stdout", text="test accuracy: 0.91 [measured]\n")],
        ),
        new_markdown_cell("### Explore\n\nWhich kernel finds an edge?"),
        new_code_cell("explore.conv_microscope()"),
        new_markdown_cell("How many labels does the right belief save?"),
        new_code_cell("explore.inductive_bias()"),
        new_markdown_cell("## Spot the bug\n\nThe loss is `0.000` from the first step on."),
        new_markdown_cell("## Spot the bug: a list of layers\n\nNothing learns."),
        new_markdown_cell("## What people get wrong\n\nThat more layers see more."),
        new_markdown_cell("## The price\n\nMultiply-adds, counted by the library above."),
        new_markdown_cell("## In bits\n\nOne row, $13{,}288$ bits against fewer."),
        new_code_cell('ledger.add({"chapter": "02"})'),
        new_markdown_cell("## Sources\n\n[LeCun et al. 1998](references.md#lecun1998)"),
    ]
    for n, cell in enumerate(cells):
        cell.id = f"cell-{n}"
        if cell.cell_type == "code":
            cell.execution_count = 1
    return notebooks.normalize(new_notebook(cells=cells))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the chapter would lie: beside a list of references, and not written."""
    folder = tmp_path / "course"
    folder.mkdir()
    (folder / "references.md").write_text('- <a id="lecun1998"></a> LeCun et al., 1998.\n')
    return folder / "02_architecture.ipynb"


def code(*sources: str, **more: object) -> Callable[[NotebookNode], None]:
    """Appends code cells to the fixture, as though `make notebooks` had run them."""

    def change(notebook: NotebookNode) -> None:
        n_run = sum(cell.cell_type == "code" for cell in notebook.cells)
        for i, source in enumerate(sources):
            metadata = copy.deepcopy(more.get("metadata", {}))
            cell = new_code_cell(source, metadata=metadata, outputs=more.get("outputs", []))
            cell.execution_count, cell.id = n_run + i + 1, f"added-{i}"
            notebook.cells.append(cell)

    return change


def text(source: str, *tags: str) -> Callable[[NotebookNode], None]:
    """Appends a markdown cell to the fixture."""

    def change(notebook: NotebookNode) -> None:
        metadata = {"tags": list(tags)} if tags else {}
        notebook.cells.append(new_markdown_cell(source, metadata=metadata, id="added"))

    return change


def without(fragment: str) -> Callable[[NotebookNode], None]:
    """Removes the first cell whose source contains `fragment`."""

    def change(notebook: NotebookNode) -> None:
        index = next(i for i, cell in enumerate(notebook.cells) if fragment in cell.source)
        del notebook.cells[index]

    return change


def replaced(old: str, new: str) -> Callable[[NotebookNode], None]:
    """Replaces text in the first cell that contains it."""

    def change(notebook: NotebookNode) -> None:
        cell = next(cell for cell in notebook.cells if old in cell.source)
        cell.source = cell.source.replace(old, new, 1)

    return change


def output(source: str, **about: object) -> Callable[[NotebookNode], None]:
    return code(source, outputs=[new_output(**about)])


def odd_metadata(notebook: NotebookNode) -> None:
    notebook.cells[0].metadata["collapsed"] = True


def no_kernel(notebook: NotebookNode) -> None:
    notebook.metadata = nbformat.from_dict({})


def two_ids(notebook: NotebookNode) -> None:
    notebook.cells[3].id = notebook.cells[2].id


def no_alt(notebook: NotebookNode) -> None:
    cell = next(cell for cell in notebook.cells if cell.source.startswith("show("))
    cell.outputs[0].metadata = nbformat.from_dict({})


def not_run(notebook: NotebookNode) -> None:
    notebook.cells[2].execution_count = None


def no_imports(notebook: NotebookNode) -> None:
    notebook.cells[1].source = "a = 1"


SKIPPED = {"tags": ["nbval-skip"], "companion": {"reason": "needs a network card"}}
WIDGET = {notebooks.WIDGET_VIEW: {"model_id": "1"}, "text/plain": "Box()"}
IN_CODELENGTH = {"tags": ["shared"], "companion": {"shared": "companion.codelength"}}
WRONG_CODE = "def uniform_bits(n, n_classes):\n    return n"
SHARED = inspect.getsource(codelength.uniform_bits)

REJECTED = [
    ("short_cells", code("\n".join(f"a{i} = {i}" for i in range(31))), "31 lines"),
    ("short_cells", code(*["\n".join(f"a{i} = {i}" for i in range(16))] * 60), "median"),
    ("narrow_lines", code("a = 1  # " + "x" * 88), "columns"),
    ("formatted", code("a=1"), "not formatted"),
    ("formatted", code("a = ("), "cannot read"),
    ("no_loose_ends", code("print(undefined_name)"), "undefined_name"),
    ("no_loose_ends", replaced("import torch", "import copy\nimport torch"), "unused"),
    ("no_semicolons", code("a = 1; b = 2"), "semicolon"),
    ("no_semicolons", code("a = ("), "cannot be read"),
    ("imports_first", code("import math"), "outside the first"),
    ("imports_first", no_imports, "nothing"),
    ("no_setup", code("!pip install torch"), "!pip"),
    ("no_setup", code("%matplotlib inline"), "%matplotlib"),
    ("no_setup", code('run("conda install torch")'), "conda install"),
    ("no_setup", code("sys.path.append(folder)"), "sys.path"),
    ("no_setup", code("import urllib.request"), "urllib"),
    ("no_setup", code('open("../course/ledger.json")'), "a path"),
    ("no_setup", code('open("/content/data.csv")'), "a path"),
    ("companion_names", code("data.load_everything()"), "companion.data.load_everything"),
    ("companion_names", code("from companion import nothing_here"), "does not exist"),
    ("companion_names", code("from companion.data import gone"), "companion.data.gone"),
    ("companion_names", code("from companion.plotting import _draw_level"), "private"),
    ("companion_names", text("Use `companion.data.lod`."), "companion.data.lod"),
    ("companion_names", text("See `companion/nothing.py`."), "no file"),
    ("shared_definitions", code(WRONG_CODE, metadata=IN_CODELENGTH), "uniform_bits differs"),
    ("shared_definitions", code("def nowhere():\n    pass", metadata=IN_CODELENGTH), "has no"),
    ("shared_definitions", code("a = 1", metadata=IN_CODELENGTH), "defines nothing"),
    ("shared_definitions", code(SHARED, metadata={"companion": {"shared": "companion.codelength"}}),
     "repeats"),
    ("reports_assert", code('report("accuracy", 0.9)'), "asserts nothing"),
    ("outputs_stored", not_run, "execution count None"),
    ("outputs_stored", output("1 / 0", output_type="error", ename="E", evalue="", traceback=[]),
     "stored error"),
    ("outputs_stored", output("f()", output_type="stream", name="stderr", text="x"), "stderr"),
    ("outputs_stored", output("f()", output_type="display_data", data=WIDGET), "widget"),
    ("outputs_stored", text("x" * 1_500_001), "bytes"),
    ("normalized", odd_metadata, "not normalized"),
    ("normalized", no_kernel, "metadata"),
    ("normalized", two_ids, "not normalized"),
    ("normalized", code("a = 1  \nb = 2"), "white space"),
    ("alt_texts", no_alt, "image/png"),
    ("alt_texts", text("![](figure.png)"), "''"),
    ("alt_texts", text('<img src="figure.png" alt="plot">'), "'plot'"),
    ("alt_texts", text('<img src="figure.png">'), "''"),
    ("few_skips", code(*["a = 1"] * 4, metadata=SKIPPED), "more than 3"),
    ("few_skips", code("a = 1", metadata={"tags": ["nbval-ignore-output"]}), "without a reason"),
    ("few_skips", code("# NBVAL_IGNORE_OUTPUT\na = 1"), "use a tag"),
    ("predictions", without('ask("02.question.0"'), "5 predictions"),
    ("predictions", without('reveal("02.question.0"'), "never revealed"),
    ("predictions", replaced('ask("02.question.0"', "ask(name"), "literal"),
    ("predictions", replaced('ask("02.question.0"', 'ask("02.question.1"'), "second time"),
    ("predictions", replaced('ask("02.question.0"', 'ask("question.0"'), "should begin 02."),
    ("predictions", code('ask("02.x", "?", o)\nreveal("02.x", "yes")'), "in the cell that asks"),
    ("explorables", without("explore.inductive_bias"), "1 explorables"),
    ("explorables", replaced("Which kernel finds an edge?", "A kernel."), "without a question"),
    ("sections", without("## The price"), "The price"),
    ("sections", without("## Spot the bug"), "1 headings"),
    ("sections", text("# A second title"), "found 2"),
    ("ledger_rows", without("ledger.add"), "no row"),
    ("plain_words", text("Let's delve into it."), "delve"),
    ("plain_words", text("It is simply a sum."), "simply"),
    ("plain_words", text("Dive into the powerful world."), "powerful"),
    ("calm", text("It works!"), "exclamation"),
    ("calm", text("It works \U0001f389"), "U+1F389"),
    ("calm", code('print("\u2705")'), "U+2705"),
    ("no_typed_results", text("The network reaches 0.92."), "0.92"),
    ("no_typed_results", text("It reaches 97.8 % of them."), "97.8 %"),
    ("no_typed_results", text("It reaches 94% of them."), "94%"),
    ("no_typed_results", text("The code has 3,540 bits."), "3,540 bits"),
    ("no_typed_results", text("It takes 12 seconds."), "12 seconds"),
    ("no_typed_results", text("It is 3× as slow."), "3×"),
    ("no_typed_results", text("| model | accuracy |\n| --- | --- |\n| MLP | 0.68 |"), "0.68"),
    ("no_typed_results", text("A human: 96 %.", "cites"), "links no source"),
    ("citations", text("[Nobody 2031](references.md#nobody2031)"), "nobody2031"),
    ("citations", text("[the next chapter](03_nothing.ipynb)"), "leads nowhere"),
    ("citations", without("lecun1998"), "cites nothing"),
]  # fmt: skip

ACCEPTED = [
    ("short_cells", code("\n".join(f"a{i} = {i}" for i in range(30)))),
    ("narrow_lines", code("a = 1  # " + "x" * 79)),
    ("no_semicolons", code('print("a; b")  # c; d')),
    ("no_setup", code("remainder = (\n    7\n    % 3\n)")),
    ("no_setup", text("Install it with `pip install torch`.")),
    ("companion_names", code("data.load(name)")),
    ("companion_names", text("`companion start`, `companion.data.load`, `companion/data/loading`")),
    ("shared_definitions", code(SHARED, metadata=IN_CODELENGTH)),
    ("reports_assert", code("reported = 1")),
    ("outputs_stored", output("f()", output_type="execute_result", data={"text/plain": "1"})),
    ("alt_texts", text("![Two curves cross once](figure.png)")),
    ("alt_texts", text("`![](figure.png)`")),
    ("few_skips", code(*["a = 1"] * 3, metadata=SKIPPED)),
    ("sections", text("```python\n# a comment, no title\n```")),
    ("plain_words", text("A robust mean. <!-- allow: robust defined in section 3 -->")),
    ("plain_words", text("Adjusted and justified in `just`.")),
    ("calm", text("$n!$ orders, `a != b`, ![Two curves cross](a.png) <!-- given: x y -->")),
    ("no_typed_results", text("Forty points, 28 × 28 pixels, 6,000 parameters, in 1998.")),
    ("no_typed_results", text("`0.92`, $p = 0.5$, Python 3.11 to 3.14, section 2.1\n\n## 1.2 On")),
    ("no_typed_results", text("A human: 96 % ([G. 2024](references.md#lecun1998)).", "cites")),
    ("no_typed_results", text("A dropout of 50 %. <!-- given: we choose it -->")),
    ("no_typed_results", text("[LeCun 1998, p. 2.3](references.md#lecun1998), 10 minutes")),
    ("no_typed_results", text("```\naccuracy 0.92\n```")),
    ("citations", text("[below](#in-bits), [site](https://pytorch.org/), `[x](gone.md)`")),
]


def problems_of(name: str, notebook: NotebookNode, path: Path) -> list[lints.Problem]:
    return getattr(lints, name)(notebook, path)


@pytest.fixture(autouse=True)
def explorables_of_the_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """The explorables of the fixture exist, whatever the library has."""
    known = {"companion.explorables.architecture", "companion.explorables"}
    real = lints._name_problems
    monkeypatch.setattr(
        lints,
        "_name_problems",
        lambda index, name: [] if name.startswith("companion.explorables") else real(index, name),
    )
    module = lints._module
    monkeypatch.setattr(lints, "_module", lambda name: lints if name in known else module(name))


@pytest.mark.parametrize("lint", [*lints.CHAPTER_LINTS], ids=lambda lint: lint.__name__)
def test_the_good_chapter_keeps_every_rule(lint: lints.Lint, path: Path) -> None:
    assert lint(good_chapter(), path) == []


@pytest.mark.parametrize(
    ("name", "change", "says"),
    REJECTED,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lints_reject(
    name: str, change: Callable[[NotebookNode], None], says: str, path: Path
) -> None:
    notebook = good_chapter()
    change(notebook)
    problems = problems_of(name, notebook, path)
    assert any(says in str(problem) for problem in problems), problems or "nothing found"


@pytest.mark.parametrize(
    ("name", "change"), ACCEPTED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_lints_accept(name: str, change: Callable[[NotebookNode], None], path: Path) -> None:
    notebook = good_chapter()
    change(notebook)
    assert problems_of(name, notebook, path) == []


def test_names_need_a_docstring(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    import companion.data

    monkeypatch.setattr(companion.data, "unexplained", lambda: None, raising=False)
    notebook = good_chapter()
    code("data.unexplained()")(notebook)
    (problem,) = lints.companion_names(notebook, path)
    assert problem.message == "companion.data.unexplained has no docstring"


def test_every_lint_has_a_fixture_that_it_rejects() -> None:
    rejecting = {entry[0] for entry in REJECTED}
    used = {lint.__name__ for lint in (*lints.CHAPTER_LINTS, *lints.SOLUTION_LINTS)}
    assert used - rejecting == {"no_outputs"}  # rejected below: chapters do have outputs


def test_sources_of_assignments_have_no_outputs(path: Path) -> None:
    notebook = good_chapter()
    assert lints.no_outputs(notebook, path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    assert lints.no_outputs(notebook, path) == []


def test_the_introduction_needs_no_bugs_and_no_predictions(path: Path) -> None:
    notebook = new_notebook(cells=[new_markdown_cell("# Start here")])
    path = path.with_name("00_start_here.ipynb")
    for lint in (lints.sections, lints.predictions, lints.explorables, lints.ledger_rows):
        assert lint(notebook, path) == []


def test_the_file_itself_is_compared_with_what_make_notebooks_writes(path: Path) -> None:
    notebook = good_chapter()
    path.write_text(notebooks.serialize(notebook), encoding="utf-8")
    assert lints.normalized(notebook, path) == []
    path.write_text(notebooks.serialize(notebook).replace("\n ", "\n  "), encoding="utf-8")
    assert [p.cell for p in lints.normalized(notebook, path)] == [None]


def test_fix_formats_and_keeps_outputs(path: Path) -> None:
    notebook = good_chapter()
    code("a=1")(notebook)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    lints.fix(path)
    fixed = nbformat.read(path, as_version=4)
    assert fixed.cells[-1].source == "a = 1"
    assert lints.formatted(fixed, path) == []
    assert [c.get("outputs") for c in fixed.cells] == [c.get("outputs") for c in notebook.cells]


def test_the_command_names_file_and_cell(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = good_chapter()
    text("It works!")(notebook)
    notebooks.write(notebook, path)
    assert lints.main([str(path)]) == 1
    printed = capsys.readouterr().out
    assert f"{path}: cell {len(notebook.cells) - 1}: an exclamation mark" in printed
    notebooks.write(good_chapter(), path)
    assert lints.main([str(path)]) == 0
