"""What a student reads about a graded submission: one page, as HTML and as Markdown.

Text of a student reaches the page escaped, cut and with invisible characters spelled out.  Of a
hidden test it holds a number, the points, the kind of mistake, and those words of the hint that the
author of the test wrote; canaries.py makes sure of it before a page is released.
"""

from __future__ import annotations

import builtins
import functools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from companion.grading import results
from companion.grading.names import strings
from companion.grading.results import CellResult, Result

MAX_PAGE = 1_000_000  # bytes
MAX_MESSAGE = 2_000  # characters
MAX_ANSWER = 20_000
MAX_NOTES = 30
CONTEXT_LINES, LINE_WIDTH = 2, 200  # before and after the marked line; characters of each

WORDS = {
    results.OK: "Passed",
    results.WRONG: "Not right yet",
    results.ERROR: "Stopped with an error",
    results.TIMEOUT: "Took too long",
    results.MEMORY: "Used too much memory",
    results.CRASH: "Python ended",
    results.MALFORMED: "Could not be read",
    results.TAMPERED: "No valid answer came back",
    results.NOT_ATTEMPTED: "Not attempted",
    results.INFRASTRUCTURE: "Not graded yet",
}
REASONS = {
    results.TIMEOUT: "Usual reasons: a loop that never ends, or one that runs over every element.",
    results.MEMORY: "Usual reasons: a list that keeps growing, or a table larger than needed.",
    results.CRASH: "Your code ended the Python process. Usual reasons: `exit()`, or recursion or "
    "memory beyond the limits.",
    results.TAMPERED: "What came back from your code was no value. Usual reason: code that changes "
    "Python or its libraries instead of answering the question.",
    results.NOT_ATTEMPTED: "The cell still holds `raise NotAttempted()`, so its tests did not run.",
    results.INFRASTRUCTURE: "The grader failed. This is not your fault, and the grading will be "
    "repeated. No points are decided by it.",
}
CATEGORIES = {
    "shape": "The shape is not what the text asks for.",
    "dtype": "The dtype is not what the text asks for.",
    "value": "The values are not what the text asks for.",
    "gradient": "The gradient is not what the text asks for.",
    "error": "An error is missing, or came where none is due.",
    "forbidden": "Something ran that the task asks you to do without.",
    "type": "The kind of object is not what the text asks for.",
    "partial": "This holds in part.",
}
STOPPED = "Your cell stopped with "  # how the checker begins what a cell itself raised


@dataclass(frozen=True)
class _Place:
    """A line of the student's source, with its neighbours: (number, text, is_marked)."""

    cell: str
    number: int
    lines: list[tuple[int, str, bool]]
    said: str = ""


@dataclass(frozen=True)
class _Test:
    name: str
    status: str
    points: float
    max_points: float
    said: list[tuple[str, str]]  # label and text
    is_hidden: bool

    @property
    def words(self) -> str:
        return (
            "Partly right" if self.status == results.WRONG and self.points else WORDS[self.status]
        )


@dataclass
class _Section:
    """A question.  `answer` is the text of a written one, `points` None where nobody graded it."""

    name: str
    title: str
    asked: str
    max_points: float = 0.0
    points: float | None = 0.0
    tests: list[_Test] = field(default_factory=list)
    places: dict[tuple[str, int], _Place] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    answer: str | None = None
    last_said: list[tuple[str, str]] = field(default_factory=list)

    @property
    def words(self) -> str:
        if not self.tests:
            return "Not graded yet" if self.points is None else "Graded by hand"
        for status in (results.NOT_ATTEMPTED, results.INFRASTRUCTURE, results.MALFORMED):
            if all(test.status == status for test in self.tests):
                return WORDS[status]
        n_passed = sum(test.status == results.OK for test in self.tests)
        return f"{n_passed} of {len(self.tests)} tests passed"


@dataclass(frozen=True)
class _Report:
    title: str
    student: str
    total: str
    remarks: list[str]
    sections: list[_Section]
    notes: list[str]
    footer: str


@dataclass(frozen=True)
class Book:
    """What the gradebook says beyond the result.

    `manual` maps a grade id to score (None: not graded) and comment; `penalty` are points that are
    taken off for being late.
    """

    manual: dict[str, tuple[float | None, str]] = field(default_factory=dict)
    penalty: float = 0.0


def html_page(result: Result, notebook: dict[str, Any], book: Book) -> str:
    """A page that needs no other file and runs no script; `notebook` is the rebuilt one."""
    return _within_limit(lambda limit: _html(_report(result, notebook, book, limit)))


def markdown(result: Result, notebook: dict[str, Any], book: Book) -> str:
    """The same as Markdown, without HTML in it."""
    return _within_limit(lambda limit: _markdown(_report(result, notebook, book, limit)))


def _within_limit(make: Callable[[int], str]) -> str:
    for limit in (MAX_MESSAGE, 300, 40):
        page = make(limit)
        if len(page.encode()) <= MAX_PAGE:
            break
    return page


# What the page says, before it is written in HTML or Markdown


def _report(
    result: Result,
    notebook: dict[str, Any],
    book: Book,
    limit: int,
) -> _Report:
    cells = [_Cell(cell) for cell in notebook.get("cells", ())]
    sections = {section.name: section for section in _sections(result, cells)}
    author = _authors_words(cells)
    hidden = {}
    for cell in result.cells:
        section = sections[cell.question]
        source = next((c.source for c in cells if c.grade_id == cell.grade_id), None)
        is_hidden = cell.is_hidden or source is None or "BEGIN HIDDEN TESTS" in source
        if is_hidden:
            hidden[cell.grade_id] = f"a further test of “{section.title}”"
        said = _said_of_hidden(cell, author) if is_hidden else _said(cell)
        said = [(label, _cut(text, limit)) for label, text in said if text]
        _add_test(section, cell, said, is_hidden, book.manual.get(cell.grade_id), limit)
        # A line in which a hidden test failed would say something about its inputs.
        place = _place(cell, cells, limit)
        if place and (not is_hidden or cell.message.startswith(STOPPED)):
            section.places.setdefault((place.cell, place.number), place)
    for cell in cells:
        if cell.is_answer and cell.grade_id:
            _grade_by_hand(sections[cell.grade_id], cell, book.manual.get(cell.grade_id), limit)
    for section in sections.values():
        if section.words == WORDS[results.INFRASTRUCTURE]:
            section.points = None
    heading = next((_heading(c.source) for c in cells if c.kind == "markdown"), "")
    notes = [_without_names(note, hidden) for note in dict.fromkeys(result.notes)]
    versions = ", ".join(f"{name} {number}" for name, number in sorted(result.versions.items()))
    return _Report(
        title=heading or result.assignment,
        student=_cut(result.student, 100),
        total=_total(result, sections.values(), book.penalty),
        remarks=[_cut(text, limit) for text in _remarks(result, sections.values(), book.penalty)],
        sections=list(sections.values()),
        notes=[_cut(f"{n[:1].upper()}{n[1:]}", limit) for n in notes[:MAX_NOTES]],
        footer=f"Graded with {versions}." if versions else "",
    )


def _add_test(
    section: _Section,
    cell: CellResult,
    said: list[tuple[str, str]],
    is_hidden: bool,
    manual: tuple[float | None, str] | None,
    limit: int,
) -> None:
    score, comment = manual or (None, "")
    points = cell.points if score is None else score
    number = sum(test.is_hidden for test in section.tests) + 1
    name = f"Further test {number}" if is_hidden else cell.grade_id
    if said and said == section.last_said:
        said = [("", "As above.")]
    else:
        section.last_said = said
    section.tests.append(_Test(name, cell.status, points, cell.max_points, said, is_hidden))
    section.max_points += cell.max_points
    section.points += points
    section.comments += [_cut(comment, limit)] if comment.strip() else []


class _Cell:
    """A cell of the notebook, read with care for missing fields."""

    def __init__(self, cell: dict[str, Any]) -> None:
        marks = cell.get("metadata", {}).get("nbgrader", {})
        self.kind, self.id = cell.get("cell_type", ""), cell.get("id", "")
        self.source = "".join(cell.get("source", ""))
        self.grade_id = marks.get("grade_id", "")
        self.is_answer = bool(marks.get("solution"))
        self.is_written = self.is_answer and bool(marks.get("grade"))
        self.is_authors = bool(marks.get("locked") or marks.get("grade")) and not self.is_answer
        self.points = float(marks.get("points") or 0)


def _sections(result: Result, cells: list[_Cell]) -> Iterator[_Section]:
    """One for each question, in the order of the notebook; last those that it does not hold."""
    title = asked = ""
    seen = set()
    for cell in cells:
        if cell.kind == "markdown" and not cell.is_answer:
            title, asked = _heading(cell.source) or title, _first_paragraph(cell.source) or asked
        elif cell.is_answer and cell.grade_id:
            seen.add(cell.grade_id)
            yield _Section(cell.grade_id, title or cell.grade_id, asked)
    for name in dict.fromkeys(cell.question for cell in result.cells):
        if name not in seen:
            yield _Section(name, name.replace("_", " ").capitalize() or "Tests", "")


def _heading(text: str) -> str:
    found = re.search(r"^#+[ \t]+(?:\d+[.:)]?[ \t]+)?(.*\S)", text, re.MULTILINE)
    return re.sub(r"\s+", " ", found[1]) if found else ""


def _first_paragraph(text: str) -> str:
    """The first paragraph of running text, without the line in bold that tells the points."""
    for paragraph in re.split(r"\n\s*\n", text):
        words = " ".join(line for line in paragraph.split("\n") if not line.startswith("#"))
        words = re.sub(r"\s+", " ", words).strip()
        if words and not words.startswith(("**", "<", "$$", "- ", "|", "```")):
            words = re.sub(r"\*\*|(?<!\w)\*(?=\w)|(?<=\w)\*(?!\w)", "", words)
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", words)
            words = re.sub(r"\$([^$]+)\$", lambda found: _formula(found[1]), words)
            return _cut(f"{words[:-1]} …" if words.endswith(":") else words, 700)
    return ""


def _formula(text: str) -> str:
    """A short formula of TeX in plain characters, as far as that goes."""
    for name, character in ((r"\cdot", "·"), (r"\times", "×"), (r"\leq", "≤"), (r"\geq", "≥")):
        text = text.replace(name, character)
    return re.sub(r"[{}]|\\(?=\w)", "", text)


def _said(cell: CellResult) -> list[tuple[str, str]]:
    """What a visible test says."""
    message = cell.message
    if message.startswith(STOPPED):
        message = message.partition("\n")[2]
        if "the notebook defines no " in message:
            return [("", "Your cell stopped before this test.")]
    if cell.status == results.WRONG and cell.details:
        return [("Observed", _sentence(cell.details)), ("Hint", cell.hint)]
    if cell.status in (results.OK, results.NOT_ATTEMPTED):
        return []
    if cell.status == results.INFRASTRUCTURE:
        return [("", REASONS[cell.status])]
    if cell.hint and message.endswith(cell.hint):
        message = message.removesuffix(cell.hint).rstrip("\n")
    return [
        ("Observed", _sentence(message)),
        ("Hint", cell.hint),
        ("", REASONS.get(cell.status, "")),
    ]


def _said_of_hidden(cell: CellResult, author: tuple[str, ...]) -> list[tuple[str, str]]:
    """What a hidden test says: kind and misconception, and no word that came from a student."""
    if cell.message.startswith(STOPPED):
        return [("", "Your cell stopped before this test.")]
    if cell.status == results.ERROR:
        kind = cell.message.removesuffix(" was raised.")
        is_known = isinstance(getattr(builtins, kind, None), type)
        return [("", f"Your code raised {kind if is_known else 'an exception'}.")]
    if cell.status == results.WRONG:
        hint = cell.hint.removeprefix("partial credit").removeprefix(": ")
        known = hint if _is_authors(hint, author) else ""
        return [("", CATEGORIES.get(cell.category, CATEGORIES["value"])), ("Hint", known)]
    if cell.status in (results.TIMEOUT, results.MEMORY):
        return [("Observed", _sentence(cell.message)), ("", REASONS[cell.status])]
    return [("", REASONS.get(cell.status, ""))] if cell.status != results.NOT_ATTEMPTED else []


def _authors_words(cells: list[_Cell]) -> tuple[str, ...]:
    """The strings in locked cells and in `companion.checks`, longest first."""
    sources = [_text_of_checks(), *(cell.source for cell in cells if cell.is_authors)]
    found = {text for source in sources for text in strings(source) if len(text) > 2}
    return tuple(sorted(found, key=len, reverse=True))


@functools.cache
def _text_of_checks() -> str:
    return (Path(__file__).parents[1] / "checks.py").read_text(encoding="utf-8")


def _is_authors(hint: str, author: tuple[str, ...]) -> bool:
    """Whether a hint is put together from the author's strings.

    Student code can raise the same exception as a check does, with a hint that holds its inputs.
    """
    for text in author:
        hint = hint.replace(text, "", 1)
    return not hint.strip()


def _place(cell: CellResult, cells: list[_Cell], limit: int) -> _Place | None:
    """Where the student's code stopped.  Cell and line come from the student's process, so they
    may name any cell: only those that the student wrote are shown."""
    if cell.where is None:
        return None
    name, number, _ = cell.where
    own = next(
        (c for c in cells if c.kind == "code" and not c.is_authors
         and name in (c.grade_id, c.id.replace("-", "_")) and name),
        None,
    )  # fmt: skip
    lines = own.source.rstrip().split("\n") if own else []
    if not 1 <= number <= len(lines):
        return None
    first, last = max(1, number - CONTEXT_LINES), min(len(lines), number + CONTEXT_LINES)
    shown = [(n, _cut(lines[n - 1], min(limit, LINE_WIDTH)), n == number)
             for n in range(first, last + 1)]  # fmt: skip
    said = cell.message.partition("\n")[0] if cell.message.startswith(STOPPED) else ""
    said = re.sub(r" \(<\w+>, line \d+\)$", "", said)  # the heading says it
    label = own.grade_id if own.grade_id else "a cell that you added"
    return _Place(label, number, shown, _cut(said, limit))


def _grade_by_hand(
    section: _Section, cell: _Cell, manual: tuple[float | None, str] | None, limit: int
) -> None:
    """Adds comment and, where the answer itself has points, answer and score."""
    score, comment = manual or (None, "")
    section.comments += [_cut(comment, limit)] if comment.strip() else []
    if not cell.is_written:
        return
    is_stub = cell.source.strip() in ("", "YOUR ANSWER HERE", "raise NotAttempted()")
    section.answer = "" if is_stub else _cut(cell.source, MAX_ANSWER if limit > 100 else limit)
    section.max_points += cell.points
    if score is not None:
        section.points += score
    elif not section.tests:
        section.points = None


def _without_names(note: str, hidden: dict[str, str]) -> str:
    what, colon, names = note.partition(": ")
    parts = [hidden.get(name, name) for name in names.split(", ")]
    return what + colon + ", ".join(dict.fromkeys(parts)) if colon else note


def _total(result: Result, sections: Iterable[_Section], penalty: float) -> str:
    possible = sum(section.max_points for section in sections)
    if result.status == results.INFRASTRUCTURE:
        return f"Not graded yet, of {_points(possible)} points"
    points = sum(section.points or 0.0 for section in sections)
    return f"{_points(max(0.0, points - penalty))} of {_of(possible)}"  # as nbgrader counts


def _remarks(result: Result, sections: Iterable[_Section], penalty: float) -> Iterator[str]:
    if result.status == results.INFRASTRUCTURE:
        yield REASONS[results.INFRASTRUCTURE]
    elif result.status != results.OK:
        yield f"{WORDS[result.status]}: {result.message}"
    if penalty:
        is_one = round(penalty, 2) == 1
        yield f"Handed in late: {_of(penalty)} {'is' if is_one else 'are'} taken off."
    by_hand = [section for section in sections if section.points is None and not section.tests]
    waiting = sum(section.max_points for section in by_hand)
    if waiting:
        yield f"{_of(waiting)} of these are graded by hand, which has not been done yet."
    n_tests = sum(len(section.tests) for section in sections)
    n_hidden = sum(test.is_hidden for section in sections for test in section.tests)
    if n_hidden and result.status == results.OK:
        yield (
            f"{n_hidden} of the {n_tests} tests are further tests on other data. They check what "
            "the text of the task says. Of these you see the kind of mistake, and not their inputs."
        )


def _points(points: float | None) -> str:
    return "–" if points is None else f"{round(points, 2):g}"


def _of(points: float) -> str:
    return f"{_points(points)} point{'' if points == 1 else 's'}"


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}" if text else ""


def _cut(text: str, limit: int) -> str:
    """At most `limit` characters, with control and direction characters spelled out."""
    shown = "".join(_visible(character) for character in text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[:limit]} … (cut)"


def _visible(character: str) -> str:
    if character in "\n\t\u200c\u200d":  # the last two belong to the spelling of some languages
        return character
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character
    return ascii(character)[1:-1]


# HTML

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0;
  --paper: #ffffff; --shade: #f6f8fa; --mark: #fff3c4; --good: #1a7f37; --bad: #9a3412; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #a3adb8; --line: #3b434b;
  --paper: #16191d; --shade: #1f242a; --mark: #4a3f14; --good: #6cc784; --bad: #f0a47a; } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .25rem; padding-top: 1.25rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p { margin: .4rem 0; }
a { color: inherit; }
.soft { color: var(--soft); }
.total { font-size: 1.35rem; font-weight: 600; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
tbody th { font-weight: 400; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.test { border-left: 4px solid var(--line); padding: .1rem 0 .1rem .9rem; margin: .8rem 0; }
.test.passed { border-left-color: var(--good); }
.test.failed { border-left-color: var(--bad); border-left-style: double; }
.test h3 { margin: 0; font-weight: 400; display: flex; justify-content: space-between; gap: 1rem; }
.test .status { font-weight: 600; }
.passed .status { color: var(--good); }
.failed .status { color: var(--bad); }
.said { white-space: pre-wrap; unicode-bidi: isolate; overflow: hidden; }
pre, code { font: .875em/1.5 ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace; }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0;
  padding: .7rem .9rem; overflow: auto; unicode-bidi: isolate; }
pre mark { background: var(--mark); color: inherit; }
blockquote { margin: .5rem 0; padding: .1rem 0 .1rem .9rem; border-left: 4px solid var(--line); }
.footer { margin-top: 3rem; }
""".strip()


def _html(report: _Report) -> str:
    rows = "\n".join(
        f'<tr><th scope="row"><a href="#task-{i}">{_inline(section.title)}</a></th>'
        f"<td>{section.words}</td>"
        f'<td class="number">{_points(section.points)} of {_points(section.max_points)}</td></tr>'
        for i, section in enumerate(report.sections, 1)
    )
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Feedback: {escape(report.title)}</title>",
        f"<style>\n{STYLE}\n</style></head><body><main>",
        f"<h1>{_inline(report.title)}</h1>",
        f'<p class="soft">Feedback for {escape(report.student)}</p>',
        f'<p class="total">{report.total}</p>',
        *(f'<p class="said">{_inline(remark)}</p>' for remark in report.remarks),
        f'<table><caption>Tasks</caption>\n<thead><tr><th scope="col">Task</th>'
        '<th scope="col">Result</th><th scope="col" class="number">Points</th></tr></thead>'
        f"\n<tbody>\n{rows}\n</tbody></table>",
    ]
    for i, section in enumerate(report.sections, 1):
        parts += [f'<section aria-labelledby="task-{i}">', *_html_of(section, i), "</section>"]
    if report.notes:
        parts += ["<h2>About your file</h2>",
                  "<p>Cells that were moved, copied or edited cost no points by that.</p>", "<ul>",
                  *(f"<li>{escape(note)}</li>" for note in report.notes), "</ul>"]  # fmt: skip
    parts += [f'<p class="footer soft">{escape(report.footer)}</p>', "</main></body></html>"]
    return "\n".join(parts) + "\n"


def _html_of(section: _Section, number: int) -> Iterator[str]:
    yield f'<h2 id="task-{number}">{_inline(section.title)}</h2>'
    points = f"{_points(section.points)} of {_of(section.max_points)}"
    yield f"<p><strong>{points}.</strong> {section.words}.</p>"
    if section.asked:
        yield f'<p class="soft">{_inline(section.asked)}</p>'
    if section.words == WORDS[results.NOT_ATTEMPTED]:
        yield f"<p>{_inline(REASONS[results.NOT_ATTEMPTED])}</p>"
    for place in section.places.values():
        yield f"<h3>Where your code stopped: <code>{escape(place.cell)}</code>, "
        yield f"line {place.number}</h3>"
        if place.said:
            yield f'<p class="said">{escape(place.said)}</p>'
        lines = [escape(line) for line in _numbered(place)]
        marked = [line if line[:1] == " " else f"<mark>{line}</mark>" for line in lines]
        yield "<pre>" + "\n".join(marked) + "</pre>"
    for test in _listed(section):
        look = "passed" if test.status == results.OK else "failed"
        name = test.name if test.is_hidden else f"<code>{escape(test.name)}</code>"
        points = f"{_points(test.points)} of {_points(test.max_points)}"
        yield f'<div class="test {look}"><h3><span>{name}: <span class="status">{test.words}</span>'
        yield f'</span> <span class="number">{points}</span></h3>'
        for label, text in test.said:
            start = f"<strong>{label}.</strong> " if label else ""
            yield f'<p class="said">{start}{_inline(text)}</p>'
        yield "</div>"
    if section.answer is not None:
        yield "<h3>Your answer</h3>"
        if section.answer:
            yield f'<blockquote class="said">{escape(section.answer)}</blockquote>'
        else:
            yield "<p>There is none yet.</p>"
    if section.comments:
        yield "<h3>Comment</h3>"
        yield from (f'<blockquote class="said">{escape(c)}</blockquote>' for c in section.comments)


def _listed(section: _Section) -> list[_Test]:
    """The tests worth listing: none where nothing ran."""
    silent = [WORDS[s] for s in (results.NOT_ATTEMPTED, results.INFRASTRUCTURE, results.MALFORMED)]
    return [] if section.words in silent else section.tests


def _numbered(place: _Place) -> Iterator[str]:
    width = len(str(place.lines[-1][0]))
    for number, text, is_marked in place.lines:
        yield f"{'→' if is_marked else ' '} {number:>{width}}  {text}"


def _inline(text: str) -> str:
    """Escaped text, in which words in backticks become code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escape(text))


# Markdown


def _markdown(report: _Report) -> str:
    parts = [f"# {_plain(report.title)}", f"Feedback for {_plain(report.student)}",
             f"**{report.total}**", *(_plain(remark) for remark in report.remarks)]  # fmt: skip
    rows = [
        f"| {_plain(section.title)} | {section.words} "
        f"| {_points(section.points)} of {_points(section.max_points)} |"
        for section in report.sections
    ]
    parts.append("\n".join(["| Task | Result | Points |", "| --- | --- | ---: |", *rows]))
    for section in report.sections:
        parts += _markdown_of(section)
    if report.notes:
        parts += ["## About your file",
                  "Cells that were moved, copied or edited cost no points by that.",
                  "\n".join(f"- {_plain(note)}" for note in report.notes)]  # fmt: skip
    return "\n\n".join([*parts, _plain(report.footer)]).rstrip() + "\n"


def _markdown_of(section: _Section) -> Iterator[str]:
    yield f"## {_plain(section.title)}"
    yield f"**{_points(section.points)} of {_of(section.max_points)}.** {section.words}."
    if section.asked:
        yield _plain(section.asked)
    if section.words == WORDS[results.NOT_ATTEMPTED]:
        yield _plain(REASONS[results.NOT_ATTEMPTED])
    for place in section.places.values():
        yield f"### Where your code stopped: {_plain(place.cell)}, line {place.number}"
        if place.said:
            yield _fenced(place.said)
        yield _fenced("\n".join(_numbered(place)))
    for test in _listed(section):
        points = f"{_points(test.points)} of {_points(test.max_points)}"
        yield f"### {_plain(test.name)}: {test.words} ({points})"
        for label, text in test.said:
            start = f"**{label}.** " if label else ""
            # What a visible test saw may hold words of the student.
            own = label == "Observed" and not test.is_hidden
            yield f"**{label}.**\n\n{_fenced(text)}" if own else start + _plain(text)
    if section.answer is not None:
        yield "### Your answer"
        yield _fenced(section.answer) if section.answer else "There is none yet."
    if section.comments:
        yield "### Comment"
        yield from map(_fenced, section.comments)


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _plain(text: str) -> str:
    """Text on one line that Markdown shows as it is, but for words in backticks."""
    parts = re.split(r"(`[^`<>]+`)", " ".join(text.split()))
    return "".join(
        part if i % 2 else re.sub(r"([\\`*_{}\[\]<>#|&~!$@]|:(?=/))", r"\\\1", part)
        for i, part in enumerate(parts)
    )
