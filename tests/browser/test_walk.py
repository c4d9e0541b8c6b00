"""A reader in JupyterLab: runs a notebook, moves every explorable by mouse and by keyboard."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from driver import (
    PICTURES,
    ROOT,
    BrowserMissing,
    Reader,
    echo_p95,
    find_chromium,
    p95,
    write_notebook,
)
from driver import write_store as write_made_up_store

pytestmark = [pytest.mark.browser, pytest.mark.turns("walk", by="module")]

MOST = 150.0  # ms from a control to its picture, p95, on two quiet cores
FIRST_PAINT = 1000.0  # ms from running the cell to the first picture


def report(rows: list[dict[str, Any]], name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"\n{'explorable':<14}{'first paint':>12}{'p95':>9}{'changes':>9}   [ms]")
    for row in rows:
        print(f"{row['name']:<14}{row['first_paint']:>12.0f}{row['p95']:>9.0f}{row['n']:>9}")


WALK = [
    """import os
os.environ["COMPANION_COURSE"] = {store!r}
import torch
from companion import architecture, models, plotting
from companion.explorables import architecture as explore
from companion.explorables.echo import echo""",
    "echo()",
    "explore.conv_microscope()",
    "explore.inductive_bias()",
    """def my_conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    return architecture.conv2d(x, weight.flip(-1), bias, stride, padding, dilation)

explore.conv_microscope(conv2d=my_conv2d)""",
    """def broken(x, weight, bias=None, stride=1, padding=0, dilation=1):
    raise IndexError("row 28 of 28\\nand a second line")

explore.conv_microscope(conv2d=broken)""",
    """explore.inductive_bias({{"CNN": models.cnn1d, "mine": lambda: models.mlp(n_hidden=2)}})""",
]


@pytest.fixture(scope="module")
def reader(browser: Any, lab: str, served_folder: Path, tmp_path_factory: Any) -> Any:
    store = tmp_path_factory.mktemp("store")
    write_made_up_store(store)
    write_notebook(served_folder / "walk.ipynb", [c.format(store=str(store)) for c in WALK])
    reader = Reader(browser, lab, "walk.ipynb")
    reader.hide_side_bar()
    for cell in (0, 1):
        reader.run_cell(cell)
    yield reader
    reader.page.close()


@pytest.mark.bench
def test_short_walk(reader: Reader) -> None:
    echo = echo_p95(reader, 1)
    rows = [{"name": "echo", "first_paint": reader.explorable(1).first_paint, "p95": echo, "n": 40}]
    for cell in (2, 3):
        reader.run_cell(cell)
        explorable = reader.explorable(cell)
        waited = explorable.root.evaluate("root => Number(root.dataset.paintedAt) - window.started")
        reader.picture(f"{explorable.name}-light", explorable.root)
        counts = explorable.move_everything()
        print(f"\n{explorable.name}: {counts}")
        assert counts["presets"] >= 3
        assert sum(n for kind, n in counts.items() if kind != "presets") >= 3
        times = explorable.latencies
        rows.append(
            {"name": explorable.name, "first_paint": waited, "p95": p95(times), "n": len(times)}
        )
    report(rows, "walk")
    for row in rows[1:]:
        assert row["p95"] <= max(MOST, 3 * echo), f"{row['name']} answers in {row['p95']:.0f} ms"
        assert row["first_paint"] <= max(FIRST_PAINT, 20 * echo), row
    assert reader.errors == []
    assert reader.strangers == [], "the page asked for something outside this machine"


def test_microscope_says_what_it_does(reader: Reader) -> None:
    reader.run_cell(2)
    microscope = reader.explorable(2)
    root, page = microscope.root, reader.page
    microscope.must_answer(
        "a preset", root.locator("button.ce-preset", has_text="stride halves").click
    )
    assert "⌊(28 + 2·1 − 1·(3 − 1) − 1) / 2⌋ + 1" in root.locator(".ce-arithmetic").inner_text()
    assert "Output, 14 × 14" in root.inner_text()

    canvas = root.locator("canvas.ce-output")
    canvas.focus()
    before = root.locator(".ce-sum").inner_text()
    microscope.must_answer("ArrowUp", lambda: page.keyboard.press("ArrowUp"))
    assert root.locator(".ce-sum").inner_text() != before
    assert root.locator(".ce-products td").count() == 9

    # Shortcuts of the notebook (b: new cell below, dd: delete) must not fire from inside.
    n_cells = page.locator(".jp-Cell").count()
    for key in ("b", "d", "d", "a"):
        page.keyboard.press(key)
    assert page.locator(".jp-Cell").count() == n_cells

    microscope.must_answer("the fold", root.locator("summary").click)
    assert "36" in root.locator("details .ce-hint").inner_text()
    assert root.locator("canvas.ce-matrix").bounding_box()["width"] > 100
    reader.picture("microscope-matrix", root)


def test_own_layer_is_compared(reader: Reader) -> None:
    reader.run_cell(4)
    mine = reader.explorable(4)
    assert "Your conv2d differs" in mine.root.locator(".ce-verdict").inner_text()
    assert ", yours is −" in mine.root.locator(".ce-sum").inner_text()
    reader.picture("microscope-own", mine.root)
    reader.run_cell(5)
    broken = reader.explorable(5)
    verdict = broken.root.locator(".ce-verdict").inner_text()
    assert verdict.startswith("Your conv2d raised IndexError: row 28 of 28.")
    assert "second line" not in verdict


def test_own_network_is_measured(reader: Reader) -> None:
    reader.run_cell(6)
    bias = reader.explorable(6)
    menu = bias.root.locator("select[data-key=model]")
    bias.must_answer("the menu", lambda: menu.select_option("mine"))
    button = bias.root.locator(".ce-measure")
    assert button.is_visible()
    button.click()
    bias.root.locator("progress").wait_for(state="visible", timeout=30_000)
    bias._until("root => root.dataset.busy === 'false'", 120)
    assert "mine (1 seed)" in bias.root.inner_text()
    assert not button.is_visible()


def test_send_the_labels(reader: Reader) -> None:
    reader.run_cell(3)
    bias = reader.explorable(3)
    bias.root.locator(".ce-play").click()
    bias._until("root => root.querySelectorAll('circle').length === 4", 10)
    bias._until("root => root.querySelector('.ce-play').textContent === 'send the labels'", 20)
    bias.settle()
    assert bias.root.locator("circle").count() >= 9
    missing = bias.root.locator("select[data-key=model]")
    labels = bias.root.locator("select[data-key=labels]")
    bias.must_answer("random labels", lambda: labels.select_option("random"))
    assert missing.locator("option[value=GRU]").is_disabled()
    assert "Not measured" in bias.root.locator(".ce-missing").inner_text()


def test_python_moves_the_page(reader: Reader) -> None:
    """`widget.state = {...}` from a cell reaches the controls; a bad state is one line."""
    page = reader.page
    page.evaluate(
        """() => { const w = window.jupyterapp.shell.currentWidget;
            w.content.widgets[1].model.sharedModel.setSource("w = echo(); w"); }"""
    )
    reader.run_cell(1)
    echo = reader.explorable(1)
    run = """code => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel
        .requestExecute({code}).done"""
    page.evaluate(run, "w.state = {'value': 77}")
    echo._until("root => root.querySelector('input').value === '77'", 10)
    page.evaluate(run, "w.state = {'value': 500}")
    echo._until("root => root.classList.contains('ce-failed')", 10)
    assert echo.error == "value must be an integer in 0 ... 100, got 500"
    slider = echo.root.locator("input[type=range]")
    slider.focus()
    echo.must_answer("ArrowLeft", lambda: page.keyboard.press("ArrowLeft"))
    assert echo.error == ""


def test_dark_theme(reader: Reader) -> None:
    reader.use_theme("dark")
    for cell in (2, 3):
        reader.run_cell(cell)
        explorable = reader.explorable(cell)
        ink, paper = explorable.root.evaluate(
            "root => { const s = getComputedStyle(root); return [s.color, s.backgroundColor]; }"
        )
        assert brightness(paper) < 0.3 < 0.6 < brightness(ink), (ink, paper)
        reader.picture(f"{explorable.name}-dark", explorable.root)
    reader.use_theme("light")


def brightness(colour: str) -> float:
    numbers = colour.partition("(")[2].rstrip(")").split(",")
    red, green, blue = (float(n) for n in numbers[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def test_missing_browser_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("COMPANION_CHROMIUM", raising=False)
    with pytest.raises(BrowserMissing, match="apt-get install chromium"):
        find_chromium()


CHAPTERS = sorted((ROOT / "course").glob("[0-9][0-9]_*.ipynb"))


@pytest.mark.full
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_whole_chapter(chapter: Path, browser: Any, lab: str, served_folder: Path) -> None:
    shutil.copy(chapter, served_folder / chapter.name)
    write_notebook(
        served_folder / "echo.ipynb", ["from companion.explorables.echo import echo\necho()"]
    )
    beside = Reader(browser, lab, "echo.ipynb")
    beside.run_cell(0)
    echo = echo_p95(beside, 0)
    beside.page.close()

    reader = Reader(browser, lab, chapter.name)
    reader.hide_side_bar()
    reader.run_all()
    assert reader.failed_cells() == []
    cells = reader.explorable_cells()
    is_taught = chapter.stem[:2] != "00"
    assert len(cells) >= 2 * is_taught, f"{chapter.name} shows {len(cells)} explorables"
    rows = [{"name": "echo", "first_paint": 0.0, "p95": echo, "n": 40}]
    for i, cell in enumerate(cells):
        explorable = reader.explorable(cell)
        reader.picture(f"{chapter.stem}-{i}-{explorable.name}-light", explorable.root)
        counts = explorable.move_everything()
        print(f"\n{explorable.name}: {counts}")
        assert counts["presets"] >= 3
        assert sum(n for kind, n in counts.items() if kind != "presets") >= 3
        times = explorable.latencies
        rows.append(
            {
                "name": explorable.name,
                "first_paint": explorable.first_paint,
                "p95": p95(times),
                "n": len(times),
            }
        )
    reader.use_theme("dark")
    for i, cell in enumerate(cells):
        explorable = reader.explorable(cell)
        reader.picture(f"{chapter.stem}-{i}-{explorable.name}-dark", explorable.root)
    report(rows, chapter.stem)
    for row in rows[1:]:
        assert row["p95"] <= max(MOST, 3 * echo), f"{row['name']} answers in {row['p95']:.0f} ms"
        assert row["first_paint"] <= max(FIRST_PAINT, 20 * echo), row
    assert reader.errors == []
    assert reader.strangers == [], "the page asked for something outside this machine"
    reader.page.close()
