"""Makes sure that no page for students holds anything of a hidden test."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from companion.grading.names import parsed, strings_in

SHOWN_FROM = {"partial": 1, "CheckFailed": 2}  # position of the argument that students see
MIN_LINE, MIN_TEXT, MIN_NAME, MIN_DIGITS = 24, 16, 8, 5  # length of a canary


def canaries(source: dict[str, Any]) -> set[str]:
    """Strings of the hidden tests in a notebook of `solutions/` that no page may hold.

    Lines, strings, long numbers, and names of helpers, but for hints, which are shown, and for
    what the released notebook holds too.
    """
    return set().union(*_canaries(source).values())


def leaks(text: str, source: dict[str, Any], *, own: str = "") -> list[str]:
    """Canaries that a page holds, in HTML or Markdown; `own` is the student's text."""
    page, own = _readable(text), _squeezed(own)
    return sorted(c for c in canaries(source) if _holds(page, c) and not _holds(own, c))


def check(text: str, source: dict[str, Any], *, own: str = "") -> None:
    """Raises ValueError that names the question, not the text, where a page holds a canary.

    What the student wrote too, in `own`, is none: a line of code may be the same by chance.
    """
    page, own = _readable(text), _squeezed(own)
    for question, found in _canaries(source).items():
        if any(_holds(page, canary) and not _holds(own, canary) for canary in found):
            raise ValueError(
                f"the feedback on {question} holds part of a hidden test, so it is not released. "
                "Usual reason: a message with inputs or expected values in place of a hint."
            )


def _canaries(source: dict[str, Any]) -> dict[str, set[str]]:
    """Canaries by question."""
    cells = []
    for cell in source["cells"]:
        marks = cell.get("metadata", {}).get("nbgrader", {})
        answer = marks.get("grade_id", "") if marks.get("solution") else None
        cells.append((answer, bool(marks.get("grade")), "".join(cell.get("source", ""))))
    return _by_question(tuple(cells))


@functools.lru_cache(maxsize=8)
def _by_question(cells: tuple[tuple[str | None, bool, str], ...]) -> dict[str, set[str]]:
    """The same for cells as (name of the answer, whether it is graded, text)."""
    found: dict[str, set[str]] = {}
    released, question = [], ""
    helpers = [node for answer, _, text in cells if answer is None for node in _functions(text)]
    for answer, is_graded, text in cells:
        if answer is not None:
            question = answer
            solution, stays = _split(text, "SOLUTION")
            released.append(stays if solution and not is_graded else "")
            continue
        hidden, stays = _split(text, "HIDDEN TESTS")
        released.append(stays)
        if hidden:
            found.setdefault(question, set()).update(_candidates(hidden))
            released += _hints(parsed(hidden), helpers)
    shown = _squeezed("\n".join(released))
    return {name: {c for c in some if not _holds(shown, c)} for name, some in found.items()}


def _split(source: str, region: str) -> tuple[str, str]:
    """The lines between BEGIN `region` and END `region`, and the others."""
    inside, outside, is_inside = [], [], False
    for line in source.split("\n"):
        if f"BEGIN {region}" in line or f"END {region}" in line:
            is_inside = "BEGIN" in line
        else:
            (inside if is_inside else outside).append(line)
    return "\n".join(inside), "\n".join(outside)


def _candidates(hidden: str) -> Iterator[str]:
    tree = parsed(hidden)
    for line in map(_squeezed, hidden.split("\n")):
        is_text = re.fullmatch(r"""(?:\w+ ?\+?= ?)?[( ]*f?["'].*["'][),\] ]*""", line)
        if len(line) >= MIN_LINE and not is_text:
            yield line
    for text in map(_squeezed, strings_in(tree)):
        if len(text) >= MIN_TEXT:
            yield text
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and len(node.name) >= MIN_NAME:
            yield node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            digits = re.sub(r"e.*|\D", "", str(node.value)).strip("0")
            if len(digits) >= MIN_DIGITS:
                yield str(node.value)


def _functions(source: str) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(parsed(source)) if isinstance(node, ast.FunctionDef)]


def _hints(hidden: ast.AST, helpers: list[ast.FunctionDef]) -> list[str]:
    """The strings that students see: `hint=…`, the reason of `partial`, the hint of `CheckFailed`.

    Where one is given by a name, also all that is assigned to the name, that a loop takes it from,
    or that is passed to the function of `helpers` whose parameter it is.
    """
    shown: list[ast.expr] = []
    sources: list[tuple[ast.expr, ast.expr]] = []  # target and value
    parameters = {helper.name: helper.args for helper in helpers}
    for node in [node for tree in (hidden, *helpers) for node in ast.walk(tree)]:
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            shown += [word.value for word in node.keywords if word.arg == "hint"]
            if name in SHOWN_FROM:
                shown += node.args[SHOWN_FROM[name] :]
            if name in parameters:
                sources += _passed(node, parameters[name])
        elif isinstance(node, ast.Assign):
            sources += [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AugAssign):
            sources.append((node.target, node.value))
        elif isinstance(node, ast.For):
            sources.append((node.target, node.iter))
    grows = True
    while grows:
        names = {name for part in shown for name in _names(part)}
        new = [value for target, value in sources if _names(target) & names and value not in shown]
        shown += new
        grows = bool(new)
    return [_squeezed(text) for part in shown for text in strings_in(part)]


def _passed(call: ast.Call, parameters: ast.arguments) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Parameter and value, for each argument of a call and each default."""
    by_position = [p.arg for p in (*parameters.posonlyargs, *parameters.args)]
    n_required = len(by_position) - len(parameters.defaults)
    pairs = [
        *zip(by_position, call.args, strict=False),
        *((word.arg, word.value) for word in call.keywords if word.arg),
        *zip(by_position[n_required:], parameters.defaults, strict=True),
        *zip((p.arg for p in parameters.kwonlyargs), parameters.kw_defaults, strict=True),
    ]
    for name, value in pairs:
        if value is not None:
            yield ast.Name(name, ast.Load()), value


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _readable(text: str) -> str:
    """A page as it is, as a browser shows it, and without the backslashes of Markdown."""
    shown = unescape(re.sub(r"<[^<>]*>", "", text))
    return _squeezed("\n".join([text, shown, re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text)]))


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _holds(text: str, canary: str) -> bool:
    """Whether a text holds a canary; names and numbers count as whole words."""
    if canary not in text:
        canary = canary[:1].upper() + canary[1:]  # a note begins with a capital
    if canary not in text:
        return False
    if re.fullmatch(r"[\w.]+", canary):
        return re.search(rf"(?<![\w.]){re.escape(canary)}(?![\w])", text) is not None
    return True
