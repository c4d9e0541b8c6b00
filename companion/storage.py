"""Where the course keeps its ledger and its stored computations."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def course_folder() -> Path:
    """The folder `course/` of the checkout; `COMPANION_COURSE` overrides it."""
    override = os.environ.get("COMPANION_COURSE")
    return Path(override) if override else Path(__file__).resolve().parent.parent / "course"


def ledger_path() -> Path:
    return course_folder() / "ledger.json"


def may_write_ledger() -> bool:
    """True only where `make notebooks` runs the chapters."""
    return os.environ.get("COMPANION_LEDGER") == "write"


def precomputed(chapter: str, name: str) -> Any:
    """Reads the stored result `name` of a long computation, for example `("02", "ladder")`.

    Raises:
        FileNotFoundError: there is no such result.
        ValueError: the file is not the one that its manifest describes.
    """
    folder = course_folder() / "precomputed" / chapter
    path, manifest_path = folder / f"{name}.json", folder / "manifest.json"
    if not path.is_file() or not manifest_path.is_file():
        raise FileNotFoundError(
            f"no stored result {name!r} for chapter {chapter}: expected {path}; "
            "run the cell's own computation, or restore the file from the repository"
        )
    content = path.read_bytes()
    described = json.loads(manifest_path.read_text(encoding="utf-8")).get(name, {})
    if hashlib.sha256(content).hexdigest() != described.get("sha256"):
        raise ValueError(
            f"{path} is not the file its manifest describes: restore it from the repository "
            f"or redo it with `make precompute ONLY={chapter}/{name}`"
        )
    return json.loads(content)
