"""A reader in JupyterLab with chapter 03's explorables: the λ dial, dropout as a committee."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driver import Reader, write_notebook
from reading import must_be_readable, press_preset, walked

pytestmark = [pytest.mark.browser, pytest.mark.turns("walk", by="module")]

WALK = [
    """from companion.explorables import regularization as explore
from companion.explorables.echo import echo
import torch""",
    "echo()",
    "explore.lambda_dial()",
    "explore.dropout_committee()",
    """def my_dropout(x, p, *, training, generator=None):
    if not training:
        return x
    return x * (torch.rand(x.shape, generator=generator) >= p) / (1 - p)

explore.dropout_committee(dropout=my_dropout)""",
    """def my_dropout(x, p, *, training, generator=None):
    if not training:
        return x
    return x * (torch.rand(x.shape, generator=generator) >= p)

explore.dropout_committee(dropout=my_dropout)""",
]


@pytest.fixture(scope="module")
def reader(browser: Any, lab: str, served_folder: Path) -> Any:
    write_notebook(served_folder / "walk_03.ipynb", WALK)
    reader = Reader(browser, lab, "walk_03.ipynb")
    reader.hide_side_bar()
    for cell in (0, 1):
        reader.run_cell(cell)
    yield reader
    reader.page.close()


@pytest.mark.bench
def test_short_walk(reader: Reader) -> None:
    for name, counts in walked(reader, (2, 3), "walk_03").items():
        assert 3 <= counts["presets"] <= 5
        assert counts["sliders"] == (1 if name == "dial" else 3)
        assert counts["menus"] == 4


def click_into(reader: Reader, svg: Any, share: float) -> None:
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    reader.page.mouse.click(box["x"] + share * box["width"], box["y"] + 0.5 * box["height"])


def test_the_dial_turns_by_keyboard_and_by_a_click(reader: Reader) -> None:
    reader.run_cell(2)
    dial = reader.explorable(2)
    page, account = reader.page, dial.root.locator(".ce-account")
    knob = dial.root.locator("input[data-key=weight_decay]")
    knob.focus()
    for key, value in (("Home", "0"), ("ArrowRight", "0.001"), ("End", "10"), ("ArrowLeft", "3")):
        dial.must_answer(key, lambda key=key: page.keyboard.press(key))
        assert account.inner_text().startswith(f"λ = {value}: ")
        assert knob.get_attribute("aria-valuetext") == value
    for name in ("fit", "code"):
        chart = dial.root.locator(f".ce-{name} svg")
        dial.must_answer("a click", lambda chart=chart: click_into(reader, chart, 0.16))
        assert account.inner_text().startswith("λ = 0: ")
        assert knob.input_value() == "0"
        dial.must_answer("a click", lambda chart=chart: click_into(reader, chart, 0.95))
        assert account.inner_text().startswith("λ = 10: ")
    assert dial.root.locator(".ce-best").count() == dial.root.locator(".ce-shortest").count() == 1

    # Shortcuts of the notebook (b: new cell, dd: delete) must not fire from inside.
    knob.focus()
    n_cells = page.locator(".jp-Cell").count()
    for key in ("b", "d", "d", "a"):
        page.keyboard.press(key)
    dial.settle()
    assert page.locator(".jp-Cell").count() == n_cells


def test_the_committee_votes_anew(reader: Reader) -> None:
    reader.run_cell(3)
    committee = reader.explorable(3)
    root, account = committee.root, committee.root.locator(".ce-account")
    press_preset(committee, "one mask")
    assert account.inner_text().startswith("One mask: ")
    before = account.inner_text()
    committee.must_answer("other masks", root.locator(".ce-again").click)
    assert account.inner_text() != before
    assert root.locator("button[aria-pressed=true]").inner_text() == "one mask"

    chart = root.locator(".ce-sizes svg")
    committee.must_answer("a click", lambda: click_into(reader, chart, 0.99))
    assert root.locator("input[data-key=n_masks]").input_value() == "50"
    committee.must_answer("a click", lambda: click_into(reader, chart, 0.1))
    assert root.locator("input[data-key=n_masks]").input_value() == "1"

    press_preset(committee, "a committee")
    digit = root.locator("input[data-key=digit]")
    digit.focus()
    committee.must_answer("Home", lambda: reader.page.keyboard.press("Home"))
    assert "Of this 3, " in account.inner_text()
    assert root.locator("canvas.ce-digit").get_attribute("aria-label") == "a handwritten 3"


def test_own_dropout_is_judged(reader: Reader) -> None:
    for cell, says in ((4, "divides the others by 1 − p"), (5, "of a 1 on average over masks")):
        reader.run_cell(cell)
        own = reader.explorable(cell)
        assert says in own.root.locator(".ce-verdict").inner_text()
        press_preset(own, "exact in the last layer")
    reader.picture("committee-own", own.root)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_they_fit_one_screen_and_can_be_read(reader: Reader, theme: str) -> None:
    must_be_readable(reader, (2, 3), theme)
