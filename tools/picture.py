"""Takes the README's picture, docs/images/chapter.png: `python -m tools.picture`.

Chapter 02 in JupyterLab, at its first explorable.  Needs Chromium.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "chapter.png"
CHAPTER = ROOT / "course" / "02_architecture.ipynb"


def take(path: Path = PICTURE) -> None:
    """Opens the chapter, runs its imports and the conv microscope, and photographs the page."""
    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    from driver import Reader, chromium, jupyter_lab

    with tempfile.TemporaryDirectory() as folder:
        notebooks, settings = Path(folder, "course"), Path(folder, "settings")
        notebooks.mkdir(), settings.mkdir()
        shutil.copy(CHAPTER, notebooks)
        with jupyter_lab(notebooks, settings) as address, chromium() as browser:
            reader = Reader(browser, address, CHAPTER.name)
            reader.hide_side_bar()
            cells = reader.page.evaluate(
                "() => window.jupyterapp.shell.currentWidget.content.widgets"
                ".map(cell => cell.model.sharedModel.source)"
            )
            reader.run_cell(next(i for i, s in enumerate(cells) if s.startswith("import ")))
            shown = next(i for i, s in enumerate(cells) if "explore.conv_microscope" in s)
            reader.run_cell(shown)
            reader.explorable(shown).settle()
            reader.page.set_viewport_size({"width": 1180, "height": 900})
            reader.show_cell(shown)
            reader.page.wait_for_timeout(500)
            path.parent.mkdir(parents=True, exist_ok=True)
            reader.page.screenshot(path=path)


if __name__ == "__main__":
    take()
    print(f"wrote {PICTURE.relative_to(ROOT)}")
