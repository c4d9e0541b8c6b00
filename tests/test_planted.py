"""What a chapter asserts fails when the fault that it speaks of is planted into its own cell.

That the cells hold as they stand is what `make validate` shows.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import matplotlib
import nbformat
import pytest
import yaml

from tools import notebooks

PLANTED = Path(__file__).with_name("planted")
CASES = [
    pytest.param(
        path.stem, name, id=f"{path.stem}-{name}", marks=pytest.mark.turns(f"planted {path.stem}")
    )
    for path in sorted(PLANTED.glob("*.yml"))
    for name in yaml.safe_load(path.read_text(encoding="utf-8"))
]


def cells_of(chapter: str) -> list[str]:
    (path,) = (p for p in notebooks.chapters() if p.stem.startswith(chapter))
    notebook = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def the_one(sources: list[str], start: str) -> str:
    found = [source for source in sources if source.startswith(start)]
    assert len(found) == 1, f"{len(found)} cells begin with {start!r}"
    return found[0]


def run(source: str, namespace: dict[str, Any]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, "<cell>", "exec"), namespace)


@pytest.mark.slow
@pytest.mark.parametrize(("chapter", "name"), CASES)
def test_the_planted_fault_is_noticed(
    chapter: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPANION_PREDICTIONS", "off")
    matplotlib.use("Agg")
    case = yaml.safe_load((PLANTED / f"{chapter}.yml").read_text(encoding="utf-8"))[name]
    sources = cells_of(chapter)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    run(next(source for source in sources if source.startswith("import ")), namespace)
    chosen = [the_one(sources, start) for start in case["cells"]]
    old, new = case["replace"]
    assert sum(source.count(old) for source in chosen) == 1, f"{old!r} must stand in one place"
    *before, last = [source.replace(old, new) for source in chosen]
    for source in before:
        run(source, namespace)
    with pytest.raises(AssertionError):
        run(last, namespace)


@pytest.mark.parametrize("chapter", sorted({path.stem for path in PLANTED.glob("*.yml")}))
def test_every_chapter_has_planted_faults(chapter: str) -> None:
    assert len([case for case in CASES if case.values[0] == chapter]) >= 5
