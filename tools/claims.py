"""Measures the margins of a chapter's assertions over seeds: `python -m tools.claims NN`.

Runs the chapter's cells once per seed offset (0, 1000, 2000, ...; every `seed_everything` and every
`fit` is shifted by it) and records both sides of each comparison that a cell asserts.  The result,
tests/claims.json, holds for every comparison its slack at each offset; a claim whose slack changes
with the seed must keep a positive one everywhere.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = ROOT / "tests" / "claims.json"
BELOW, ABOVE = (ast.Lt, ast.LtE), (ast.Gt, ast.GtE)
RECORDER = "_record_claim"


class _Recorder(ast.NodeTransformer):
    """Rewrites `assert a < b < c` so that every ordered pair of numbers is recorded first."""

    def visit_Assert(self, node: ast.Assert) -> Any:
        pairs = [
            (left, operator, right)
            for comparison in ast.walk(node.test)
            if isinstance(comparison, ast.Compare)
            for left, operator, right in zip(
                [comparison.left, *comparison.comparators], comparison.ops, comparison.comparators,
                strict=False,
            )
            if isinstance(operator, BELOW + ABOVE)
            and not (isinstance(left, ast.Constant) and isinstance(right, ast.Constant))
        ]  # fmt: skip
        calls = []
        for left, operator, right in pairs:
            low, high = (left, right) if isinstance(operator, BELOW) else (right, left)
            text = f"{ast.unparse(low)} < {ast.unparse(high)}"
            arguments = [ast.Constant(text), low, high]
            calls.append(ast.Expr(ast.Call(ast.Name(RECORDER, ast.Load()), arguments, [])))
        return [*calls, node]


def instrumented(source: str) -> Any:
    """Code of a cell that records what it asserts; comprehensions inside an assert are left out."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for name, body in ast.iter_fields(node):
            if isinstance(body, list) and any(isinstance(item, ast.Assert) for item in body):
                setattr(node, name, [_visited(item) for item in body])
    flat = _Flatten().visit(tree)
    return compile(ast.fix_missing_locations(flat), "<cell>", "exec")


def _visited(item: ast.AST) -> Any:
    if isinstance(item, ast.Assert) and not _has_own_scope(item.test):
        return ast.Module(_Recorder().visit_Assert(item), [])
    return item


def _has_own_scope(node: ast.AST) -> bool:
    scopes = (ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.Lambda)
    return any(isinstance(inner, scopes) for inner in ast.walk(node))


class _Flatten(ast.NodeTransformer):
    """Splices the statement lists that stand for one assert back into their bodies."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name, body in ast.iter_fields(node):
            if isinstance(body, list):
                spliced: list[Any] = []
                for item in body:
                    spliced += item.body if isinstance(item, ast.Module) else [item]
                setattr(node, name, spliced)
        return node


def measure(sources: list[str], offset: int) -> dict[tuple[int, str], float]:
    """Slack (upper minus lower side) of every recorded comparison, by cell and text."""
    import torch

    from companion import device, training

    seed_everything, fit = device.seed_everything, training.fit
    slacks: list[dict[str, float]] = []  # one entry per cell

    def record(text: str, low: Any, high: Any) -> None:
        try:
            high, low = (getattr(side, "item", lambda side=side: side)() for side in (high, low))
            slack = float(high) - float(low)
        except (TypeError, ValueError, RuntimeError):
            return  # an ordering of things that are not numbers has no slack
        slacks[-1][text] = min(slack, slacks[-1].get(text, slack))

    def shifted_seed(seed: int) -> torch.Generator:
        return seed_everything(seed + offset)

    def shifted_fit(*args: Any, seed: int = 0, **kwargs: Any) -> Any:
        return fit(*args, seed=seed + offset, **kwargs)

    device.seed_everything, training.fit = shifted_seed, shifted_fit
    namespace: dict[str, Any] = {"__name__": "__main__", RECORDER: record}
    try:
        for source in sources:
            slacks.append({})
            _run(instrumented(source), namespace)
    finally:
        device.seed_everything, training.fit = seed_everything, fit
    return {(cell, text): slack for cell, own in enumerate(slacks) for text, slack in own.items()}


def _run(code: Any, namespace: dict[str, Any]) -> None:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # what a cell prints is the chapter's
            exec(code, namespace)
    except AssertionError:
        print("an assertion failed at this seed; its slack says by how much", flush=True)


def chapter_path(chapter: str) -> Path:
    found = sorted((ROOT / "course").glob(f"{chapter}_*.ipynb"))
    if len(found) != 1:
        raise SystemExit(f"no chapter {chapter!r} in course/: expected a number such as 02")
    return found[0]


def rows_for(chapter: str, offsets: list[int], report: Callable[[str], None]) -> list[dict]:
    import nbformat

    notebook = nbformat.read(chapter_path(chapter), as_version=4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    runs = []
    for offset in offsets:
        start = time.process_time()
        runs.append(measure(sources, offset))
        report(f"offset {offset}: {time.process_time() - start:.0f} CPU seconds")
    return [
        {
            "chapter": chapter,
            "claim": text,
            "statistic": "upper side minus lower side",
            "values": [_rounded(run[key]) for run in runs],
            "margin": _rounded(min(run[key] for run in runs)),
            "asserted": "> 0",
            "command": f"python -m tools.claims {chapter}",
        }
        for key in runs[0]
        for text in [key[1]]
        if all(key in run for run in runs)
    ]


def _rounded(slack: float) -> float:
    """Six significant digits, since the slack of a vanishing gradient vanishes too."""
    return float(f"{slack:.6g}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chapter", help="number of the chapter, such as 02")
    parser.add_argument("--offsets", type=int, nargs="+", default=[0, 1000, 2000])
    options = parser.parse_args()
    os.environ |= {"COMPANION_PREDICTIONS": "off", "COMPANION_PROGRESS": "off"}
    import matplotlib
    import torch

    matplotlib.use("Agg")
    torch.set_num_threads(1)
    rows = rows_for(options.chapter, options.offsets, lambda text: print(text, flush=True))
    kept = json.loads(CLAIMS.read_text(encoding="utf-8")) if CLAIMS.exists() else []
    kept = [row for row in kept if row["chapter"] != options.chapter]
    rows = sorted([*kept, *rows], key=lambda row: row["chapter"])
    CLAIMS.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    weak = [row for row in rows if row["chapter"] == options.chapter and row["margin"] <= 0]
    for row in weak:
        print(f"no margin: {row['claim']}  {row['values']}")
    print(f"{len(rows)} claims in {CLAIMS.relative_to(ROOT)}, {len(weak)} without a margin")
    return 1 if weak else 0


if __name__ == "__main__":
    sys.exit(main())
