"""Small notebooks for the tests of the grader."""

from __future__ import annotations

import json
from pathlib import Path

STUB = "raise NotAttempted()"


def cell(source, grade_id=None, *, solution=False, points=None, kind="code"):
    made = {
        "cell_type": kind, "id": (grade_id or f"c{abs(hash(source)) % 10**8}").replace("_", "-"),
        "metadata": {}, "source": source,
    }  # fmt: skip
    if kind == "code":
        made |= {"execution_count": None, "outputs": []}
    if grade_id:
        made["metadata"]["nbgrader"] = {
            "grade_id": grade_id, "locked": not solution, "schema_version": 3, "task": False,
            "grade": points is not None, "solution": solution,
        }  # fmt: skip
        if points is not None:
            made["metadata"]["nbgrader"]["points"] = points
    return made


def solution(name, before, answer):
    """A solution cell: `before` is handed out, `answer` is the body, indented by four spaces."""
    body = "\n".join("    " + line for line in answer.splitlines())
    source = f"{before}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
    return cell(source, name, solution=True)


def hidden(source, name, points):
    text = f"### BEGIN HIDDEN TESTS\n{source}\n### END HIDDEN TESTS"
    return cell(text, name, points=points)


def notebook(*cells):
    return {
        "cells": list(cells), "nbformat": 4, "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "language": "python",
                                    "display_name": "Python 3"}},
    }  # fmt: skip


def write(folder: Path, name: str, content) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
