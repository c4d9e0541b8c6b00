"""Benchmarks and measured claims: `python -m tools.bench [NAME ...]`.

Each file tests/bench/*.py has a list `ENTRIES`.  A comparison times two functions in turn, on one
thread, and its bar is on the ratio of the medians; a claim computes one value per seed, and its
bar is on the mean; samples are many values of which the 95th percentile counts.

Without a name all short entries run.  Long ones (many seeds, whole data sets) run when named, by
their name or its beginning.  They keep each finished seed in build/, so that a run that was stopped
goes on where it was; one that is complete starts anew.

Prints a table, updates build/bench.json by name, and exits with 1 where a bar does not hold.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent
BENCHES = ROOT / "tests" / "bench"
RESULTS = ROOT / "build" / "bench.json"
COLUMNS = (
    "name", "chapter", "ours", "peer", "peer_name", "ratio", "unit", "better", "seeds", "bar",
    "holds",
)  # fmt: skip

Row = dict[str, Any]
Timed = Callable[[], Any]
Better = Literal["lower", "higher"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What all entries have; `bar` is the worst value that still holds, None if only reported."""

    name: str
    chapter: str
    unit: str
    better: Better = "lower"
    bar: float | None = None
    is_long: bool = False

    def holds(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if self.bar is None:
            return True
        return value <= self.bar if self.better == "lower" else value >= self.bar

    def row(
        self,
        ours: float,
        *,
        judged: float | None = None,
        peer: float | None = None,
        peer_name: str | None = None,
        ratio: float | None = None,
        seeds: int = 1,
    ) -> Row:
        """The row of build/bench.json; the bar is on `judged`, by default on `ours`."""
        values = (
            self.name, self.chapter, ours, peer, peer_name, ratio, self.unit, self.better, seeds,
            self.bar, self.holds(ours if judged is None else judged),
        )  # fmt: skip
        return dict(zip(COLUMNS, values, strict=True))

    def run(self, store: Store) -> Row:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Comparison(Entry):
    """Two functions timed in turn; the bar is on median(ours) / median(peer).

    `prepare` returns `(ours, peer)`.  A function that returns a number measured its own seconds;
    otherwise it is timed with the wall clock.  The first call of each is not counted.
    """

    prepare: Callable[[], tuple[Timed, Timed]]
    peer_name: str
    n_repeats: int = 7
    unit: str = "s"

    def run(self, store: Store) -> Row:
        ours, peer = self.prepare()
        _seconds(ours), _seconds(peer)
        pairs = [(_seconds(ours), _seconds(peer)) for _ in range(self.n_repeats)]
        a, b = (statistics.median(side) for side in zip(*pairs, strict=True))
        return self.row(a, judged=a / b, peer=b, peer_name=self.peer_name, ratio=a / b)


@dataclass(frozen=True, kw_only=True)
class Samples(Entry):
    """Many measurements of one thing; their 95th percentile is the value."""

    measure: Callable[[], Sequence[float]]

    def run(self, store: Store) -> Row:
        values = sorted(self.measure())
        if not values:
            raise ValueError(f"{self.name} measured nothing")
        return self.row(values[math.ceil(0.95 * len(values)) - 1])


@dataclass(frozen=True, kw_only=True)
class Claim(Entry):
    """One value per seed, by `measure(seed)`; the bar is on their mean."""

    measure: Callable[[int], float]
    seeds: tuple[int, ...] = (0, 1, 2)
    peer: float | None = None
    peer_name: str | None = None

    def run(self, store: Store) -> Row:
        values = []
        for seed in self.seeds:
            value = store.get(self.name, seed)
            if value is None:
                value = float(self.measure(seed))
                store.put(self.name, seed, value)
            print(f"  {self.name}, seed {seed}: {value:.6g} {self.unit}", flush=True)
            values.append(value)
        store.forget(self.name)
        mean = statistics.fmean(values)
        ratio = mean / self.peer if self.peer else None
        return self.row(
            mean, peer=self.peer, peer_name=self.peer_name, ratio=ratio, seeds=len(values)
        )


class Store:
    """Finished seeds of claims that were stopped, in one JSON file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._values: dict[str, dict[str, float]] = {}
        if path.exists():
            self._values = json.loads(path.read_text(encoding="utf-8"))

    def get(self, name: str, seed: int) -> float | None:
        return self._values.get(name, {}).get(str(seed))

    def put(self, name: str, seed: int, value: float) -> None:
        self._values.setdefault(name, {})[str(seed)] = value
        _write(self.path, self._values)

    def forget(self, name: str) -> None:
        if self._values.pop(name, None) is not None:
            _write(self.path, self._values)


def load_entries(folder: Path = BENCHES) -> list[Entry]:
    """The entries of all files, in order of file names.

    Raises:
        ValueError: two entries have the same name.
    """
    entries: list[Entry] = []
    for path in sorted(folder.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"bench_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise ValueError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        entries += module.ENTRIES
    names = [entry.name for entry in entries]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ValueError(f"two benchmarks of the same name: {', '.join(sorted(repeated))}")
    return entries


def choose(entries: Sequence[Entry], names: Sequence[str]) -> list[Entry]:
    """The short entries, or those whose names begin with one of `names`.

    Raises:
        SystemExit: a name fits nothing.
    """
    if not names:
        return [entry for entry in entries if not entry.is_long]
    chosen: list[Entry] = []
    for name in names:
        exact = [entry for entry in entries if entry.name == name]
        found = exact or [entry for entry in entries if entry.name.startswith(name)]
        if not found:
            known = "\n".join(
                f"  {entry.name}{'  (long)' if entry.is_long else ''}" for entry in entries
            )
            raise SystemExit(f"no benchmark {name!r}; there are:\n{known}")
        chosen += [entry for entry in found if entry not in chosen]
    return chosen


def run(entries: Sequence[Entry], results: Path = RESULTS) -> list[Row]:
    """Runs the entries one by one on one thread; stores each row as soon as it is there."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    store = Store(results.with_name("bench-unfinished.json"))
    rows = []
    try:
        for entry in entries:
            print(f"{entry.name} ...", flush=True)
            rows.append(entry.run(store))
            update(results, rows[-1:])
    finally:
        torch.set_num_threads(n_threads)
    return rows


def update(path: Path, rows: Sequence[Row]) -> None:
    """Replaces the rows of the same names in the stored list, and adds new ones at its end."""
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    by_name = {row["name"]: row for row in stored} | {row["name"]: row for row in rows}
    _write(path, list(by_name.values()))


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned text."""

    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"

    lines = [("benchmark", "ours", "peer", "ratio", "unit", "bar", "holds", "against")]
    for row in rows:
        sign = "≤" if row["better"] == "lower" else "≥"
        bar = "" if row["bar"] is None else f"{sign} {number(row['bar'])}"
        lines.append(
            (
                row["name"], number(row["ours"]), number(row["peer"]), number(row["ratio"]),
                row["unit"], bar, "yes" if row["holds"] else "NO", row["peer_name"] or "",
            )
        )  # fmt: skip
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all short entries")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows = run(choose(load_entries(), options.names))
    print(table(rows))
    return int(not all(row["holds"] for row in rows))


def _seconds(function: Timed) -> float:
    start = time.perf_counter()
    result = function()
    waited = time.perf_counter() - start
    return result if isinstance(result, float) else waited


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=True) + "\n"
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


if __name__ == "__main__":
    raise SystemExit(main())
