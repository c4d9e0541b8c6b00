"""Seconds allowed to each test cell, from what the reference solution takes."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from companion.grading import results
from companion.grading.results import Result
from companion.workspace import CourseError

FACTOR, LEAST, MOST = 10.0, 10.0, 180.0  # so many times the reference, within seconds


def draw_seed() -> int:
    """A seed that nobody can guess, for one run over a class."""
    return 1 + secrets.randbelow(10**9)


def reference_limits(
    source: Path, tier: str, folder: Path, grade: Callable[[dict[str, Any]], Result], seed: int
) -> dict[str, float]:
    """Limits by test cell, for the notebook `source` in `solutions/`; `grade` takes a Job's fields.

    The reference passes through the same path as everybody, which proves that every test works
    outside of the student's process, and with the random numbers of this `seed`.  The outcome is
    kept in `folder` until source, library, tier or seed change.  Raises CourseError where the
    reference misses a point.
    """
    assignment = source.stem
    key, kept = _key(source, tier, seed), folder / f"{assignment}.json"
    if kept.is_file():
        stored = json.loads(kept.read_text(encoding="utf-8"))
        if stored["key"] == key:
            return stored["limits"]
    result = grade(
        {"assignment": assignment, "student": "reference", "source": str(source),
         "folder": str(source.parent), "seed": seed}
    )  # fmt: skip
    missed = [cell for cell in result.cells if cell.status != results.OK]
    if missed:
        first = missed[0]
        raise CourseError(
            f"the reference solution of {assignment} misses {len(missed)} test cells, "
            f"{first.grade_id} first ({first.status}: {first.message or first.details}); "
            "nothing was graded"
        )
    limits = {cell.grade_id: min(MOST, max(LEAST, FACTOR * cell.seconds)) for cell in result.cells}
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({"key": key, "limits": limits}, indent=1), encoding="utf-8")
    return limits


def _key(source: Path, tier: str, seed: int) -> str:
    digest = hashlib.sha256(f"{tier} {seed}".encode())
    package = Path(__file__).resolve().parents[1]
    for path in (source, *sorted(package.rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()
