"""What every walk asks of a chapter's explorables: answers in time, and text that can be read."""

from __future__ import annotations

from collections.abc import Sequence

from driver import Explorable, Reader, echo_p95, p95
from test_walk import FIRST_PAINT, MOST, brightness, report

WINDOW = {"width": 950, "height": 1000}
TALLEST = 700  # px, so that an explorable is seen whole
SMALLEST_TEXT = 11.0  # px
INSIDE = """root => [...root.querySelectorAll('svg')].flatMap(svg => {
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].filter(text => {
        const box = text.getBoundingClientRect();
        return box.left < frame.left - 1 || box.right > frame.right + 1
            || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
    }).map(text => text.textContent);
})"""
# The scale of a matrix is the length of its first column; of a turned text `a` alone is 0.
SIZES = """root => [...root.querySelectorAll('text, p, label, output, li, button, select')]
    .filter(node => node.getClientRects().length > 0)
    .map(node => {
        const { a, b } = node.getScreenCTM ? node.getScreenCTM() : { a: 1, b: 0 };
        return [parseFloat(getComputedStyle(node).fontSize) * Math.hypot(a, b), node.textContent];
    })"""


def press_preset(explorable: Explorable, name: str) -> None:
    button = explorable.root.locator(f"button.ce-preset[data-preset='{name}']")
    explorable.must_answer(f"preset {name!r}", button.click)


def walked(reader: Reader, cells: Sequence[int], name: str) -> dict[str, dict[str, int]]:
    """Moves every control of the explorables in `cells`; how many of each kind each one has.

    Cell 1 holds the echo, beside which the others are judged.
    """
    echo = echo_p95(reader, 1)
    rows = [{"name": "echo", "first_paint": reader.explorable(1).first_paint, "p95": echo, "n": 40}]
    counts = {}
    for cell in cells:
        reader.run_cell(cell)
        explorable = reader.explorable(cell)
        waited = explorable.root.evaluate("root => Number(root.dataset.paintedAt) - window.started")
        counts[explorable.name] = explorable.move_everything()
        print(f"\n{explorable.name}: {counts[explorable.name]}")
        times = explorable.latencies
        rows.append(
            {"name": explorable.name, "first_paint": waited, "p95": p95(times), "n": len(times)}
        )
    report(rows, name)
    for row in rows[1:]:
        assert row["p95"] <= max(MOST, 3 * echo), f"{row['name']} answers in {row['p95']:.0f} ms"
        assert row["first_paint"] <= max(FIRST_PAINT, 20 * echo), row
    assert reader.errors == []
    assert reader.strangers == [], "the page asked for something outside this machine"
    return counts


def must_be_readable(
    reader: Reader, cells: Sequence[int], theme: str, *, stray: str = INSIDE
) -> None:
    """Every preset fits one screen; no text is small, faint, or (by `stray`) outside its frame."""
    reader.use_theme(theme)
    size = reader.page.viewport_size
    reader.page.set_viewport_size(WINDOW)
    for cell in cells:
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
            assert explorable.root.evaluate(stray) == [], f"{name}: text leaves its frame"
            small = [row for row in explorable.root.evaluate(SIZES) if row[0] < SMALLEST_TEXT]
            assert small == [], name
        overflow = "root => root.scrollWidth > root.clientWidth"
        assert not explorable.root.evaluate(overflow), f"{explorable.name} is too wide"
    reader.page.set_viewport_size(size)
    reader.use_theme("light")
