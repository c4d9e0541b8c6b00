"""What may lie in a submission instead of a notebook, with the status that it must get."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from companion.grading import results
from tests.attacks.bank import notebook

NAME = "target.ipynb"


def _text(content: str | bytes) -> Callable[[Path], None]:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: _in(folder).write_bytes(data) and None


def _in(folder: Path, name: str = NAME) -> Path:
    return folder / name


def _changed(**fields: Any) -> Callable[[Path], None]:
    return _text(json.dumps(notebook({}) | fields))


def _sparse(folder: Path) -> None:
    with open(_in(folder), "wb") as file:
        file.truncate(100 * 2**20)


def _socket(folder: Path) -> None:
    here = os.getcwd()
    os.chdir(folder)  # the path of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(NAME)
    finally:
        os.chdir(here)


def _two(folder: Path) -> None:
    for name in ("first.ipynb", "second.ipynb"):
        _in(folder, name).write_text(json.dumps(notebook({})))


def _cells(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    made = notebook({})
    return _changed(cells=[change(cell) for cell in made["cells"]])


def _schema_99(cell: dict[str, Any]) -> dict[str, Any]:
    if "nbgrader" in cell["metadata"]:
        cell["metadata"]["nbgrader"]["schema_version"] = 99
    return cell


def _retyped(cell: dict[str, Any]) -> dict[str, Any]:
    is_test = cell["metadata"].get("nbgrader", {}).get("grade")
    return cell | {"cell_type": "markdown"} if is_test else cell


def _richer(cell: dict[str, Any]) -> dict[str, Any]:
    settings = cell["metadata"].get("nbgrader", {})
    if settings.get("grade"):
        settings["points"] = 1000
    return cell


def _all_the_same(cell: dict[str, Any]) -> dict[str, Any]:
    if "nbgrader" in cell["metadata"]:
        cell["metadata"]["nbgrader"]["grade_id"] = "runs"
    return cell


def _strange_metadata(cell: dict[str, Any]) -> dict[str, Any]:
    return cell | {"metadata": {"nbgrader": {"grade_id": ["a"], "points": {}, "grade": "yes"}}}


BAD, FINE = results.MALFORMED, results.OK
ODD_FILES: dict[str, tuple[Callable[[Path], Any], str, float | None]] = {
    # name: how it is made, status of the submission, points (None: any)
    "nothing": (lambda folder: None, BAD, 0.0),
    "no_notebook": (_text("print('a script')"), BAD, 0.0),
    "empty_file": (_text(""), BAD, 0.0),
    "spaces": (_text(" \n" * 100), BAD, 0.0),
    "sparse_100_megabytes": (_sparse, BAD, 0.0),
    "deep_json": (_text("[" * 200_000 + "]" * 200_000), BAD, 0.0),
    "deep_metadata": (_text('{"metadata": ' + '{"a":' * 500 + "1" + "}" * 501), BAD, 0.0),
    "long_number": (_text('{"nbformat": ' + "9" * 100_000 + "}"), BAD, 0.0),
    "json_list": (_text("[1, 2]"), BAD, 0.0),
    "format_3": (_changed(nbformat=3), BAD, 0.0),
    "format_5": (_changed(nbformat=5), BAD, 0.0),
    "format_in_words": (_changed(nbformat="four"), BAD, 0.0),
    "foreign_kernel": (_changed(metadata={"kernelspec": {"language": "R"}}), BAD, 0.0),
    "binary": (_text(bytes(range(256)) * 100), BAD, 0.0),
    "binary_in_an_answer": (_cells(lambda c: c | {"source": c["source"] + "\0"}), BAD, 0.0),
    "half_a_surrogate": (_cells(lambda c: c | {"source": c["source"] + "\ud800"}), BAD, 0.0),
    "cells_are_text": (_changed(cells="cells"), BAD, 0.0),
    "cells_are_numbers": (_changed(cells=[1, None, "x"]), FINE, 0.0),
    "no_cells": (_changed(cells=[]), FINE, 0.0),
    "wrong_name": (lambda folder: _in(folder, "mine.ipynb").write_text(json.dumps(notebook({}))),
                   FINE, 12.0),
    "two_notebooks": (_two, BAD, 0.0),
    "link_out": (lambda folder: _in(folder).symlink_to("/etc/passwd"), BAD, 0.0),
    "link_to_itself": (lambda folder: _in(folder).symlink_to(NAME), BAD, 0.0),
    "socket": (_socket, BAD, 0.0),
    "pipe": (lambda folder: os.mkfifo(_in(folder)), BAD, 0.0),
    "folder": (lambda folder: _in(folder).mkdir(), BAD, 0.0),
    "schema_99": (_cells(_schema_99), FINE, 12.0),
    "tests_retyped": (_cells(_retyped), FINE, 12.0),
    "points_raised": (_cells(_richer), FINE, 12.0),
    "one_name_for_all": (_cells(_all_the_same), FINE, None),
    "strange_metadata": (_cells(_strange_metadata), FINE, None),
    "many_cells": (_changed(cells=notebook({})["cells"] * 400), BAD, 0.0),
}  # fmt: skip
