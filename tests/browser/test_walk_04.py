"""A reader in JupyterLab with chapter 04's explorables: erase and heal, the alarm desk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driver import Explorable, Reader, write_notebook
from reading import must_be_readable, press_preset, walked
from test_walk_03 import click_into

pytestmark = [pytest.mark.browser, pytest.mark.turns("walk", by="module")]

WALK = [
    """from companion.explorables import self_supervision as explore
from companion.explorables.echo import echo
import torch""",
    "echo()",
    "explore.erase_and_heal()",
    "explore.alarm_desk()",
    """def my_fill(image, mask):
    return torch.where(mask, image[~mask].mean(), image)

explore.erase_and_heal(fill=my_fill)""",
    """def my_fill(image, mask):
    return torch.where(mask, image, image.mean())

explore.erase_and_heal(fill=my_fill)""",
]


@pytest.fixture(scope="module")
def reader(browser: Any, lab: str, served_folder: Path) -> Any:
    write_notebook(served_folder / "walk_04.ipynb", WALK)
    reader = Reader(browser, lab, "walk_04.ipynb")
    reader.hide_side_bar()
    for cell in (0, 1):
        reader.run_cell(cell)
    yield reader
    reader.page.close()


@pytest.mark.bench
def test_short_walk(reader: Reader) -> None:
    for name, counts in walked(reader, (2, 3), "walk_04").items():
        is_erase = name == "erase"
        assert 3 <= counts["presets"] <= 5
        assert counts["sliders"] == (3 if is_erase else 5)
        assert counts["menus"] == (4 if is_erase else 5)
        assert counts["pictures"] == (1 if is_erase else 0)


def n_hidden(erase: Explorable) -> int:
    """How many pixels the page says are hidden."""
    return int(erase.root.locator("figcaption").first.inner_text().split(": ")[1].split()[0])


def test_pixels_are_rubbed_out_and_brought_back(reader: Reader) -> None:
    reader.run_cell(2)
    erase, page = reader.explorable(2), reader.page
    root, account = erase.root, erase.root.locator(".ce-account")
    erase.must_answer("hide nothing", root.locator(".ce-clear").click)
    assert n_hidden(erase) == 0 and account.inner_text().startswith("Nothing is hidden.")
    assert root.locator(".ce-card").count() == 0

    canvas, width = root.locator("canvas.ce-rubber"), root.locator("input[data-key=size]")
    width.focus()
    erase.must_answer("Home", lambda: page.keyboard.press("Home"))
    canvas.focus()
    erase.must_answer("space", lambda: page.keyboard.press("Space"))
    assert n_hidden(erase) == 1 and account.inner_text().startswith("1 of 784 pixels are hidden.")
    page.keyboard.press("ArrowDown")
    erase.must_answer("Enter", lambda: page.keyboard.press("Enter"))
    assert n_hidden(erase) == 2
    assert root.locator(".ce-card").count() == 5

    def stroke() -> None:
        box = canvas.bounding_box()
        y = box["y"] + 2.5 * 9
        page.mouse.move(box["x"] + 2.5 * 9, y)
        page.mouse.down()
        page.mouse.move(box["x"] + 21.5 * 9, y, steps=3)  # a quick hand
        page.mouse.up()

    canvas.scroll_into_view_if_needed()
    erase.must_answer("a stroke", stroke)
    assert n_hidden(erase) == 2 + 20, "the stroke has gaps"
    menu = root.locator("select[data-key=brush]")
    erase.must_answer("bring back", lambda: menu.select_option("bring back"))
    canvas.scroll_into_view_if_needed()
    erase.must_answer("a stroke back", stroke)
    assert n_hidden(erase) == 2

    # Shortcuts of the notebook (b: new cell, dd: delete) must not fire from inside.
    canvas.focus()
    n_cells = page.locator(".jp-Cell").count()
    for key in ("b", "d", "d", "a"):
        page.keyboard.press(key)
    erase.settle()
    assert page.locator(".jp-Cell").count() == n_cells


def test_a_card_chooses_the_fill(reader: Reader) -> None:
    reader.run_cell(2)
    erase = reader.explorable(2)
    root, title = erase.root, erase.root.locator("figcaption").nth(1)
    for key, name in (("knn", "k-NN"), ("pca", "PCA"), ("masked", "masked autoencoder")):
        card = root.locator(f"[data-fill={key}]")
        erase.must_answer(f"a click on {key}", card.click)
        assert title.inner_text() == f"Filled in: {name}"
        assert card.get_attribute("aria-pressed") == "true"
        assert root.locator("select[data-key=fill]").input_value() == key
    menu = root.locator("select[data-key=shown]")
    erase.must_answer("the errors", lambda: menu.select_option("error"))
    assert title.inner_text() == "Where masked autoencoder errs"
    before = root.locator(".ce-account").inner_text()
    erase.must_answer("another one", root.locator(".ce-another").click)
    assert root.locator(".ce-account").inner_text() != before


def test_own_fill_is_judged(reader: Reader) -> None:
    for cell, says in ((4, "keeps what is visible"), (5, "changes what is visible")):
        reader.run_cell(cell)
        own = reader.explorable(cell)
        assert says in own.root.locator(".ce-verdict").inner_text()
        assert own.root.locator(".ce-card").count() == 6
        press_preset(own, "the lower half")
    reader.picture("erase-own", own.root)


def test_the_threshold_is_dragged_and_typed(reader: Reader) -> None:
    reader.run_cell(3)
    desk, page = reader.explorable(3), reader.page
    root, account = desk.root, desk.root.locator(".ce-account")
    slide, peek = (root.locator(f"[data-key={key}]") for key in ("threshold", "peek"))
    assert "set for 5" in account.inner_text()

    chart = root.locator(".ce-scores svg")
    desk.must_answer("a click far right", lambda: click_into(reader, chart, 0.97))
    assert "set by hand: 0 false alarms" in account.inner_text()
    assert slide.input_value() != slide.get_attribute("min")
    chart = root.locator(".ce-costs svg")
    desk.must_answer("a click far left", lambda: click_into(reader, chart, 0.15))
    assert "set by hand" in account.inner_text() and " 0 of 50 anomalies" in account.inner_text()
    slide.focus()
    desk.must_answer("End", lambda: page.keyboard.press("End"))
    assert "set by hand: 0 false alarms" in account.inner_text()

    desk.must_answer("peek", lambda: peek.select_option("threshold"))
    assert "the cheapest on this test set" in account.inner_text()
    assert root.locator(".ce-promise").get_attribute("data-peek") == "true"
    before = account.inner_text()
    desk.must_answer("another test set", root.locator(".ce-again").click)
    assert account.inner_text() != before
    slide.focus()
    desk.must_answer("Home", lambda: page.keyboard.press("Home"))
    assert peek.input_value() == "no" and "set by hand" in account.inner_text()
    rate = root.locator("input[data-key=rate]")
    rate.focus()
    desk.must_answer("End", lambda: page.keyboard.press("End"))
    assert "set for 50" in account.inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_they_fit_one_screen_and_can_be_read(reader: Reader, theme: str) -> None:
    must_be_readable(reader, (2, 3), theme)
