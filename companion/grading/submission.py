"""Reads what a student handed in: a folder and a notebook that may hold anything.

Nothing here follows a link, opens a device, waits for a pipe, or trusts a field of the file.
What comes out is plain: a list of cells with their text.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MAX_BYTES = 20 * 2**20
MAX_CELLS = 2_000
MAX_SOURCE_BYTES = 200_000
MAX_CODE_BYTES = 500_000  # all code cells together; the longest assignment has 60 kB
MAX_DEPTH = 100  # of nested JSON; notebooks with rich outputs have about 20
MAX_NAMED = 10  # files or cells that a note lists before it only counts

_NO_TEXT = "its source is no text"


class Malformed(Exception):
    """A submission that cannot be read: what came, what was expected, and the usual reason."""


def find_notebook(folder: Path, assignment: str) -> tuple[Path, list[str]]:
    """The submitted notebook of `assignment`, and notes on what was odd.

    `<assignment>.ipynb` counts; without it, the only other notebook does.

    Raises:
        Malformed: the folder is none, or holds no notebook, or several of which none has the name.
    """
    wanted = f"{assignment}.ipynb"
    notebooks, ignored = [], []
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise Malformed(
            f"the submission cannot be opened ({error.strerror}); expected a folder that holds "
            f"{wanted}. Usual reason: it is a link or a single file."
        ) from None
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.name.lower().endswith(".ipynb"):
                    continue
                is_file = stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)
                (notebooks if is_file else ignored).append(entry.name)
    finally:
        os.close(descriptor)

    notes = []
    if ignored:
        notes.append(f"ignored, because they are no ordinary files: {_listed(ignored)}")
    if wanted in notebooks:
        notebooks.remove(wanted)
        if notebooks:
            notes.append(f"{wanted} was graded; other notebooks were ignored: {_listed(notebooks)}")
        return folder / wanted, notes
    if len(notebooks) == 1:
        notes.append(f"the notebook is named {_shown(notebooks[0])} instead of {wanted}")
        return folder / notebooks[0], notes
    if notebooks:
        raise Malformed(
            f"{len(notebooks)} notebooks came ({_listed(notebooks)}); expected {wanted}. "
            "Usual reason: a copy was handed in beside a renamed original."
        )
    kinds = f", only {_listed(ignored)}, no ordinary file" if ignored else ""
    raise Malformed(
        f"no notebook came{kinds}; expected {wanted}. Usual reason: another file was handed in, "
        "such as a PDF, or a link instead of the file."
    )


def read_notebook(path: Path) -> dict[str, Any]:
    """The cells of a submitted notebook, `{"cells": [...], "notes": [...]}`.

    A cell is a dict with `cell_type` and `source` (str), `id` and `grade_id` (str or None).  Cells
    that cannot be read are left out with a note, unless they are marked as an answer or a test.

    Raises:
        Malformed: the file is no Jupyter notebook of format 4 in Python, or beyond the limits.
    """
    name = _shown(path.name)
    notebook = _parsed(_content(path, name), name)
    _check_format(notebook, name)
    cells, left_out, n_code_bytes = [], [], 0
    for index, entry in enumerate(notebook["cells"]):
        cell, problem = _cell(entry)
        is_needed = cell["grade_id"] is not None
        # Code beyond the limits may be what the answers stand on; a cell without text is no code.
        if problem and (is_needed or (cell["cell_type"] == "code" and problem != _NO_TEXT)):
            label = f" ({_shown(cell['grade_id'])})" if is_needed else ""
            raise Malformed(
                f"cell {index + 1} of {name}{label} cannot be graded: {problem}. Usual reason: "
                "a file or an output was pasted into it, or it was edited outside Jupyter."
            )
        if problem:
            left_out.append(f"{index + 1} ({problem})")
            continue
        if cell["cell_type"] == "code" or is_needed:
            n_code_bytes += len(cell["source"].encode())
        cells.append(cell)
    if n_code_bytes > MAX_CODE_BYTES:
        raise Malformed(
            f"{name} holds {n_code_bytes:,} bytes of code; expected at most {MAX_CODE_BYTES:,}. "
            "Usual reason: data was pasted into cells."
        )
    notes = []
    if left_out:
        more = f" and {len(left_out) - MAX_NAMED} more" if len(left_out) > MAX_NAMED else ""
        notes.append(f"cells left out: {', '.join(left_out[:MAX_NAMED])}{more}")
    return {"cells": cells, "notes": notes}


def _content(path: Path, name: str) -> bytes:
    try:
        # Without O_NONBLOCK, opening a pipe waits for a writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags)
    except OSError as error:
        what = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise Malformed(
            f"{name} cannot be opened ({what}); expected an ordinary file. "
            "Usual reason: a link was handed in instead of the notebook."
        ) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Malformed(
                f"{name} is no ordinary file; expected a notebook. "
                "Usual reason: a folder, a pipe or a device has its name."
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = b"" if status.st_size > MAX_BYTES else file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if status.st_size > MAX_BYTES or len(content) > MAX_BYTES:
        raise Malformed(
            f"{name} has {max(status.st_size, len(content)) / 2**20:,.0f} MB; expected at most "
            f"{MAX_BYTES // 2**20} MB. Usual reason: outputs hold large data; clear all outputs."
        )
    if not content.strip():
        raise Malformed(
            f"{name} is empty; expected a notebook. "
            "Usual reason: the upload was interrupted, or the disk was full."
        )
    return content


def _parsed(content: bytes, name: str) -> dict[str, Any]:
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Malformed(
            f"{name} is not UTF-8 text (byte {error.start}); expected a notebook. "
            "Usual reason: an archive or another format was renamed to .ipynb."
        ) from None
    except RecursionError:
        raise _too_deep(name) from None
    except ValueError as error:  # JSONDecodeError, or a number of thousands of digits
        raise Malformed(
            f"{name} is no JSON ({error}); expected a notebook. Usual reason: the upload was cut "
            "off, or a script was renamed to .ipynb."
        ) from None
    level, depth = _containers([notebook]), 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _too_deep(name)
        level = [
            child
            for value in level
            for child in _containers(value.values() if isinstance(value, dict) else value)
        ]
    if not isinstance(notebook, dict):
        raise Malformed(
            f"{name} holds a JSON {_kind(notebook)}; expected a notebook, which is an object. "
            "Usual reason: another JSON file was renamed to .ipynb."
        )
    return notebook


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _too_deep(name: str) -> Malformed:
    return Malformed(
        f"{name} is nested more than {MAX_DEPTH} levels deep; expected a notebook. "
        "Usual reason: the file was not written by Jupyter."
    )


def _check_format(notebook: dict[str, Any], name: str) -> None:
    version = notebook.get("nbformat")
    if version != 4 or isinstance(version, bool):
        is_number = isinstance(version, int | float) and not isinstance(version, bool)
        if is_number and version > 4:
            reason = "it was made by a newer version of Jupyter; save it in format 4"
        elif is_number or "worksheets" in notebook:
            reason = "an old notebook; open it in JupyterLab, save it and hand it in again"
        else:
            reason = "another JSON file was renamed to .ipynb"
        shown = f"format {_shown(str(version))}" if is_number else "no format number"
        raise Malformed(f"{name} has {shown}; expected notebook format 4. Usual reason: {reason}.")
    for field, key in (("kernelspec", "language"), ("language_info", "name")):
        language = _inside(notebook, "metadata", field, key)
        if isinstance(language, str) and language.lower() not in ("", "python", "ipython"):
            raise Malformed(
                f"{name} is a notebook in {_shown(language)}; expected Python. "
                "Usual reason: it was saved with another kernel."
            )
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise Malformed(
            f"{name} has no list of cells; expected a notebook. "
            "Usual reason: the file was edited outside Jupyter."
        )
    if len(cells) > MAX_CELLS:
        raise Malformed(
            f"{name} has {len(cells):,} cells; expected at most {MAX_CELLS:,}. "
            "Usual reason: cells were pasted many times over."
        )


def _cell(entry: Any) -> tuple[dict[str, Any], str]:
    """A cell and what is wrong with it, if anything."""
    cell_type, source = _inside(entry, "cell_type"), _inside(entry, "source")
    cell = {
        "cell_type": cell_type if isinstance(cell_type, str) else "raw",
        "source": "",
        "id": _label(_inside(entry, "id")),
        "grade_id": _label(_inside(entry, "metadata", "nbgrader", "grade_id")),
    }
    if not isinstance(entry, dict):
        return cell, f"a JSON {_kind(entry)} instead of a cell"
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return cell, _NO_TEXT
    try:
        n_bytes = len(source.encode())
    except UnicodeEncodeError:
        return cell, "its source is binary (half a surrogate pair)"
    if "\0" in source:
        return cell, "its source is binary (a NUL byte)"
    if n_bytes > MAX_SOURCE_BYTES:
        return cell, f"its source has {n_bytes:,} bytes, expected at most {MAX_SOURCE_BYTES:,}"
    cell["source"] = source.replace("\r\n", "\n")
    return cell, ""


def _inside(value: Any, *keys: str) -> Any:
    """`value[key][key]…`, or None where one of them is no dict or lacks the key."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _label(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _kind(value: Any) -> str:
    names = {list: "list", str: "string", bool: "true or false", type(None): "null", dict: "object"}
    return names.get(type(value), "number")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(_shown(name) for name in sorted(names)[:MAX_NAMED]) + more


def _shown(name: str) -> str:
    """A name from outside on one line: cut, with control characters escaped."""
    return repr(name if len(name) <= 80 else f"{name[:77]}...")
