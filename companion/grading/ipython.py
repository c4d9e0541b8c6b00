"""Turns the cells of a notebook, with IPython's own syntax, into plain Python."""

from __future__ import annotations

import ast
import functools
import re
import warnings

_PYTHON_MAGICS = ("time", "timeit", "capture", "prun")
_CELL_MAGIC = re.compile(r"%%(\w+)")
_TIMED = re.compile(r"(\s*(?:[\w.][\w., ]*=\s*)?)%time\s+(\S.*)")
_COMMAND = re.compile(r"(\s*)(?:[%!?]|[\w.*\[\]]+\?{1,2}\s*$)")
_ASSIGNED_COMMAND = re.compile(r"(\s*[\w.][\w., ]*=\s*)[%!]")
_MARK = re.compile(r"""#|\"{3}|'{3}|["'()\[\]{}]""")


@functools.lru_cache(maxsize=4096)
def parsed(source: str) -> ast.Module | None:
    """The tree of a student's cell, which must not be changed; None where it is no Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they would speak of the student's text to the grader
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def plain_python(source: str) -> str:
    """A cell without IPython's own syntax, line by line; what Python can parse stays untouched.

    Magics, shell lines and help become `pass`, `%time f()` becomes `f()`, `%%time` on top becomes
    a blank line.  A cell in another language (`%%bash`, `%%html`, `%%writefile`) becomes empty.
    """
    if parsed(source) is not None:
        return source
    lines = source.split("\n")
    if foreign_magic(source):
        return ""
    while (first := _first_line(lines)) is not None and _CELL_MAGIC.match(lines[first]):
        lines[first] = ""
    if first is not None:  # IPython allows a cell that is indented as a whole
        indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
        lines = [line.removeprefix(indent) for line in lines]
    quote, depth, goes_on, in_magic = "", 0, False, False
    for index, line in enumerate(lines):
        if in_magic:
            lines[index] = ""
            in_magic = line.endswith("\\")
            continue
        if not quote and not depth and not goes_on:
            replaced = _without_magic(line)
            if replaced is not None:
                lines[index] = replaced
                in_magic = line.endswith("\\") and not replaced.endswith("\\")
        quote, depth, goes_on = _scan(lines[index], quote, depth)
    return "\n".join(lines)


def foreign_magic(source: str) -> str | None:
    """The magic on top that hands a cell to something other than Python."""
    for line in filter(str.strip, source.split("\n")):
        magic = _CELL_MAGIC.match(line)
        if magic is None:
            return None
        if magic[1] not in _PYTHON_MAGICS:
            return magic[1]
    return None


def _first_line(lines: list[str]) -> int | None:
    return next((index for index, line in enumerate(lines) if line.strip()), None)


def _without_magic(line: str) -> str | None:
    """The first line of a statement in plain Python; None where it holds no magic."""
    if match := _TIMED.match(line):
        return match[1] + match[2]
    if match := _COMMAND.match(line):
        return match[1] + "pass"
    if match := _ASSIGNED_COMMAND.match(line):
        return match[1] + "None"
    return None


def _scan(line: str, quote: str, depth: int) -> tuple[str, int, bool]:
    """Open string, open brackets, and whether a backslash continues the line, after `line`."""
    place = 0
    while True:
        if quote:
            closing = re.compile(rf"(?:[^\\]|\\.)*?{quote}").match(line, place)
            if closing is None:
                stays = len(quote) == 3 or line.endswith("\\")
                return (quote if stays else ""), depth, False
            place, quote = closing.end(), ""
        mark = _MARK.search(line, place)
        if mark is None:
            return "", depth, line.endswith("\\")
        place, what = mark.end(), mark[0]
        if what == "#":
            return "", depth, False
        if what in "([{":
            depth += 1
        elif what in ")]}":
            depth = max(0, depth - 1)
        else:
            quote = what
