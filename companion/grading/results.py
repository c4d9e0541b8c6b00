"""What grading says about a submission, and its file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OK = "ok"
WRONG = "wrong"  # a check did not hold
ERROR = "error"  # the student's code raised an exception
TIMEOUT = "timeout"
MEMORY = "memory"
CRASH = "crash"  # the student's process ended
MALFORMED = "malformed"  # the notebook could not be read
TAMPERED = "tampered"  # the student's process sent something that no value looks like
NOT_ATTEMPTED = "not attempted"
INFRASTRUCTURE = "infrastructure"  # the grader failed; never scored
STATUSES = (OK, WRONG, ERROR, TIMEOUT, MEMORY, CRASH, MALFORMED, TAMPERED, NOT_ATTEMPTED,
            INFRASTRUCTURE)  # fmt: skip


@dataclass(frozen=True)
class CellResult:
    """One test cell.

    `message` may be shown to the student: for a hidden test it holds category and misconception
    alone.  `details` (what was observed) is for the instructor where the test is hidden.  `where`
    is cell, line number and text of the student's line that raised.
    """

    grade_id: str
    status: str
    points: float
    max_points: float
    seconds: float = 0.0
    message: str = ""
    question: str = ""
    category: str = ""
    hint: str = ""
    details: str = ""
    where: tuple[str, int, str] | None = None
    is_hidden: bool = False


@dataclass(frozen=True)
class Result:
    """One submission.  `status` is "ok" where it was graded to the end."""

    assignment: str
    student: str
    tier: str
    seed: int
    cells: tuple[CellResult, ...] = ()
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    status: str = OK
    message: str = ""
    written: tuple[str, ...] = ()  # answers in words that wait for a person
    seconds: float = 0.0

    @property
    def score(self) -> float:
        return sum(cell.points for cell in self.cells)

    @property
    def max_score(self) -> float:
        return sum(cell.max_points for cell in self.cells)

    def points(self) -> dict[str, float]:
        """Points by grade id."""
        return {cell.grade_id: cell.points for cell in self.cells}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"score": self.score, "max_score": self.max_score}


def from_dict(data: dict[str, Any]) -> Result:
    """The inverse of `Result.to_dict`."""
    plain = {k: v for k, v in data.items() if k not in ("score", "max_score")}
    cells = tuple(
        CellResult(**{**cell, "where": tuple(cell["where"]) if cell["where"] else None})
        for cell in plain.pop("cells")
    )
    return Result(**{**plain, "cells": cells, "notes": tuple(plain["notes"]),
                     "written": tuple(plain["written"])})  # fmt: skip


def write(result: Result, folder: Path) -> Path:
    """Writes `<folder>/<assignment>/<student>.json`, whole or not at all."""
    path = folder / result.assignment / f"{result.student}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".json.part")
    partial.write_text(json.dumps(result.to_dict(), indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)
    return path


def read(path: Path) -> Result:
    return from_dict(json.loads(path.read_text(encoding="utf-8")))
