"""Rebuilds a submission from `solutions/`: whose text runs where.

Structure, set-up cells and tests are those of `solutions/`.  Of the submission only the text of
answers counts, and the code cells that the student added, which run where they stand.  Whatever
else was changed, moved, copied or deleted costs nothing and is noted.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rapidfuzz.fuzz import ratio

from companion.grading.ipython import foreign_magic, parsed, plain_python
from companion.workspace import is_attempted

CODE_STUB = "raise NotAttempted()"
TEXT_STUB = "YOUR ANSWER HERE"
MIN_SIMILARITY = 60.0  # percent, between a lost answer and what was handed out


@dataclass(frozen=True)
class Cell:
    """A cell of the plan.

    `kind` is "setup", "solution", "test", "written" or "extra".  `position` is the index in the
    submitted notebook, -1 for text from `solutions/`.  `typed` is the student's own text where
    IPython's syntax had to be taken out of `source`.
    """

    name: str
    kind: str
    source: str
    points: float = 0.0
    position: int = -1
    typed: str = ""


@dataclass(frozen=True)
class Question:
    """A task: `cells` run in order in the student's process, then `tests` decide.

    `name` is the grade id of the solution cell, `title` the heading above it.
    """

    name: str
    title: str
    cells: tuple[Cell, ...]
    tests: tuple[Cell, ...]
    attempted: bool


@dataclass(frozen=True)
class Written:
    """An answer that a person grades."""

    name: str
    source: str
    points: float
    attempted: bool


@dataclass(frozen=True)
class Plan:
    """`trailing` runs after the last test; `setup` holds all set-up cells of `solutions/`."""

    assignment: str
    questions: tuple[Question, ...]
    trailing: tuple[Cell, ...]
    written: tuple[Written, ...]
    notes: tuple[str, ...]
    setup: tuple[Cell, ...]

    @property
    def tests(self) -> tuple[Cell, ...]:
        return tuple(test for question in self.questions for test in question.tests)

    @property
    def max_points(self) -> float:
        """Points of all tests and written answers."""
        return sum(item.points for item in (*self.tests, *self.written))


def is_hidden(cell: Cell) -> bool:
    """Whether students have not seen this test cell, in whole or in part."""
    return "BEGIN HIDDEN TESTS" in cell.source


def read_source(path: Path) -> dict[str, Any]:
    """The notebook in `solutions/`, as JSON."""
    return json.loads(path.read_text(encoding="utf-8"))


def rebuild(assignment: str, source: dict[str, Any], submission: dict[str, Any]) -> Plan:
    """The plan for a submission, as `submission.read_notebook` gives it.

    Raises:
        ValueError: `source` has a test cell before its first solution cell.
    """
    originals = _originals(source)
    found = _Search(originals, submission["cells"])
    drafts: list[_Draft] = []
    setup: list[Cell] = []
    waiting: list[Cell] = []
    written: list[Written] = []
    for original in originals:
        cell = Cell(original.name, original.kind, original.source, original.points)
        if original.kind == "setup":
            setup.append(cell)
            waiting.append(cell)
        elif original.kind == "solution":
            drafts.append(_Draft(original, found.answer(original), before=waiting))
            waiting = []
        elif original.kind == "test":
            if not drafts:
                raise ValueError(f"test cell {original.name} comes before every solution cell")
            drafts[-1].after += waiting
            drafts[-1].tests.append(cell)
            waiting = []
        if original.is_manual:
            written.append(found.written(original))
    trailing = [*waiting, *_place_extras(found.extras(), drafts, found.places)]
    return Plan(
        assignment=assignment,
        questions=tuple(draft.question(found) for draft in drafts),
        trailing=tuple(trailing),
        written=tuple(written),
        notes=(*submission.get("notes", ()), *found.notes()),
        setup=tuple(setup),
    )


def handed_out(source: str, cell_type: str = "code") -> str:
    """A solution cell as students get it: each solution region, or else all, is the stub."""
    stub = CODE_STUB if cell_type == "code" else TEXT_STUB
    released = _without("SOLUTION", source, stub)
    return stub if released == source else released


def _without(region: str, source: str, stub: str | None = None) -> str:
    """Cuts what stands between the lines BEGIN `region` and END `region`."""
    lines, inside = [], False
    for line in source.split("\n"):
        if f"BEGIN {region}" in line:
            inside = True
            if stub is not None:
                lines.append(line[: len(line) - len(line.lstrip())] + stub)
        elif f"END {region}" in line:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


@dataclass(frozen=True)
class _Original:
    """A cell of `solutions/`; `released` is its text as handed out, `kind` may also be "text"."""

    name: str
    kind: str
    source: str
    released: str
    points: float
    cell_id: str | None
    title: str

    @property
    def is_manual(self) -> bool:
        return self.kind == "written" or (self.kind == "solution" and self.points > 0)


@dataclass
class _Draft:
    """A question in the making; `before` and `after` run around the answer."""

    original: _Original
    answer: Cell
    before: list[Cell]
    after: list[Cell] = field(default_factory=list)
    tests: list[Cell] = field(default_factory=list)

    def question(self, found: _Search) -> Question:
        return Question(
            name=self.original.name,
            title=self.original.title,
            cells=(*self.before, self.answer, *self.after),
            tests=tuple(self.tests),
            attempted=found.attempted(self.original),
        )


def _originals(source: dict[str, Any]) -> list[_Original]:
    originals, title = [], ""
    for cell in source["cells"]:
        text, is_code = "".join(cell["source"]), cell["cell_type"] == "code"
        marks = cell["metadata"].get("nbgrader", {})
        name, released = marks.get("grade_id") or cell.get("id", ""), text
        if marks.get("solution"):
            kind = "solution" if is_code else "written"
            released = handed_out(text, cell["cell_type"])
        elif marks.get("grade"):
            kind, released = "test", _without("HIDDEN TESTS", text)
        elif is_code:
            kind = "setup"
        else:
            kind = "text"
            heading = re.search(r"^#+[ \t]+(?:\d+[.:)]?[ \t]+)?(.*\S)", text, re.MULTILINE)
            title = heading[1] if heading else title
        points = float(marks.get("points", 0)) if marks.get("grade") else 0.0
        originals.append(
            _Original(name, kind, text, released, points, cell.get("id"), title or name)
        )
    return originals


class _Search:
    """Finds the cells of `solutions/` in a submission.

    `places` maps a grade id to the index of its cell in the submission.
    """

    def __init__(self, originals: list[_Original], cells: list[dict[str, Any]]) -> None:
        self._cells = cells
        self._originals = [original for original in originals if original.kind != "text"]
        texts = [original for original in originals if original.kind == "text"]
        self._text_ids = {text.cell_id for text in texts} - {None}
        self._text_sources = {_stripped(text.source) for text in texts}
        self.places: dict[str, int] = {}
        self._notes: dict[str, list[str]] = {}
        self._joined: dict[str, str] = {}
        self._attempts: dict[tuple[str, int], bool] = {}
        self._defined = [
            _definitions(cell["source"]) if cell["cell_type"] == "code" else frozenset()
            for cell in cells
        ]
        names = {original.name for original in self._originals}
        self._marked: dict[str, list[int]] = {}
        self._unmarked: list[int] = []
        for index, cell in enumerate(cells):
            if cell["grade_id"] in names:
                self._marked.setdefault(cell["grade_id"], []).append(index)
            else:
                self._unmarked.append(index)
        self._find_locked()
        self._find_solutions()
        self._find_written()
        self._note_moved()

    def attempted(self, original: _Original) -> bool:
        index = self.places.get(original.name)
        return index is not None and self._is_attempted(original, index)

    def answer(self, original: _Original) -> Cell:
        """The student's solution cell, or the stub where there is none."""
        index = self.places.get(original.name)
        if index is None:
            return Cell(original.name, "solution", original.released)
        return self._student_cell(original.name, "solution", index)

    def written(self, original: _Original) -> Written:
        text = self._joined.get(original.name)
        if original.kind == "solution" and self.attempted(original):
            text = self._cells[self.places[original.name]]["source"]
        is_there = text is not None
        shown = text if is_there else original.released
        return Written(original.name, shown, original.points, is_there)

    def extras(self) -> list[Cell]:
        """Code cells of the student that are no copy of anything handed out."""
        handed = {tuple(original.released.split()) for original in self._originals}
        return [
            self._student_cell(f"extra_{index}", "extra", index)
            for index in sorted(self._unmarked)
            if self._cells[index]["cell_type"] == "code"
            and (words := tuple(self._cells[index]["source"].split()))
            and words not in handed
        ]

    def notes(self) -> list[str]:
        return [f"{what}: {', '.join(names)}" for what, names in self._notes.items()]

    def _note(self, what: str, name: str) -> None:
        names = self._notes.setdefault(what, [])
        if name not in names:
            names.append(name)

    def _student_cell(self, name: str, kind: str, index: int) -> Cell:
        typed = self._cells[index]["source"]
        source = plain_python(typed)
        if magic := foreign_magic(typed):
            what = f"cells that were not run, because %%{magic[:40]} makes them no Python"
            self._note(what, f"cell {index + 1}")
        return Cell(name, kind, source, position=index, typed="" if typed == source else typed)

    def _is_attempted(self, original: _Original, index: int) -> bool:
        key = original.name, index
        if key not in self._attempts:
            answer = self._cells[index]["source"]
            if original.kind == "written":
                attempted = answer.split() not in ([], original.released.split())
            else:
                attempted = _is_attempted(answer, original.released)
            self._attempts[key] = attempted
        return self._attempts[key]

    def _is_code(self, index: int) -> bool:
        return self._cells[index]["cell_type"] == "code"

    def _find_locked(self) -> None:
        """Test and set-up cells, whose text never counts; unmarked copies of them are dropped."""
        unmarked: dict[str, list[int]] = {}
        for index in self._unmarked:
            if self._is_code(index):
                unmarked.setdefault(_stripped(self._cells[index]["source"]), []).append(index)
        dropped: set[int] = set()
        for original in self._originals:
            if original.kind not in ("test", "setup"):
                continue
            kind = f"{original.kind} cells"
            text = _stripped(original.released)
            unmarked_copies = unmarked.get(text, []) if text else []
            dropped.update(unmarked_copies)
            copies = self._marked.get(original.name, [])
            if not copies:
                copies = [i for i in unmarked_copies if i not in self.places.values()][:1]
            if not copies:
                self._note(f"{kind} that were deleted and came back", original.name)
                continue
            if len(copies) > 1:
                self._note(f"{kind} that were copied, graded once", original.name)
            self.places[original.name] = copies[0]
            if not any(_stripped(self._cells[i]["source"]) == text for i in copies):
                self._note(f"{kind} that were edited, used as handed out", original.name)
        self._unmarked = [index for index in self._unmarked if index not in dropped]

    def _find_solutions(self) -> None:
        solutions = [original for original in self._originals if original.kind == "solution"]
        wanted = {original.name: _definitions(original.released) for original in solutions}
        for original in solutions:
            self._choose_copy(original, wanted[original.name])
        for original in solutions:
            if original.name not in self.places:
                for index in [i for i in self._unmarked if self._is_same_cell(original, i)][:1]:
                    self._take(original, index, "found by the id of their cell")
        for original in solutions:
            self._find_by_definition(original, wanted[original.name])
        lost = [original for original in solutions if original.name not in self.places]
        everything = frozenset().union(*wanted.values())
        pairs = sorted(
            (
                (ratio(original.released, self._cells[i]["source"]), i, order)
                for order, original in enumerate(lost)
                for i in self._unmarked
                if self._is_code(i) and not self._defined[i] & everything
            ),
            key=lambda pair: (-pair[0], pair[1:]),
        )
        for score, index, order in pairs:
            is_free = lost[order].name not in self.places and index in self._unmarked
            if score >= MIN_SIMILARITY and is_free:
                self._take(lost[order], index, "found by their text")
        for original in lost:
            if original.name not in self.places:
                unknown = [i for i in self._between(original) if self._is_code(i)]
                if len(unknown) == 1 and not self._defined[unknown[0]] & everything:
                    self._take(original, unknown[0], "found by their place")
                else:
                    self._note("answers that are missing", original.name)
        for original in solutions:
            if original.name in self.places and not self._is_code(self.places[original.name]):
                self._note("answers in cells that were no code cells", original.name)

    def _choose_copy(self, original: _Original, wanted: frozenset[str]) -> None:
        """Of several marked cells the last that answers the task, which defines its names.

        Splitting a cell copies its mark, so a part that defines something else stays an extra.
        """
        copies = self._marked.get(original.name, [])
        if not copies:
            return
        attempts = [index for index in copies if self._is_attempted(original, index)]
        chosen = max(attempts or copies, key=lambda i: (len(wanted & self._defined[i]), i))
        self.places[original.name] = chosen
        if len(copies) > 1:
            self._note(
                "answers with several cells, of which the last attempt counts", original.name
            )
        for index in attempts:
            is_replaced = self._defined[index] and self._defined[index] <= self._defined[chosen]
            if index != chosen and not is_replaced:
                self._unmarked.append(index)

    def _find_by_definition(self, original: _Original, wanted: frozenset[str]) -> None:
        """An unmarked cell that defines the task's names, where no attempt was found otherwise."""
        if not wanted or self.attempted(original):
            return
        is_there = original.name in self.places
        fitting = [
            index
            for index in self._unmarked
            if wanted & self._defined[index]
            and (not is_there or wanted <= self._defined[index])
            and (not is_there or self._is_attempted(original, index))
        ]
        if fitting:
            best = max(
                fitting,
                key=lambda i: (self._is_attempted(original, i), len(wanted & self._defined[i]), i),
            )
            self._take(original, best, "found by the names that they define")

    def _find_written(self) -> None:
        """Written answers; several parts are joined, since a person reads them."""
        for original in self._originals:
            if original.kind != "written":
                continue
            copies = list(self._marked.get(original.name, []))
            if len(copies) > 1:
                self._note("written answers with several cells, which were joined", original.name)
            if not copies:
                copies = [i for i in self._unmarked if self._is_same_cell(original, i)]
                if copies:
                    self._note(
                        "answers without their mark, found by the id of their cell", original.name
                    )
            if copies:
                self.places[original.name] = copies[0]
            parts = [index for index in copies if self._is_attempted(original, index)]
            if not parts:
                parts = [i for i in self._between(original) if self._is_new_text(original, i)]
                if parts:
                    self._note("answers without their mark, found by their place", original.name)
                elif not copies:
                    self._note("answers that are missing", original.name)
            if any(self._is_code(index) for index in parts):
                self._note("written answers in code cells", original.name)
            self._unmarked = [i for i in self._unmarked if i not in {*parts, *copies}]
            if parts:
                self.places.setdefault(original.name, parts[0])
                texts = dict.fromkeys(self._cells[index]["source"] for index in parts)
                self._joined[original.name] = "\n\n".join(texts)

    def _is_same_cell(self, original: _Original, index: int) -> bool:
        return original.cell_id is not None and self._cells[index]["id"] == original.cell_id

    def _is_new_text(self, original: _Original, index: int) -> bool:
        """Whether the student wrote this cell of text, rather than an author of the course."""
        cell = self._cells[index]
        return (
            not self._is_code(index)
            and cell["id"] not in self._text_ids
            and _stripped(cell["source"]) not in self._text_sources
            and self._is_attempted(original, index)
        )

    def _between(self, original: _Original) -> list[int]:
        """Unmarked cells between the neighbours of a cell, as far as these are there."""
        order = [other.name for other in self._originals]
        place = order.index(original.name)
        before = [self.places[name] for name in order[:place] if name in self.places]
        after = [self.places[name] for name in order[place + 1 :] if name in self.places]
        first = before[-1] if before else -1
        last = after[0] if after else len(self._cells)
        return [index for index in self._unmarked if first < index < last]

    def _take(self, original: _Original, index: int, how: str) -> None:
        self.places[original.name] = index
        self._unmarked.remove(index)
        self._note(f"answers without their mark, {how}", original.name)

    def _note_moved(self) -> None:
        placed = [original.name for original in self._originals if original.name in self.places]
        stayed = _longest_increasing([self.places[name] for name in placed])
        for name in placed:
            if self.places[name] not in stayed:
                self._note("cells that were moved, run at their own place", name)


def _place_extras(
    extras: Iterable[Cell], drafts: list[_Draft], places: dict[str, int]
) -> list[Cell]:
    """Gives each extra cell to the question that it runs with; returns those after the last.

    Between an answer and its last test a cell runs after that answer, also where the student
    deleted all of its tests; elsewhere it runs before the next answer.
    """
    answers = sorted(
        ((draft.answer.position, draft) for draft in drafts if draft.answer.position >= 0),
        key=lambda pair: pair[0],
    )
    trailing = []
    for extra in extras:
        above = [draft for position, draft in answers if position < extra.position]
        below = [draft for position, draft in answers if position > extra.position]
        tests = (
            [places[test.name] for test in above[-1].tests if test.name in places] if above else []
        )
        if above and extra.position < max(tests, default=extra.position + 1):
            above[-1].after.append(extra)
        elif below:
            below[0].before.append(extra)
        else:
            trailing.append(extra)
    return trailing


def _longest_increasing(numbers: list[int]) -> set[int]:
    """The members of a longest increasing subsequence of different numbers."""
    best: list[list[int]] = []  # best[k] ends at numbers[k]
    for number in numbers:
        before = [run for run in best if run[-1] < number]
        best.append([*max(before, key=len, default=[]), number])
    return set(max(best, key=len, default=[]))


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


@functools.lru_cache(maxsize=4096)
def _definitions(source: str) -> frozenset[str]:
    """Functions and classes at the top level of a cell, also where it has a syntax error."""
    tree = parsed(plain_python(source))
    if tree is None:
        found = re.findall(r"^(?:async\s+)?(?:def|class)\s+(\w+)", source, re.MULTILINE)
        return frozenset(found)
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def _is_attempted(answer: str, released: str) -> bool:
    """Whether an answer is more than what was handed out, spaces and comments apart."""
    answer = plain_python(answer)
    tree = parsed(answer)
    if not answer.strip() or (tree is not None and not tree.body):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return is_attempted(answer, released)
        except (ValueError, RecursionError, MemoryError):
            return True  # Python cannot parse it; the stub it can
