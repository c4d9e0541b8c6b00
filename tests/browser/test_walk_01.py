"""A reader in JupyterLab with chapter 01's explorables: the chain-rule scope, the descent race."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driver import Explorable, Reader, write_notebook
from reading import must_be_readable, press_preset, walked

pytestmark = [pytest.mark.browser, pytest.mark.turns("walk", by="module")]


WALK = [
    """import torch
from companion import foundations, plotting
from companion.explorables import foundations as explore
from companion.explorables.echo import echo""",
    "echo()",
    "explore.chain_rule_scope()",
    "explore.descent_race()",
    """def my_gradients(parameters, x, target, hidden, loss):
    return {name: torch.zeros_like(value) for name, value in parameters.items()}

explore.chain_rule_scope(gradients=my_gradients)""",
    "explore.descent_race(optimizer=lambda lr: foundations.Momentum(lr, 0.3))",
]


@pytest.fixture(scope="module")
def reader(browser: Any, lab: str, served_folder: Path) -> Any:
    write_notebook(served_folder / "walk_01.ipynb", WALK)
    reader = Reader(browser, lab, "walk_01.ipynb")
    reader.hide_side_bar()
    for cell in (0, 1):
        reader.run_cell(cell)
    yield reader
    reader.page.close()


@pytest.mark.bench
def test_short_walk(reader: Reader) -> None:
    for name, counts in walked(reader, (2, 3), "walk_01").items():
        assert counts["presets"] == 5
        assert counts["sliders"] >= 2 and counts["menus"] >= 2
        assert counts["knobs"] == (9 if name == "scope" else 0)
        assert counts["pictures"] == (1 if name == "race" else 0)


def weight(explorable: Explorable, name: str) -> Any:
    return explorable.root.locator(f"[data-key={name}]")


def test_scope_by_keyboard(reader: Reader) -> None:
    reader.run_cell(2)
    scope = reader.explorable(2)
    page, chain = reader.page, scope.root.locator(".ce-chain")
    press_preset(scope, "both ways")
    v1 = weight(scope, "v1")
    scope.must_answer("focus on v1", v1.focus)
    assert chain.inner_text().startswith("∂L/∂v₁ = ∂L/∂p · σ′(z) · h₁ =")
    for key, value in (("ArrowUp", "1.1"), ("Shift+ArrowDown", "0.1"), ("0", "0"), ("End", "8")):
        scope.must_answer(key, lambda key=key: page.keyboard.press(key))
        assert v1.get_attribute("aria-valuenow") == value
        assert f"v₁ = {value}" in v1.text_content()
    assert "8, gradient " in v1.get_attribute("aria-valuetext")
    assert "A setting of your own." in scope.root.locator(".ce-point").inner_text()

    # Shortcuts of the notebook (b: new cell, dd: delete, 00: restart) must not fire from inside.
    n_cells = page.locator(".jp-Cell").count()
    for key in ("b", "d", "d", "a", "0", "0"):
        page.keyboard.press(key)
    scope.settle()
    assert page.locator(".jp-Cell").count() == n_cells
    assert page.locator(".jp-Dialog").count() == 0

    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.dataset.key") == "v2"


def test_scope_shows_the_vanishing_factor(reader: Reader) -> None:
    scope = reader.explorable(2)
    press_preset(scope, "confident and wrong, MSE")
    bold = scope.root.locator(".ce-vanishing")
    assert bold.text_content() == "× σ′(z) = 0.0016"
    menu = scope.root.locator("select[data-key=loss]")
    scope.must_answer("cross-entropy", lambda: menu.select_option("cross_entropy"))
    assert bold.count() == 0
    assert "× σ′(z) = 0.0016, cancels" in scope.root.text_content()
    pressed = scope.root.locator("button[aria-pressed=true]")
    assert pressed.inner_text() == "same, cross-entropy"
    bits = scope.root.locator(".ce-bits")
    assert bits.text_content() == "9.27 bits"
    for _ in range(3):
        scope.must_answer("a step", scope.root.locator(".ce-step").click)
    assert float(bits.text_content().split()[0]) < 5


def test_race_is_won_and_lost(reader: Reader) -> None:
    reader.run_cell(3)
    race = reader.explorable(3)
    ends = race.root.locator(".ce-ends")
    press_preset(race, "past the limit")
    assert "SGD\ndiverges: out of the picture since step 8, out of sight at" in ends.inner_text()
    rate = race.root.locator("input[data-key=learning_rate]")
    rate.focus()
    race.must_answer("End", lambda: reader.page.keyboard.press("End"))
    assert ends.inner_text().count("diverges") >= 2
    assert race.root.locator(".ce-out").count() >= 2

    press_preset(race, "start at zero")
    assert ends.inner_text().count("3.32 bits") == 3
    canvas = race.root.locator("canvas.ce-ground")
    canvas.focus()
    race.must_answer("ArrowRight", lambda: reader.page.keyboard.press("ArrowRight"))
    assert ends.inner_text().count("3.32 bits") == 0

    press_preset(race, "too careful")
    steps = race.root.locator("input[data-key=n_steps]")
    race.root.locator(".ce-play").click()
    race._until("root => root.querySelector('[data-key=n_steps]').value === '5'", 10)
    press_preset(race, "a narrow valley")  # a preset stops the race
    reader.page.wait_for_timeout(300)
    assert steps.input_value() == "40"
    assert race.root.locator(".ce-play").inner_text() == "run the race"


def test_own_functions_are_compared(reader: Reader) -> None:
    reader.run_cell(4)
    mine = reader.explorable(4)
    assert "Your gradients differ in 9 of 9" in mine.root.locator(".ce-verdict").inner_text()
    assert mine.root.locator(".ce-weight.ce-differs").count() == 9
    reader.picture("scope-own", mine.root)
    reader.run_cell(5)
    fourth = reader.explorable(5)
    assert "Your optimizer takes a path of its own." in fourth.root.inner_text()
    assert fourth.root.locator(".ce-ends li").count() == 4
    reader.picture("race-own", fourth.root)


FITS = """root => [...root.querySelectorAll('svg g')].flatMap(group => {
    const frame = group.querySelector('rect').getBoundingClientRect();
    return [...group.querySelectorAll('text')].filter(text => {
        const box = text.getBoundingClientRect();
        return box.left < frame.left || box.right > frame.right || box.top < frame.top - 1
            || box.bottom > frame.bottom + 1;
    }).map(text => text.textContent);
})"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_they_fit_one_screen_and_can_be_read(reader: Reader, theme: str) -> None:
    must_be_readable(reader, (2, 3), theme, stray=FITS)
