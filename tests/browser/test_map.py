"""The map of chapter 00 in JupyterLab, whose sanitizer removes what it does not know."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from driver import ROOT, Reader

pytestmark = pytest.mark.browser

OPEN = "path => window.jupyterapp.shell.currentWidget?.context?.path === path"


def test_the_map_is_drawn_and_leads_to_its_chapters(
    browser: Any, lab: str, served_folder: Path
) -> None:
    chapters = sorted((ROOT / "course").glob("[0-9][0-9]_*.ipynb"))
    for chapter in chapters:
        shutil.copy(chapter, served_folder / chapter.name)
    cells = nbformat.read(chapters[0], as_version=4).cells
    index = next(i for i, cell in enumerate(cells) if cell.id == "map")
    for chapter in chapters[1:]:
        reader = Reader(browser, lab, chapters[0].name)
        reader.show_cell(index)
        page = reader.page
        the_map = page.locator(f".jp-Cell[data-windowed-list-index='{index}'] .jp-RenderedMarkdown")
        boxes = the_map.locator("div[style*='border']")
        tops = [boxes.nth(i).bounding_box()["y"] for i in range(boxes.count())]
        assert len(tops) == 5 and len(set(tops)) == 1, "five boxes beside each other"
        link = the_map.locator("a", has_text=chapter.stem[:2])
        link.focus()
        page.keyboard.press("Enter")
        page.wait_for_function(OPEN, arg=chapter.name, timeout=30_000)
        assert reader.errors == [] and reader.strangers == []
        page.close()
