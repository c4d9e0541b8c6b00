"""A reader in JupyterLab with chapter 05's explorables: the two-part dial, the rank knob."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driver import Reader, echo_p95, p95, write_notebook
from test_walk import FIRST_PAINT, MOST, brightness, report
from test_walk_01 import SIZES, SMALLEST_TEXT, TALLEST, WINDOW, press_preset
from test_walk_03 import INSIDE, click_into

pytestmark = [pytest.mark.browser, pytest.mark.turns("walk", by="module")]

WALK = [
    """from companion.explorables import compression as explore
from companion.explorables.echo import echo""",
    "echo()",
    "explore.two_part_dial()",
    "explore.rank_knob()",
]


@pytest.fixture(scope="module")
def reader(browser: Any, lab: str, served_folder: Path) -> Any:
    write_notebook(served_folder / "walk_05.ipynb", WALK)
    reader = Reader(browser, lab, "walk_05.ipynb")
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
        counts = explorable.move_everything()
        print(f"\n{explorable.name}: {counts}")
        is_dial = explorable.name == "twopart"
        assert counts["presets"] == 5
        assert counts["sliders"] == (2 if is_dial else 3)
        assert counts["menus"] == (4 if is_dial else 2)
        times = explorable.latencies
        rows.append(
            {"name": explorable.name, "first_paint": waited, "p95": p95(times), "n": len(times)}
        )
    report(rows, "walk_05")
    for row in rows[1:]:
        assert row["p95"] <= max(MOST, 3 * echo), f"{row['name']} answers in {row['p95']:.0f} ms"
        assert row["first_paint"] <= max(FIRST_PAINT, 20 * echo), row
    assert reader.errors == []
    assert reader.strangers == [], "the page asked for something outside this machine"


def test_the_dial_turns_by_keyboard_and_by_a_click(reader: Reader) -> None:
    reader.run_cell(2)
    dial, page = reader.explorable(2), reader.page
    root, account = dial.root, dial.root.locator(".ce-account")
    density, levels = (root.locator(f"input[data-key={key}]") for key in ("density", "n_levels"))
    for knob, key, says in (
        (density, "Home", "100 % of the weights"), (density, "End", "7 % of the weights"),
        (levels, "Home", "7 % of the weights on 2 levels"),
        (levels, "End", "7 % of the weights as float32 values"),
    ):  # fmt: skip
        knob.focus()
        dial.must_answer(key, lambda key=key: page.keyboard.press(key))
        assert account.inner_text().replace("\u00a0", " ").startswith(says)

    chart = root.locator(".ce-grid svg")
    dial.must_answer("a click into the grid", lambda: click_into(reader, chart, 0.2))
    assert " on 2 levels" in account.inner_text()
    chart = root.locator(".ce-bars svg")
    dial.must_answer("a click into the bars", lambda: click_into(reader, chart, 0.2))
    assert account.inner_text().startswith("100")
    along = root.locator("select[data-key=along]")
    dial.must_answer("along levels", lambda: along.select_option("levels"))
    dial.must_answer("a click into the bars", lambda: click_into(reader, chart, 0.95))
    assert "as float32 values" in account.inner_text() and levels.input_value() == "5"
    coder = root.locator("select[data-key=coder]")
    dial.must_answer("equal words", lambda: coder.select_option("raw"))
    assert "equal words" in account.inner_text()
    shown = root.locator("select[data-key=shown]")
    dial.must_answer("accuracy", lambda: shown.select_option("accuracy"))
    assert root.locator("figcaption").first.inner_text().startswith("Accuracy in %")


def test_the_knob_turns_the_layer_that_is_shown(reader: Reader) -> None:
    reader.run_cell(3)
    knob, page = reader.explorable(3), reader.page
    root, account = knob.root, knob.root.locator(".ce-account")
    layer, second = root.locator("select[data-key=layer]"), root.locator("input[data-key=rank_3]")
    assert layer.input_value() == "1"
    second.focus()
    knob.must_answer("Home", lambda: page.keyboard.press("Home"))
    assert layer.input_value() == "3"
    assert account.inner_text().startswith("The layer 300 to 100 at rank 1 of 100")
    chart = root.locator(".ce-spectrum svg")
    knob.must_answer("a click far right", lambda: click_into(reader, chart, 0.98))
    assert account.inner_text().startswith("The layer 300 to 100 as it was")
    assert second.input_value() == "7"
    chart = root.locator(".ce-cost svg")
    knob.must_answer("a click far left", lambda: click_into(reader, chart, 0.2))
    assert account.inner_text().startswith("The layer 300 to 100 at rank 1 of 100")
    epochs = root.locator("input[data-key=epochs]")
    epochs.focus()
    knob.must_answer("End", lambda: page.keyboard.press("End"))
    assert "after 3 epochs of fine-tuning" in account.inner_text()
    assert root.locator(".ce-after").count() == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_they_fit_one_screen_and_can_be_read(reader: Reader, theme: str) -> None:
    reader.use_theme(theme)
    size = reader.page.viewport_size
    reader.page.set_viewport_size(WINDOW)
    for cell in (2, 3):
        reader.run_cell(cell)
        explorable = reader.explorable(cell)
        ink, paper = explorable.root.evaluate(
            "root => { const s = getComputedStyle(root); return [s.color, s.backgroundColor]; }"
        )
        dark, bright = sorted((brightness(ink), brightness(paper)))
        assert dark < 0.3 < 0.6 < bright and (theme == "dark") == (brightness(paper) == dark)
        names = explorable.root.locator("button.ce-preset").all_inner_texts()
        for i, name in enumerate(names):
            press_preset(explorable, name)
            reader.picture(f"{explorable.name}-{theme}-{i}", explorable.root)
            assert explorable.root.bounding_box()["height"] <= TALLEST, name
            assert explorable.root.evaluate(INSIDE) == [], f"{name}: text leaves its chart"
            small = [row for row in explorable.root.evaluate(SIZES) if row[0] < SMALLEST_TEXT]
            assert small == [], name
        overflow = "root => root.scrollWidth > root.clientWidth"
        assert not explorable.root.evaluate(overflow), f"{explorable.name} is too wide"
    reader.page.set_viewport_size(size)
    reader.use_theme("light")
