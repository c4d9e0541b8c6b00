"""A reader in JupyterLab with chapter 05's explorables: the two-part dial, the rank knob."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driver import Reader, write_notebook
from reading import must_be_readable, walked
from test_walk_03 import click_into

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
    for name, counts in walked(reader, (2, 3), "walk_05").items():
        is_dial = name == "twopart"
        assert counts["presets"] == 5
        assert counts["sliders"] == (2 if is_dial else 3)
        assert counts["menus"] == (4 if is_dial else 2)


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
    must_be_readable(reader, (2, 3), theme)
