"""Chapter 00: the map follows the chapters that exist, and the claims follow the references."""

from __future__ import annotations

import re

import nbformat

from tools import notebooks

CHAPTER = notebooks.COURSE / "00_start_here.ipynb"
REFERENCES = notebooks.COURSE / "references.md"
TITLES = {
    "01": "Forward, loss, backward",
    "02": "Shapes that know something",
    "03": "Fitting without memorizing",
    "04": "Labels from nowhere",
    "05": "Fewer bits",
    "06": "Short stories about long models",
    "07": "A published listing, repaired",
    "08": "Vision",
    "09": "Language",
    "10": "Signals",
    "11": "Medicine",
}


def cell(name: str) -> str:
    return next(c.source for c in nbformat.read(CHAPTER, as_version=4).cells if c.id == name)


def test_the_map_links_the_chapters_that_exist_and_names_the_others() -> None:
    text = cell("map")
    existing = {path.stem[:2]: path.name for path in notebooks.chapters()}
    for number, title in TITLES.items():
        link = f"[{number} {title}]({existing.get(number)})"
        coming = f"{number} {title}, <i>coming</i>"
        wanted, unwanted = (link, coming) if number in existing else (coming, f"[{number} ")
        assert wanted in text and unwanted not in text, f"the map should say: {wanted}"
    assert set(re.findall(r"\]\((\S+)\)", text)) <= set(existing.values())


def test_the_map_can_be_read_without_its_boxes() -> None:
    text = cell("map")
    stages = [
        "networks",
        "self-supervision",
        "regularization and compression",
        "explanation",
        "applications",
    ]
    in_boxes = re.findall(r"^\*\*(.*)\*\*$", text, re.MULTILINE)
    assert in_boxes == stages
    in_words = text.rpartition("*The map in words:")[2]
    assert [in_words.index(stage) for stage in stages] == sorted(map(in_words.index, stages))


def test_a_claim_is_as_sure_as_its_sources() -> None:
    """The last column says "unverified" and "quoted" where, and only where, a source is so."""
    entries = REFERENCES.read_text(encoding="utf-8")
    marks = dict(re.findall(r'<a id="([^"]*)"></a>.*\*(.+?)\*$', entries, re.MULTILINE))
    rows = [line for line in cell("claims").splitlines() if "references.md#" in line]
    assert len(rows) > 20
    for row in rows:
        *_, how_sure = (part.strip() for part in row.strip("|").split("|"))
        cited = [marks[key] for key in re.findall(r"references\.md#(\w+)", row)]
        is_from_memory = any(mark.startswith("From memory") for mark in cited)
        is_quoted = any(mark.startswith("Quoted") for mark in cited)
        is_read = any("read" in mark.lower() for mark in cited)
        assert is_from_memory == ("unverified" in how_sure), row
        assert is_quoted == ("quoted" in how_sure), row
        assert is_read == bool(re.search(r"\bverified", how_sure)), row
