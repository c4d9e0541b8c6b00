"""A reader in JupyterLab with chapter 03's explorables: the λ dial, dropout as a committee."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driver import Reader, echo_p95, p95, write_notebook
from test_walk import FIRST_PAINT, MOST, brightness, report
from test_walk_01 import SIZES, SMALLEST_TEXT, TALLEST, WINDOW, press_preset

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
    echo = echo_p95(reader, 1)
    rows = [{"name": "echo", "first_paint": reader.explorable(1).first_paint, "p95": echo, "n": 40}]
    for cell in (2, 3):
        reader.run_cell(cell)
        explorable = reader.explorable(cell)
        waited = explorable.root.evaluate("root => Number(root.dataset.paintedAt) - window.started")
        counts = explorable.move_everything()
        print(f"\n{explorable.name}: {counts}")
        assert 3 <= counts["presets"] <= 5
        assert counts["sliders"] == (1 if explorable.name == "dial" else 3)
        assert counts["menus"] == 4
        times = explorable.latencies
        rows.append(
            {"name": explorable.name, "first_paint": waited, "p95": p95(times), "n": len(times)}
        )
    report(rows, "walk_03")
    for row in rows[1:]:
        assert row["p95"] <= max(MOST, 3 * echo), f"{row['name']} answers in {row['p95']:.0f} ms"
        assert row["first_paint"] <= max(FIRST_PAINT, 20 * echo), row
    assert reader.errors == []
    assert reader.strangers == [], "the page asked for something outside this machine"


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


INSIDE = """root => [...root.querySelectorAll('svg')].flatMap(svg => {
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].filter(text => {
        const box = text.getBoundingClientRect();
        return box.left < frame.left - 1 || box.right > frame.right + 1
            || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
    }).map(text => text.textContent);
})"""


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
