"""A reader in JupyterLab with chapter 06's explorables: maps, a tree surgeon, a lie detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driver import Reader, write_notebook
from reading import must_be_readable, press_preset, walked
from test_walk_03 import click_into

pytestmark = [pytest.mark.browser, pytest.mark.turns("walk", by="module")]

WALK = [
    """from companion.explorables import explanation as explore
from companion.explorables.echo import echo
from companion.data import load
digits, images = load("digits"), load("mnist")""",
    "echo()",
    "explore.map_honesty()",
    "explore.tree_surgeon()",
    "explore.lie_detector()",
]
CELLS = (2, 3, 4)
COUNTS = {
    "maps": {"presets": 5, "sliders": 2, "menus": 4, "pictures": 2},
    "surgeon": {"presets": 4, "sliders": 2, "menus": 2},  # a leaf has no threshold
    "detector": {"presets": 5, "sliders": 3, "menus": 4},
}


@pytest.fixture(scope="module")
def reader(browser: Any, lab: str, served_folder: Path) -> Any:
    write_notebook(served_folder / "walk_06.ipynb", WALK)
    reader = Reader(browser, lab, "walk_06.ipynb")
    reader.hide_side_bar()
    for cell in (0, 1):
        reader.run_cell(cell)
    yield reader
    reader.page.close()


@pytest.mark.bench
def test_short_walk(reader: Reader) -> None:
    for name, counts in walked(reader, CELLS, "walk_06").items():
        assert {kind: counts[kind] for kind in COUNTS[name]} == COUNTS[name]


def no_shortcut_fires(reader: Reader) -> None:
    """Shortcuts of the notebook (b: new cell, dd: delete) must not fire from inside."""
    n_cells = reader.page.locator(".jp-Cell").count()
    for key in ("b", "d", "d", "a"):
        reader.page.keyboard.press(key)
    assert reader.page.locator(".jp-Cell").count() == n_cells


def test_a_point_is_chosen_by_mouse_and_by_arrow_keys(reader: Reader) -> None:
    reader.run_cell(2)
    bench, page = reader.explorable(2), reader.page
    root, account = bench.root, bench.root.locator(".ce-account")
    canvas = root.locator("canvas.ce-map").first
    pressed = root.locator("button[aria-pressed=true]")
    assert pressed.inner_text() == "digits well mapped"
    seen = {canvas.get_attribute("aria-label")}
    canvas.focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown", "Space"):
        bench.must_answer(key, lambda key=key: page.keyboard.press(key))
        seen.add(canvas.get_attribute("aria-label"))
    assert len(seen) >= 4
    assert pressed.inner_text() == "digits well mapped"  # the point is not part of a preset
    before = canvas.get_attribute("aria-label")
    bench.must_answer("a click", lambda: click_into(reader, canvas, 0.9))
    assert canvas.get_attribute("aria-label") != before
    canvas.focus()
    no_shortcut_fires(reader)

    chart = root.locator(".ce-along-perplexity svg")
    bench.must_answer("a click into the chart", lambda: click_into(reader, chart, 0.25))
    assert "perplexity 2," in account.inner_text()
    chart = root.locator(".ce-along-n_iterations svg")
    bench.must_answer("a click into the chart", lambda: click_into(reader, chart, 0.25))
    assert " 10 iterations" in account.inner_text()
    assert root.locator("input[data-key=n_iterations]").input_value() == "0"
    menu = root.locator("select[data-key=data]")
    bench.must_answer("noise", lambda: menu.select_option("noise"))
    assert account.inner_text().startswith("Gaussian noise, perplexity 2")
    assert root.locator("figcaption").nth(1).inner_text().startswith("Gaussian noise")


def test_the_surgeon_walks_cuts_and_undoes(reader: Reader) -> None:
    reader.run_cell(3)
    surgeon, page = reader.explorable(3), reader.page
    root, account = surgeon.root, surgeon.root.locator(".ce-account")
    words, tree = root.locator(".ce-words"), root.locator("svg.ce-tree")
    press_preset(surgeon, "readable")
    nodes = root.locator(".ce-tree-node")
    assert nodes.count() == 15 and root.locator(".ce-swap").is_disabled()
    surgeon.must_answer("a click on the root", nodes.first.click)
    assert words.inner_text().startswith("At the root")
    assert root.locator(".ce-swap").is_enabled()
    before = account.inner_text()
    tree.focus()
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp"):
        surgeon.must_answer(key, lambda key=key: page.keyboard.press(key))
        assert words.inner_text().startswith("If ")
    surgeon.must_answer("space", lambda: page.keyboard.press("Space"))
    assert "after 1 operation" in account.inner_text() and root.locator(".ce-fall").count() == 1
    no_shortcut_fires(reader)
    surgeon.must_answer("space", lambda: page.keyboard.press("Space"))
    assert account.inner_text() == before
    slide = root.locator("input[data-key=threshold]")
    slide.focus()
    surgeon.must_answer("End", lambda: page.keyboard.press("End"))
    assert "after 1 operation" in account.inner_text()
    surgeon.must_answer("undo all", root.locator(".ce-undo").click)
    assert account.inner_text() == before and root.locator(".ce-undo").is_disabled()

    press_preset(surgeon, "deep")
    tree.focus()
    levels = set()
    for _ in range(6):
        surgeon.must_answer("ArrowUp", lambda: page.keyboard.press("ArrowUp"))
        levels.add(tree.get_attribute("aria-label").split(";")[0])
    assert len(levels) > 1  # the window follows into the depth
    chart = root.locator(".ce-fidelity svg")
    surgeon.must_answer("a click into the chart", lambda: click_into(reader, chart, 0.3))
    assert root.locator("input[data-key=depth]").input_value() in "1234"
    menu = root.locator("select[data-key=n_queries]")
    surgeon.must_answer("queries", lambda: menu.select_option("20000"))
    assert "20,000 queries" in account.inner_text()


def test_the_detector_is_walked_and_asked(reader: Reader) -> None:
    reader.run_cell(4)
    detector, page = reader.explorable(4), reader.page
    root, account = detector.root, detector.root.locator(".ce-account")
    meter = root.locator(".ce-side .ce-title")
    chart = root.locator(".ce-way svg")
    detector.must_answer("a click half-way", lambda: click_into(reader, chart, 0.55))
    assert root.locator("figcaption").first.inner_text().endswith("% of the way")
    share = root.locator("input[data-key=share]")
    share.focus()
    detector.must_answer("Home", lambda: page.keyboard.press("Home"))
    assert "a map is constant" in account.inner_text()  # nothing was collected yet
    detector.must_answer("End", lambda: page.keyboard.press("End"))
    steps = root.locator("input[data-key=n_steps]")
    fair = meter.inner_text()
    steps.focus()
    detector.must_answer("Home", lambda: page.keyboard.press("Home"))
    assert meter.inner_text() != fair and meter.inner_text().startswith("The sum is off by")
    no_shortcut_fires(reader)
    method = root.locator("select[data-key=method]")
    detector.must_answer("guided", lambda: method.select_option("guided"))
    assert meter.inner_text() == "Not made to add up"
    assert root.locator(".ce-collected").count() == 0
    target = root.locator("select[data-key=target]")
    detector.must_answer("class 0", lambda: target.select_option("0"))
    assert account.inner_text().startswith("Why 0, asked of the trained network (the trained one")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_they_fit_one_screen_and_can_be_read(reader: Reader, theme: str) -> None:
    must_be_readable(reader, CELLS, theme)
