"""Every chapter and assignment source keeps the rules; `make notebooks` stores what validates."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from tools import lint_notebooks as lints
from tools import notebooks

ROOT = notebooks.ROOT
CASES = [
    pytest.param(path, lint, id=f"{path.stem}-{lint.__name__}")
    for path in lints.all_notebooks()
    for lint in lints.lints_for(path)
]


@pytest.mark.parametrize(("path", "lint"), CASES)
def test_rules(path: Path, lint: lints.Lint) -> None:
    problems = lint(nbformat.read(path, as_version=4), path)
    name = path.relative_to(ROOT)
    assert not problems, "\n".join(f"{name}: {problem}" for problem in problems)


def test_there_are_chapters_and_sources() -> None:
    stems = {path.stem for path in lints.all_notebooks()}
    assert {"00_start_here", "02_architecture"} <= stems


def test_the_sanitizer_touches_marked_numbers_alone() -> None:
    assert len(notebooks.sanitizers()) <= 6
    for number in ("0.92", "-3.5", "12,345.6", "7", "1e-05", "+2"):
        assert notebooks.sanitize(f"loss: {number} [measured]") == "loss: NUMBER [measured]"
    for text in ("loss: 0.92", "0.92 measured", "a1 [measured]", "1.2.3 [measured]",
                 "nan [measured]", "0.92  [measured]", "[measured] 3"):  # fmt: skip
        assert notebooks.sanitize(text) == text
    assert notebooks.sanitize("4 of 0.5 [measured], 6") == "4 of NUMBER [measured], 6"


def display(data: dict[str, object], **metadata: object) -> NotebookNode:
    return new_output("display_data", data, metadata=metadata)


def cell_with(*outputs: NotebookNode, source: str = "f()", **more: object) -> NotebookNode:
    cell = new_code_cell(source, outputs=list(outputs), **more)
    cell.execution_count = 7
    return cell


def test_large_pictures_are_stored_with_a_palette_and_small_ones_as_they_are() -> None:
    def png(width: int) -> str:
        ramp = torch.linspace(0, 250, width * width).view(width, width)
        ramp = ramp + torch.randint(0, 5, ramp.shape, generator=torch.Generator().manual_seed(0))
        color = torch.stack([ramp, ramp.T, ramp.flip(0)], 2).byte().numpy()
        buffer = io.BytesIO()
        Image.fromarray(color).save(buffer, "png")
        return base64.b64encode(buffer.getvalue()).decode()

    small, large = png(8), png(400)
    notebook = new_notebook(cells=[cell_with(*(display({"image/png": p}) for p in (small, large)))])
    notebooks.shrink_pictures(notebook)
    first, second = (output.data["image/png"] for output in notebook.cells[0].outputs)
    assert first == small and len(second) < len(large)
    picture = Image.open(io.BytesIO(base64.b64decode(second)))
    original = Image.open(io.BytesIO(base64.b64decode(large)))
    assert picture.mode == "P" and picture.size == original.size
    gap = np.abs(np.asarray(picture.convert("RGB"), int) - np.asarray(original, int))
    assert gap.mean() < 8
    notebooks.shrink_pictures(notebook)
    assert notebook.cells[0].outputs[1].data["image/png"] == second


def test_normalizing_removes_what_differs_between_machines() -> None:
    widget = {notebooks.WIDGET_VIEW: {"model_id": "1f"}, "image/png": "AA==\n", "text/plain": "x"}
    cell = cell_with(
        new_output("stream", name="stdout", text="a"),
        new_output("stream", name="stdout", text="b\n"),
        display(widget, **{"image/png": {"alt": "x"}, notebooks.WIDGET_VIEW: {"a": 1}}),
        metadata={"execution": {"iopub.execute_input": "2026"}, "tags": ["timing"]},
    )
    notebook = new_notebook(
        cells=[cell],
        metadata={"widgets": {}, "language_info": {"name": "python", "version": "3.11.2"}},
    )
    clean = notebooks.normalize(notebook)
    assert clean.metadata == {
        "kernelspec": notebooks.KERNELSPEC,
        "language_info": {"name": "python"},
    }
    assert clean.cells[0].metadata == {"tags": ["timing"]}
    assert clean.cells[0].execution_count == 1
    text, picture = clean.cells[0].outputs
    assert text.text == "ab\n"
    assert picture.data == {"image/png": "AA==", "text/plain": "x"}
    assert picture.metadata == {"image/png": {"alt": "x"}}
    assert notebooks.normalize(clean) == clean
    assert notebook.cells[0].outputs[0].text == "a"  # the argument is left alone


def test_ids_stay_and_are_unique() -> None:
    notebook = new_notebook(cells=[new_markdown_cell(source) for source in "abbb"])
    for cell, given in zip(notebook.cells, ["kept", "kept", "x", "x"], strict=True):
        cell.id = given
    ids = [cell.id for cell in notebooks.normalize(notebook).cells]
    assert len(set(ids)) == 4 and ids[0] == "kept" and ids[2] == "x"
    assert ids == [cell.id for cell in notebooks.normalize(notebook).cells]


def test_accidental_outputs_are_refused() -> None:
    stderr = cell_with(new_output("stream", name="stderr", text="a warning"))
    with pytest.raises(notebooks.ChapterError, match="cell 0 writes to stderr:\na warning"):
        notebooks.check_outputs(new_notebook(cells=[stderr]))
    widget = cell_with(display({notebooks.WIDGET_VIEW: {}, "text/plain": "Box()"}))
    clean = notebooks.normalize(new_notebook(cells=[new_markdown_cell("a"), widget]))
    with pytest.raises(notebooks.ChapterError, match="cell 1 shows a widget and no picture"):
        notebooks.check_outputs(clean)


def test_a_timing_cell_keeps_its_numbers_until_something_else_changes() -> None:
    def timed(text: str, tags: list[str], source: str = "f()") -> NotebookNode:
        output = new_output("stream", name="stdout", text=text)
        return new_notebook(cells=[cell_with(output, source=source, metadata={"tags": tags})])

    def kept(new: NotebookNode, old: NotebookNode) -> str:
        return notebooks.kept_timings(new, old).cells[0].outputs[0].text

    old = timed("f: 3.10 [measured] ms\n", ["timing"])
    again = "f: 3.27 [measured] ms\n"
    assert kept(timed(again, ["timing"]), old) == "f: 3.10 [measured] ms\n"
    assert kept(timed(again, []), old) == again
    assert kept(timed(again, ["timing"], source="g()"), old) == again
    assert kept(timed("g: 3.10 [measured] ms\n", ["timing"]), old) == "g: 3.10 [measured] ms\n"


def test_the_ledger_loses_a_chapters_rows_only_if_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    text = json.dumps([{"chapter": "01"}, {"chapter": "02"}, {"chapter": "02_architecture"}])
    path.write_text(text)
    with notebooks._FreshLedgerRows("02_architecture", path):
        assert json.loads(path.read_text()) == [{"chapter": "01"}]
    assert json.loads(path.read_text()) == [{"chapter": "01"}]
    path.write_text(text)
    with pytest.raises(notebooks.ChapterError), notebooks._FreshLedgerRows("02_x", path):
        raise notebooks.ChapterError("no")
    assert path.read_text() == text


def test_a_chapter_runs_with_the_environment_of_validation(monkeypatch) -> None:
    monkeypatch.setenv("COMPANION_LEDGER", "write")
    monkeypatch.setenv("COMPANION_PREDICTIONS", "on")
    variables = notebooks.environment()
    assert variables["COMPANION_PREDICTIONS"] == variables["COMPANION_PROGRESS"] == "off"
    assert "COMPANION_LEDGER" not in variables and "MPLBACKEND" not in variables
    assert notebooks.environment(writes_ledger=True)["COMPANION_LEDGER"] == "write"
    import os

    assert os.environ["COMPANION_PREDICTIONS"] == "on"


def test_too_large_a_file_is_not_written(tmp_path: Path) -> None:
    notebook = new_notebook(cells=[new_markdown_cell("x" * 1_600_000, id="a")])
    with pytest.raises(notebooks.ChapterError, match="more than 1,500,000"):
        notebooks.write(notebook, tmp_path / "a.ipynb")
    assert list(tmp_path.iterdir()) == []


def test_chapters_are_chosen_by_the_beginning_of_their_name() -> None:
    assert [path.stem for path in notebooks.chapters(["02"])] == ["02_architecture"]
    with pytest.raises(SystemExit, match="no chapter '99'"):
        notebooks.chapters(["99"])


@pytest.mark.slow
def test_running_twice_stores_the_same_bytes(tmp_path: Path) -> None:
    cells = [
        new_code_cell("import os\n\nfrom companion import plotting", id="a"),
        new_code_cell('print("a", end="")\nprint(os.environ["COMPANION_PREDICTIONS"])', id="b"),
        new_code_cell(
            "figure = plotting.series(plotting.torch.arange(5.0))\n"
            'plotting.show(figure, alt="A line that rises to four.")',
            id="c",
        ),
    ]
    first = notebooks.execute(new_notebook(cells=cells), tmp_path)
    again = notebooks.execute(first.notebook, tmp_path)
    assert notebooks.serialize(first.notebook) == notebooks.serialize(again.notebook)
    assert first.notebook.cells[1].outputs[0].text == "aoff\n"
    assert set(first.cell_seconds) == {0, 1, 2} and 0 < first.seconds < 60
    for source, says in {
        "1 / 0": "ZeroDivisionError",
        "import sys\nprint(1, file=sys.stderr)": "cell 0 writes to stderr",
    }.items():
        with pytest.raises(notebooks.ChapterError, match=says):
            notebooks.execute(new_notebook(cells=[new_code_cell(source)]), tmp_path)
