"""Pages for students: what they say, and what no submission gets into them or out of them."""

from __future__ import annotations

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import mistune
import pytest

from companion.grading import canaries, feedback, results
from companion.grading.results import CellResult, Result

ROOT = Path(__file__).parents[2]
ASSIGNMENTS = ("01_foundations", "02_architecture")
HOSTILE = (
    "<script>alert(1)</script><img src=http://x.test/a.png onerror=alert(1)>\"'>"
    "</p></pre></main><style>*{display:none}</style>&lt;\u202egnihton\u202c\x00\x1b[31m\r\u2028"
    "\ud800\n```\n````\n# not a heading\n<b>bold</b>\n[link](http://x.test) ![i](http://x.test/b)"
)


def cell(source: str, kind: str = "code", **marks: object) -> dict:
    metadata = {"nbgrader": marks} if marks else {}
    return {"cell_type": kind, "id": str(marks.get("grade_id", "x")).replace("_", "-"),
            "metadata": metadata, "source": source}  # fmt: skip


HIDDEN_TEST = '''### BEGIN HIDDEN TESTS
def oracle_double(values):
    """Twice, by adding."""
    return [value + value for value in values]


hint = "Every value is doubled, "
hint += "negative ones too."
close(call("double", [71839, -2]), oracle_double([71839, -2]), what="doubled numbers", hint=hint)
### END HIDDEN TESTS'''


def notebook(answer: str = "def double(x):\n    return x[9]\n", words: str = "Because.") -> dict:
    text = "## 3  Twice\n\n**2 points, 5 minutes.**\n\nWrite `double` for a list:\n\n- numbers"
    return {
        "cells": [
            cell("# Assignment 9  Doubling\n\nHello.", "markdown"),
            cell(text, "markdown"),
            cell(answer, grade_id="double", solution=True),
            cell("same(call('double', [1]), [2])", grade_id="test_double", grade=True, points=1,
                 locked=True),
            cell(HIDDEN_TEST, grade_id="hidden_double_signs", grade=True, points=1, locked=True),
            cell("## 4  Why\n\nSay why.", "markdown"),
            cell(words, "markdown", grade_id="why", solution=True, grade=True, points=2),
        ]
    }  # fmt: skip


def result(*cells: CellResult, **more: object) -> Result:
    return Result("09", "student_1", "none", 0, cells, **more)


def visible(status: str = results.WRONG, **more: object) -> CellResult:
    points = float(status == results.OK)
    return CellResult("test_double", status, points, 1.0, question="double", **more)


def hidden(status: str = results.WRONG, **more: object) -> CellResult:
    points = float(status == results.OK)
    return CellResult(
        "hidden_double_signs", status, points, 1.0, question="double", is_hidden=True, **more
    )


def pages(graded: Result, of: dict | None = None, **manual: tuple[float | None, str]) -> list[str]:
    of = notebook() if of is None else of
    return [
        make(graded, of, feedback.Book(manual)) for make in (feedback.html_page, feedback.markdown)
    ]


class Page(HTMLParser):
    """Tags, attributes and visible text; fails where tags are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.open, self.text = [], [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_says_what_was_asked_observed_and_meant() -> None:
    seen = visible(category="value", details="result is 1, expected 2.", hint="Add, or multiply.")
    for page in pages(result(seen, hidden(results.OK))):
        for text in ("Assignment 9 Doubling", "Twice", "Result is 1, expected 2.",
                     "Add, or multiply.", "Not right yet", "1 of 2 tests passed"):  # fmt: skip
            assert text in page
        assert "of 4 points" in page
        assert "2 points of these are graded by hand" in page
    assert "Write <code>double</code> for a list …" in pages(result(seen))[0]


@pytest.mark.parametrize("status", results.STATUSES)
def test_every_status_has_words(status: str) -> None:
    for page in pages(result(visible(status, message="it was so"), hidden(status, message="so"))):
        assert feedback.WORDS[status] in page or "2 of 2 tests passed" in page


def test_the_grader_s_own_failure_costs_no_points() -> None:
    cells = visible(results.INFRASTRUCTURE), hidden(results.INFRASTRUCTURE)
    for page in pages(result(*cells, status=results.INFRASTRUCTURE, message="socket closed")):
        assert "This is not your fault" in page
        assert "Not graded yet, of 4 points" in page
        assert "socket closed" not in page


def test_an_unreadable_notebook_gives_the_reason() -> None:
    cells = [visible(results.MALFORMED), hidden(results.MALFORMED)]
    cells = [CellResult(**{**vars(c), "is_hidden": False}) for c in cells]
    graded = result(*cells, status=results.MALFORMED, message="no notebook came; expected 09.ipynb")
    for page in pages(graded, {"cells": []}):
        assert "no notebook came; expected 09.ipynb" in page
        assert "hidden_double" not in page


def test_the_line_that_failed_is_shown_in_the_student_s_own_text() -> None:
    answer = (
        "def double(x):\n    a = 1\n    b = 2\n    return x[9]\n    c = 3\n    d = 4\n    e = 5"
    )
    where = ("double", 4, "something else")
    for page in pages(result(visible(results.ERROR, where=where, message="IndexError: out")),
                      notebook(answer)):  # fmt: skip
        assert "→ 4      return x[9]" in page
        assert "a = 1" in page and "d = 4" in page
        assert "def double" not in page and "e = 5" not in page
        assert "something else" not in page


def test_a_cell_that_stopped_is_told_once() -> None:
    message = "Your cell stopped with SyntaxError: expected ':' (<double>, line 1)\nthe notebook "
    message += "defines no 'double'."
    where = ("double", 1, "def double(x)")
    cells = [kind(results.ERROR, where=where, message=message) for kind in (visible, hidden)]
    for page in pages(result(*cells), notebook("def double(x)\n    return x")):
        text = Page(page).text if page.startswith("<") else page
        assert text.count("SyntaxError: expected ':'") == 1
        assert "defines no" not in text


def test_manual_scores_and_comments() -> None:
    manual = {"why": (1.5, "Nearly all of it."), "test_double": (0.75, "Close enough."),
              "double": (None, "Well named.")}  # fmt: skip
    for page in pages(result(visible(), hidden()), notebook(words="My own words."), **manual):
        for text in ("My own words.", "Nearly all of it.", "Close enough.", "Well named.",
                     "2.25 of 4 points", "0.75 of 1", "1.5 of 2", "Graded by hand"):  # fmt: skip
            assert text in page
    assert "There is none yet." in pages(result(), notebook(words="YOUR ANSWER HERE"))[1]


def test_a_hidden_test_shows_its_kind_and_hint_alone() -> None:
    hint = "Every value is doubled, negative ones too."
    told = hidden(category="value", hint=hint, details="71839 instead of 143678", message=hint)
    note = "test cells that were edited, used as handed out: hidden_double_signs, test_double"
    for page in pages(result(visible(results.OK), told, notes=(note,))):
        assert hint in page
        assert "Further test 1" in page and "a further test of “Twice”" in page
        assert "hidden_double" not in page and "71839" not in page and "143678" not in page
        assert canaries.leaks(page, notebook()) == []


@pytest.mark.parametrize(
    "forged",
    [
        {"category": "value", "hint": "the inputs were [71839, -2]", "message": "[71839, -2]"},
        {"category": "71839", "hint": "", "message": "71839"},
        {"category": "value", "hint": "71839 -2", "message": "71839 -2"},
        {"category": "value", "hint": "negative ones too. 71839, -2", "message": "71839"},
        {"status": results.ERROR, "category": "error", "message": "Inputs_71839 was raised."},
        {"status": results.ERROR, "message": "IndexError was raised.",
         "where": ("hidden_double_signs", 9, "71839")},
        {"status": results.ERROR, "message": "Your cell stopped with E: x\nIt.",
         "where": ("hidden_double_signs", 9, "71839")},
        {"status": results.TAMPERED, "message": "the process sent the reply '71839' to a call"},
        {"status": results.CRASH, "message": "71839"},
    ],
)  # fmt: skip
def test_student_code_cannot_carry_inputs_of_hidden_tests_out(forged: dict) -> None:
    for page in pages(result(hidden(**forged))):
        assert "71839" not in page
        assert canaries.leaks(page, notebook()) == []


def test_hostile_text_stays_text() -> None:
    hostile = HOSTILE * 400
    cells = [
        visible(category=HOSTILE, details=hostile, hint=hostile, message=hostile,
                where=("double", 1, hostile)),
        *(visible(results.ERROR, message=f"Your cell stopped with {hostile}",
                  where=("double", 2, HOSTILE)) for _ in range(40)),
        hidden(results.ERROR, message=hostile),
    ]  # fmt: skip
    graded = result(*cells, notes=(hostile,) * 100, status=results.MALFORMED, message=hostile)
    of = notebook(f"{hostile}\n{hostile}", hostile)
    page, text = pages(graded, of, why=(1.0, hostile), double=(None, hostile))
    assert len(page.encode()) <= feedback.MAX_PAGE and len(text.encode()) <= feedback.MAX_PAGE
    read = Page(page)
    allowed = {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p",
               "table", "caption", "thead", "tbody", "tr", "th", "td", "section", "div", "span",
               "code", "strong", "pre", "mark", "blockquote", "ul", "li", "a"}  # fmt: skip
    assert set(read.tags) <= allowed and read.tags.count("style") == 1
    assert all(value.startswith("#") for name, value in read.attributes if name == "href")
    assert not {name for name, _ in read.attributes} & {"src", "style", "onerror", "onclick"}
    for made in (page, text):
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2028\ud800]", made)
        assert r"\u202egnihton" in made
    shown = mistune.html(text)
    assert not re.search(r"<(script|img|style|b|a)\b", shown)
    assert shown.count("<h1") == 1 and "<h1>not a heading" not in shown


def test_the_page_is_accessible() -> None:
    read = Page(pages(result(visible(), hidden()))[0])
    assert ("lang", "en") in read.attributes and ("scope", "row") in read.attributes
    assert read.tags.count("h1") == 1 and read.tags.count("caption") == 1
    assert "prefers-color-scheme: dark" in feedback.STYLE


def test_canaries_are_what_only_a_hidden_test_says() -> None:
    found = canaries.canaries(notebook())
    assert {"oracle_double", "71839", "return [value + value for value in values]"} <= found
    assert not any("doubled, " in canary or "negative" in canary for canary in found)
    assert "double" not in found


def test_hints_from_a_loop_are_no_canaries() -> None:
    of = notebook()
    of["cells"][4]["source"] = """### BEGIN HIDDEN TESTS
hints = ("The first of two hints is long.", "The second of two hints is long.")
secret = "a string that no page may hold"
for value, hint in zip((1, 2), hints):
    same(call("double", value), 2 * value, hint=hint)
### END HIDDEN TESTS"""
    found = canaries.canaries(of)
    assert "a string that no page may hold" in found
    assert not any("two hints" in canary for canary in found)


@pytest.mark.parametrize("is_visible", [False, True])
def test_hints_passed_to_a_helper_are_no_canaries(is_visible: bool) -> None:
    helper = """def compare(got, expected, what, hint="The hint by default is long."):
    inner(got, expected, hint, what=what)


def inner(got, expected, words, *, what):
    same(got, expected, what=what, hint=words)"""
    calls = """compare(call("double", 3), 6, "a string that no page may hold",
        "Twice, by position.")
compare(call("double", 4), 8, hint="Twice, by its name.", what="another string to be kept")
compare(call("double", 5), 10, "the third string to be kept")
if call("double", 6) == 13:
    raise CheckFailed("value", "13 was seen, and 12 expected", "Twice, and not one more.")"""
    of = notebook()
    if is_visible:
        of["cells"].insert(2, cell(helper, grade_id="helpers", locked=True))
        test = calls
    else:
        test = f"{helper}\n\n\n{calls}"
    next(c for c in of["cells"] if "hidden_double" in str(c["metadata"]))["source"] = (
        f"### BEGIN HIDDEN TESTS\n{test}\n### END HIDDEN TESTS"
    )
    found = canaries.canaries(of)
    assert {"a string that no page may hold", "another string to be kept",
            "the third string to be kept", "13 was seen, and 12 expected"} <= found  # fmt: skip
    assert not any(canary.startswith(("Twice", "The hint")) for canary in found)
    canaries.check("Twice, by position. Twice, by its name. The hint by default is long.", of)


def test_a_leak_names_the_question_and_not_the_text() -> None:
    for leak in ("<p>oracle_double</p>", "saw [<b>71839</b>]", r"oracle\_double",
                 "return [value + value  for value\nin values]"):  # fmt: skip
        with pytest.raises(ValueError, match="feedback on double") as raised:
            canaries.check(leak, notebook())
        assert not any(part in str(raised.value) for part in ("oracle", "71839", "value +"))
    canaries.check("my oracle_double", notebook(), own="def oracle_double(): ...")
    canaries.check("oracle_doubled and 718390 and 0.71839", notebook())


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_no_canary_is_handed_out_and_every_question_has_some(assignment: str) -> None:
    source = json.loads((ROOT / "solutions" / assignment / f"{assignment}.ipynb").read_text())
    released = json.loads((ROOT / "assignments" / assignment / f"{assignment}.ipynb").read_text())
    text = "\n".join("".join(each["source"]) for each in released["cells"])
    assert canaries.leaks(text, source) == []
    assert len(canaries.canaries(source)) > 100


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_hints_of_hidden_tests_are_the_author_s_words(assignment: str) -> None:
    source = json.loads((ROOT / "solutions" / assignment / f"{assignment}.ipynb").read_text())
    cells = [feedback._Cell(each) for each in source["cells"]]
    words = feedback._authors_words(cells)
    n_hints = 0
    for each in cells:
        if "BEGIN HIDDEN TESTS" in each.source:
            for node in ast.walk(ast.parse(each.source)):
                if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
                    if node.arg == "hint" and node.value.value:
                        n_hints += 1
                        assert feedback._is_authors(node.value.value, words)
    assert n_hints > 3
    assert not feedback._is_authors("the inputs were [0.25, -1.5, 3.75, 0.5, 1.25]", words)
