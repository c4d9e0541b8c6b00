"""tests/claims.json: what chapters assert about results, with margins measured over seeds.

A list of rows `{chapter, claim, statistic, values, margin, asserted, command}`: `values` are the
statistic at three or more seeds, `asserted` is a bound on it such as "> 0" or "<= 0.66", `margin`
is how far the worst value is from the bound, and `command` measures the row anew.
"""

from __future__ import annotations

import ast
import json
import math
import random
import re
import statistics
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tools import claims, notebooks

CLAIMS = Path(__file__).with_name("claims.json")
MIN_SEEDS = 3
KEYS = {
    "chapter": str,
    "claim": str,
    "statistic": str,
    "values": list,
    "margin": (int, float),
    "asserted": str,
    "command": str,
}
SCOPES = (ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.Lambda)
ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def problems_of(row: dict[str, Any]) -> list[str]:
    """Everything that is wrong with one row."""
    if set(row) != set(KEYS):
        return [f"has the keys {sorted(row)}, expected {sorted(KEYS)}"]
    problems = [f"{k} is a {type(row[k]).__name__}" for k, t in KEYS.items()
                if not isinstance(row[k], t)]  # fmt: skip
    bound = re.fullmatch(r"(<=?|>=?) (-?[\d.]+(?:e-?\d+)?)", str(row["asserted"]))
    if bound is None:
        problems.append(f"asserted is {row['asserted']!r}, expected a bound such as '>= 0.88'")
    if problems:
        return problems
    values, limit, is_upper = row["values"], float(bound[2]), bound[1].startswith("<")
    if len(values) < MIN_SEEDS:
        problems.append(f"{len(values)} seeds; at least {MIN_SEEDS}")
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
        return [*problems, "a value is not a finite number"]
    slack = min((limit - v) if is_upper else (v - limit) for v in values)
    if slack < 0 or (slack == 0 and "=" not in bound[1]):
        problems.append(f"does not hold: {values} against {row['asserted']}")
    if not math.isclose(slack, row["margin"], rel_tol=1e-3, abs_tol=1e-6):
        problems.append(f"margin is {row['margin']}, and the values leave {slack:.6g}")
    return problems


def ordered_pairs(path: Path) -> Iterator[str]:
    """`smaller < larger` for each ordering that a chapter asserts, as its source has it.

    Assertions that loop inside are left out; so are those that are true as they stand, between two
    constants.
    """
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if not isinstance(node, ast.Assert):
                continue
            if any(isinstance(inner, SCOPES) for inner in ast.walk(node.test)):
                continue
            for compare in ast.walk(node.test):
                if isinstance(compare, ast.Compare):
                    yield from _pairs(compare)


def _pairs(compare: ast.Compare) -> Iterator[str]:
    sides = [compare.left, *compare.comparators]
    for left, operator, right in zip(sides, compare.ops, sides[1:], strict=False):
        if isinstance(operator, ORDERS):
            low, high = (left, right) if isinstance(operator, ast.Lt | ast.LtE) else (right, left)
            if not (isinstance(low, ast.Constant) and isinstance(high, ast.Constant)):
                yield f"{ast.unparse(low)} < {ast.unparse(high)}"


def test_every_claim_holds_with_its_margin() -> None:
    rows = json.loads(CLAIMS.read_text(encoding="utf-8"))
    assert rows, "no claims"
    problems = [f"{row.get('claim')}: {p}" for row in rows for p in problems_of(row)]
    assert not problems, "\n".join(problems)
    thin = [
        f"{row['chapter']}: {row['claim']}"
        for row in rows
        if row["margin"] < statistics.stdev(row["values"])
    ]
    if thin:
        warnings.warn("margins below one standard deviation: " + "; ".join(thin), stacklevel=1)


@pytest.mark.parametrize("path", notebooks.chapters(), ids=lambda path: path.stem)
def test_what_a_chapter_asserts_was_measured(path: Path) -> None:
    """Both ways: no claim about cells that are gone, no assertion of a chapter without seeds."""
    rows = json.loads(CLAIMS.read_text(encoding="utf-8"))
    chapter = path.stem[:2]
    measured = {r["claim"] for r in rows if r["chapter"] == chapter}
    asserted = set(ordered_pairs(path))
    command = f"run `python -m tools.claims {chapter}`"
    assert asserted <= measured, f"{command}; never measured: {sorted(asserted - measured)}"
    gone = measured - asserted
    assert not gone, f"{command}; no longer asserted: {sorted(gone)}"


@pytest.mark.full
@pytest.mark.parametrize("path", notebooks.chapters(), ids=lambda path: path.stem)
def test_claims_hold_at_a_seed_never_used(path: Path) -> None:
    offset = random.randrange(10_000, 1_000_000)
    sources = [
        cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"
    ]
    slacks = claims.measure(sources, offset)
    assert slacks
    lost = {text: slack for (_, text), slack in slacks.items() if slack < 0}
    assert not lost, f"offset {offset}"


GOOD = {
    "chapter": "02",
    "claim": "the CNN beats chance",
    "statistic": "test accuracy",
    "values": [0.94, 0.95, 0.93],
    "margin": 0.05,
    "asserted": ">= 0.88",
    "command": "python -m tools.claims 02",
}


def test_a_good_row_is_accepted() -> None:
    assert problems_of(GOOD) == []
    upper = {"asserted": "< 0.66", "values": [0.62, 0.61, 0.63], "margin": 0.03}
    assert problems_of(GOOD | upper) == []
    assert problems_of(GOOD | {"asserted": "> -20", "margin": 20.93}) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seeds": 3}, "has the keys"),
        ({"values": "0.9"}, "values is a str"),
        ({"asserted": "above 0.88"}, "expected a bound"),
        ({"values": [0.94, 0.93]}, "2 seeds"),
        ({"values": [0.94, 0.93, float("nan")]}, "not a finite number"),
        ({"values": [0.94, 0.95, 0.87], "margin": -0.01}, "does not hold"),
        ({"asserted": "> 0.93", "margin": 0.0}, "does not hold"),
        ({"margin": 0.06}, "the values leave 0.05"),
    ],
)
def test_bad_rows_are_rejected(change: dict[str, Any], says: str) -> None:
    assert any(says in problem for problem in problems_of(GOOD | change))


def test_orderings_are_read_from_the_source(tmp_path: Path) -> None:
    source = "assert a[0] > 3 * b >= 0.5\nassert x == y\nassert all(v < 1 for v in a)\nassert 1 < 2"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    path = tmp_path / "a.ipynb"
    nbformat.write(notebook, path)
    assert list(ordered_pairs(path)) == ["3 * b < a[0]", "0.5 < 3 * b"]
