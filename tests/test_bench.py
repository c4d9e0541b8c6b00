"""The benchmark driver: interleaving, medians, bars, resuming; and the short benchmarks hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import bench


def comparison(ours: list[float], peer: list[float], **more: object) -> bench.Comparison:
    """A comparison whose functions report these seconds; the first of each is the warm-up."""
    left, right = iter(ours), iter(peer)
    settings: dict[str, object] = dict(name="c", chapter="02", peer_name="p", n_repeats=3, bar=2.0)
    prepare = lambda: (lambda: next(left), lambda: next(right))  # noqa: E731
    return bench.Comparison(**settings | more, prepare=prepare)


def claim(values: dict[int, float], **more: object) -> bench.Claim:
    settings: dict[str, object] = dict(name="k", chapter="02", unit="bits", seeds=tuple(values))
    return bench.Claim(**settings | more, measure=values.__getitem__)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "build" / "bench.json"


def test_a_comparison_is_a_ratio_of_medians_without_the_first_call(results: Path) -> None:
    (row,) = bench.run([comparison([99.0, 3.0, 1.0, 100.0], [99.0, 2.0, 2.0, 50.0])], results)
    assert (row["ours"], row["peer"], row["ratio"], row["holds"]) == (3.0, 2.0, 1.5, True)
    assert list(row) == list(bench.COLUMNS)
    assert json.loads(results.read_text()) == [row]


def test_repeats_alternate() -> None:
    order: list[str] = []
    entry = bench.Comparison(
        name="c", chapter="02", peer_name="p", n_repeats=2, unit="s",
        prepare=lambda: (lambda: order.append("ours"), lambda: order.append("peer")),
    )  # fmt: skip
    entry.run(bench.Store(Path("nowhere.json")))
    assert order == ["ours", "peer"] * 3


def test_the_bar_is_on_the_ratio_for_comparisons_and_on_the_value_for_claims(results: Path) -> None:
    slow = comparison([3.0] * 4, [1.0] * 4)
    low = claim({0: 1.0, 1: 2.0}, name="low", better="higher", bar=1.6)
    high = claim({0: 1.0, 1: 2.0}, name="high", better="higher", bar=1.5, peer=3.0, peer_name="u")
    rows = {row["name"]: row for row in bench.run([slow, low, high], results)}
    assert [rows[name]["holds"] for name in ("c", "low", "high")] == [False, False, True]
    assert (rows["high"]["ratio"], rows["high"]["seeds"]) == (0.5, 2)
    assert rows["low"]["peer"] is None and rows["low"]["ratio"] is None


def test_a_value_that_is_not_finite_never_holds(results: Path) -> None:
    (row,) = bench.run([claim({0: float("nan")}, bar=None)], results)
    assert row["holds"] is False


def test_samples_are_judged_by_their_95th_percentile(results: Path) -> None:
    entry = bench.Samples(
        name="s", chapter="02", unit="ms", bar=95.0, measure=lambda: range(1, 101)
    )
    (row,) = bench.run([entry], results)
    assert (row["ours"], row["holds"]) == (95, True)
    empty = bench.Samples(name="s", chapter="02", unit="ms", measure=list)
    with pytest.raises(ValueError, match="measured nothing"):
        bench.run([empty], results)


def test_a_stopped_claim_goes_on_where_it_was(results: Path) -> None:
    asked: list[int] = []

    def measure(seed: int) -> float:
        asked.append(seed)
        if seed == 1 and asked.count(1) == 1:
            raise KeyboardInterrupt
        return float(seed)

    entry = bench.Claim(name="k", chapter="02", unit="bits", seeds=(0, 1), measure=measure)
    with pytest.raises(KeyboardInterrupt):
        bench.run([entry], results)
    assert bench.run([entry], results)[0]["ours"] == 0.5
    assert asked == [0, 1, 1]
    bench.run([entry], results)  # complete before, so everything is measured anew
    assert asked == [0, 1, 1, 0, 1]


def test_rows_are_updated_by_name(results: Path) -> None:
    bench.run([claim({0: 1.0}, name="a"), claim({0: 2.0}, name="b")], results)
    bench.run([claim({0: 3.0}, name="a")], results)
    stored = json.loads(results.read_text())
    assert [(row["name"], row["ours"]) for row in stored] == [("a", 3.0), ("b", 2.0)]


def test_long_entries_run_only_when_named() -> None:
    short, long = claim({0: 1.0}, name="ab"), claim({0: 1.0}, name="abc", is_long=True)
    assert bench.choose([short, long], []) == [short]
    assert bench.choose([short, long], ["ab"]) == [short]  # the whole name, not a beginning
    assert bench.choose([short, long], ["a"]) == [short, long]
    assert bench.choose([short, long], ["abc", "ab"]) == [long, short]
    with pytest.raises(SystemExit, match=r"no benchmark 'x'; there are:\n  ab\n  abc  \(long\)"):
        bench.choose([short, long], ["x"])


def test_the_table_marks_what_does_not_hold() -> None:
    row = claim({}, bar=6500.0).row(13_287.7, seeds=3)
    assert bench.table([row]).splitlines()[1].split() == ["k", "13,288", "bits", "≤", "6,500", "NO"]


def test_entries_of_the_repository_have_names_of_their_own(tmp_path: Path) -> None:
    names = [entry.name for entry in bench.load_entries()]
    assert {"import", "conv2d", "explorables-02", "accuracy-cnn", "bits-random"} <= set(names)
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(
            "from tools.bench import Entry\n"
            'ENTRIES = [Entry(name="same", chapter="02", unit="s")]\n'
        )
    with pytest.raises(ValueError, match="two benchmarks of the same name: same"):
        bench.load_entries(tmp_path)


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.parametrize(
    "entry",
    [e for e in bench.load_entries() if not e.is_long and not e.name.startswith("picture-")],
    ids=lambda entry: entry.name,
)
def test_short_benchmarks_hold(entry: bench.Entry, results: Path) -> None:
    """Measured once more if something else kept the machine busy.

    From control to picture is measured, with the same bar, by the walks in tests/browser.
    """
    rows = bench.run([entry], results)
    if not rows[0]["holds"]:
        rows = bench.run([entry], results)
    assert rows[0]["holds"], bench.table(rows)
