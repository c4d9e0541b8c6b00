"""Stored computations: fresh, repeatable in a random sample, and inside the bars of the course."""

from __future__ import annotations

import base64
import math
import random
from statistics import mean, stdev
from typing import Any

import pytest
import torch

from companion import codelength, compression, models
from companion.codelength import prequential_bits
from companion.compression.labelfile import read_labels, read_net
from companion.data import load
from companion.storage import precomputed
from companion.training import standard_fit
from tools import precompute, precompute_02
from tools.precompute_05_lenet import error, fold

UNIFORM = codelength.uniform_bits(4000, 10)


def test_no_stored_result_is_stale() -> None:
    late = precompute.stale()
    assert late == [], f"run `make precompute ONLY=...` for {', '.join(late)}"


def test_a_change_of_the_recipe_makes_results_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    def standard_fit(model: Any, data: Any, seed: int) -> None:
        """Another recipe of the same name."""

    before = precompute.covers("02/width")
    monkeypatch.setitem(precompute_02.COVERS, "width", ("mnist1d.npz", standard_fit))
    assert precompute.covers("02/width") != before


def test_words_and_annotations_make_nothing_stale() -> None:
    def one(x: int) -> int:
        """A docstring."""
        return x + 1  # a comment

    first = precompute._statements(one)

    def one(x):  # noqa: F811
        return x + 1

    assert precompute._statements(one) == first

    def one(x):
        return x + 2

    assert precompute._statements(one) != first


@pytest.mark.parametrize(
    ("key", "lowest", "highest"),
    [
        ("CNN|recorded", 0.88, 1.0),
        ("CNN+BN|recorded", 0.97, 1.0),
        ("GRU|recorded", 0.92, 1.0),
        ("MLP|recorded", 0.0, 0.72),
        ("CNN|shuffled", 0.0, 0.66),
    ],
)
def test_accuracy_of_chapter_02(key: str, lowest: float, highest: float) -> None:
    scores = precomputed("02", "accuracy")["accuracy"][key]
    assert len(scores) >= 3 and lowest <= mean(scores) <= highest


@pytest.mark.parametrize(
    ("key", "fewest", "most"),
    [
        ("CNN|recorded|true", 0.0, 6_500.0),
        ("CNN+BN|recorded|true", 0.0, 4_000.0),
        ("MLP|recorded|random", UNIFORM - 20, 1.05 * UNIFORM),
    ],
)
def test_code_length_of_chapter_02(key: str, fewest: float, most: float) -> None:
    bits = [sum(b) for b in precomputed("02", "prequential")["curves"][key]["block_bits"]]
    assert len(bits) >= 3 and fewest <= mean(bits) <= most


def test_weight_decay_in_two_algorithms_of_chapter_03() -> None:
    rows = precomputed("03", "decay")["rows"]

    def scores(convolutions: str, optimizer: str, weight_decay: float) -> list[float]:
        wanted = (convolutions, optimizer, weight_decay)
        keys = ("convolutions", "optimizer", "weight_decay")
        return [r["accuracy"] for r in rows if tuple(r[k] for k in keys) == wanted]

    for convolutions in ("three", "four"):
        assert len(scores(convolutions, "adamw", 0.1)) >= 3
        assert min(scores(convolutions, "adamw", 0.1)) >= 0.83
    assert max(scores("four", "adam", 0.1)) <= 0.15


def differences(rows: list[dict[str, Any]], kind: str, name: str, base: str) -> list[float]:
    """Points of accuracy over `base`, seed by seed."""
    accuracy = {(r[kind], r["seed"]): 100 * r["accuracy"] for r in rows}
    seeds = sorted({r["seed"] for r in rows})
    return [accuracy[name, seed] - accuracy[base, seed] for seed in seeds]


def lower_end(values: list[float]) -> float:
    """Of the 95 % interval of the mean (Student, five values)."""
    assert len(values) == 5
    return mean(values) - 2.776 * stdev(values) / 5**0.5


@pytest.mark.parametrize(
    ("variant", "least", "most"),
    [
        ("shifts 5", 15, 100),
        ("dropout 0.2", 2, 100),
        ("dropout 0.5", 2, 100),
        ("weight decay 0.1", -10, 1),
        ("weight decay 1", -10, 1),
    ],
)
def test_what_200_labels_win_of_chapter_03(variant: str, least: float, most: float) -> None:
    won = differences(precomputed("03", "few_labels")["rows"], "variant", variant, "nothing")
    assert len(won) >= 5 and least <= mean(won) <= most
    if least > 0:
        assert lower_end(won) > 0


def test_dropout_wins_on_4_000_images_of_chapter_03() -> None:
    rows = precomputed("03", "mnist")["rows"]
    won = differences(rows, "method", "dropout", "nothing")
    assert len(won) >= 5 and lower_end(won) > 0


@pytest.mark.parametrize(
    ("key", "most"),
    [("shifts 6", 2_000.0), ("shifts 6, scale, longer, 40 channels", 1_300.0)],
)
def test_code_length_of_chapter_03(key: str, most: float) -> None:
    curves = precomputed("03", "prequential")["curves"]
    bits = [sum(b) for b in curves[key]["block_bits"]]
    assert len(bits) >= 3 and mean(bits) <= most


# ---- chapter 04 --------------------------------------------------------------------------------


def by_seed(name: str, value: str, **where: Any) -> list[Any]:
    """One value for each seed, of the rows that fit."""
    rows = precomputed("04", name)["rows"]
    return [r[value] for r in rows if all(r[k] == v for k, v in where.items())]


def test_gaps_are_filled_better_than_by_a_plane_in_chapter_04() -> None:
    network = by_seed("completion", "error", method="network", share=0.5)
    assert len(network) >= 3
    assert max(network) < min(by_seed("completion", "error", method="plane", share=0.5))


@pytest.mark.parametrize(
    "noise", ["gaussian 0.3", "gaussian 0.6", "salt_and_pepper 0.2", "salt_and_pepper 0.4"]
)
def test_noise_is_removed_2_dB_better_than_by_any_filter_in_chapter_04(noise: str) -> None:
    network = by_seed("denoise", "psnr", noise=noise, method="network")
    assert len(network) >= 3
    for rival in ("nothing", "median", "blur", "plane", "linear map"):
        psnr = by_seed("denoise", "psnr", noise=noise, method=rival)
        assert min(n - p for n, p in zip(network, psnr, strict=True)) >= 2, rival


LEARNED = ("autoencoder", "denoising autoencoder", "Deep SVDD")
BASELINES = ("1-NN", "plane", "isolation forest")


def mean_auroc(method: str) -> float:
    return mean(mean(areas) for areas in by_seed("one_class", "auroc", method=method))


def test_one_digit_against_nine_in_chapter_04() -> None:
    best_learned = max(map(mean_auroc, LEARNED))
    assert best_learned >= 0.945 and best_learned >= max(map(mean_auroc, BASELINES)) - 0.01


def test_garments_among_digits_in_chapter_04() -> None:
    best = max(min(by_seed("one_class", "garments", method=m)) for m in LEARNED)
    assert best >= 0.99


@pytest.mark.parametrize(
    ("method", "base", "n", "least"),
    [
        ("contrastive, probe", "scratch", 10, 4),
        ("contrastive, probe", "scratch", 100, 2),
        ("contrastive, tuned, shifts", "scratch, shifts", 3, 3),
    ],
)
def test_what_pretraining_wins_in_chapter_04(method: str, base: str, n: int, least: float) -> None:
    curves = precomputed("04", "transfer")["curves"]
    pairs = zip(curves[method][str(n)], curves[base][str(n)], strict=True)
    won = [100 * (ours - theirs) for ours, theirs in pairs]
    assert mean(won) >= least and lower_end(won) > 0


def test_the_lead_of_pretraining_vanishes_in_chapter_04() -> None:
    curves = precomputed("04", "transfer")["curves"]

    def lead(method: str, base: str, n: int) -> float:
        return 100 * (mean(curves[method][str(n)]) - mean(curves[base][str(n)]))

    assert lead("contrastive, probe", "scratch", 100) < lead("contrastive, probe", "scratch", 1) / 3
    assert abs(lead("reconstruct, tuned", "scratch", 100)) < 1.5
    assert lead("contrastive, tuned, warps", "scratch, warps", 100) < 2


@pytest.mark.slow
def test_a_random_sample_repeats() -> None:
    """One seed of one cheap network, coded anew up to 500 labels; machines differ in rounding."""
    stored = precomputed("02", "prequential")
    key = random.choice(["logistic|recorded|true", "MLP|recorded|true", "MLP|shuffled|true"])
    seed = random.choice(stored["seeds"])
    model, order, _ = key.split("|")
    data = load("mnist1d") if order == "recorded" else precompute_02.shuffled(load("mnist1d"))
    ends = [end for end in stored["ends"] if end <= 500]
    code = prequential_bits(
        precompute_02.MAKERS[model], data.subset(slice(0, 500)), blocks=ends, fit=standard_fit,
        seed=seed,
    )  # fmt: skip
    known = stored["curves"][key]["block_bits"][seed][: len(ends)]
    assert code.block_bits == pytest.approx(known, rel=0.05, abs=5), key


@pytest.mark.full
@pytest.mark.parametrize("key", precompute.jobs())
def test_recomputed(key: str) -> None:
    """Everything anew, not stored: the same numbers up to what rounding does to training."""
    torch.set_num_threads(1)
    chapter, name = key.split("/")
    assert differing(precomputed(chapter, name), precompute.jobs()[key]()) == []


def differing(stored: Any, found: Any, place: str = "") -> list[str]:
    """Places where two results differ; seconds, weights and maps belong to the machine.

    On another processor sums are rounded in another order, and a long training ends elsewhere.
    Numbers may move by a tenth.  Of a code, (seeds, blocks), the bits of each seed may move by a
    twentieth, and of a single block by 30 per cent: where totals of a GRU moved by 1.8 per cent,
    one of its blocks did by 21.
    """
    if isinstance(stored, dict):
        if stored.keys() != found.keys():
            return [f"{place}: stored {sorted(stored)}, now {sorted(found)}"]
        names = sorted(stored.keys() - {"cpu_seconds", "networks", "positions"})
        return [d for n in names for d in differing(stored[n], found[n], f"{place}.{n}")]
    if isinstance(stored, list):
        if len(stored) != len(found):
            return [f"{place}: stored {len(stored)} entries, now {len(found)}"]
        pairs = list(zip(stored, found, strict=True))
        if place.endswith(".block_bits"):
            sums = [(sum(s), sum(f)) for s, f in pairs]
            blocks = [b for s, f in pairs for b in zip(s, f, strict=True)]
            return _apart(sums, 0.05, f"{place}, total") + _apart(blocks, 0.3, f"{place}, block")
        return [d for i, pair in enumerate(pairs) for d in differing(*pair, f"{place}[{i}]")]
    if isinstance(stored, int | float):
        return _apart([(stored, found)], 0.1, place)
    return [] if stored == found else [f"{place}: stored {stored!r}, now {found!r}"]


def _apart(pairs: list[tuple[float, float]], share: float, place: str) -> list[str]:
    return [
        f"{place}: stored {stored}, now {found}"
        for stored, found in pairs
        if found != pytest.approx(stored, rel=share, abs=0.05)
    ]


def test_what_differs_is_found_at_its_place() -> None:
    one = {"a": [1.0, {"b": 2.0, "cpu_seconds": 9}], "block_bits": [[100.0, 100.0]], "c": "x"}
    assert differing(one, one) == []
    two = {"a": [1.2, {"b": 2.1, "cpu_seconds": 1}], "block_bits": [[110.0, 92.0]], "c": "y"}
    assert differing(one, two) == [".a[0]: stored 1.0, now 1.2", ".c: stored 'x', now 'y'"]
    codes = [[[125.0, 90.0]], [[140.0, 65.0]], [[100.0]]]
    said = [differing(one, one | {"block_bits": bits}) for bits in codes[:2]]
    assert [len(some) for some in said] == [1, 2] and "total: stored 200.0, now 215.0" in said[0][0]
    assert differing(one, {"a": 1}) == [": stored ['a', 'block_bits', 'c'], now ['a']"]
    assert differing({"a": [1]}, {"a": [1, 2]}) == [".a: stored 1 entries, now 2"]


LENETS = {
    "lenet_300_100": models.lenet_300_100,
    "lenet_300_100_by_size": models.lenet_300_100,
    "lenet5": models.lenet5_caffe,
}


@pytest.mark.parametrize("name", ["lenet_300_100_by_size", "lenet5"])
def test_the_classic_networks_as_files_in_chapter_05(name: str) -> None:
    """At most 0.2 points more errors over five folds and two seeds, at least 60 times smaller."""
    rows = precomputed("05", name)["rows"]
    assert len(rows) >= 10 and len({row["fold"] for row in rows}) == 5
    assert mean(row["small_error"] - row["dense_error"] for row in rows) <= 0.2
    assert min(row["ratio"] for row in rows) >= 60


@pytest.mark.parametrize("name", LENETS)
def test_a_stored_file_is_the_network_that_it_says_in_chapter_05(name: str) -> None:
    """Read again: its length, its errors on the fold that it never saw, and its own bytes."""
    stored = precomputed("05", name)
    blob, row = base64.b64decode(stored["file"]), stored["rows"][0]
    model = compression.decompress(blob, LENETS[name]())
    assert len(blob) == row["n_bytes"]
    assert row["ratio"] == pytest.approx(4 * models.n_parameters(model) / len(blob), abs=1e-3)
    assert error(model, fold(row["fold"])[1]) == pytest.approx(row["small_error"], abs=0.11)
    assert compression.compress(model) == blob


def test_the_labels_come_out_of_their_file_in_chapter_05() -> None:
    """At most 5,500 bits for network and labels, whatever the number of threads that read them."""
    data, rows = load("mnist1d"), precomputed("05", "label_file")["rows"]
    assert len(rows) >= 3
    for row in rows:
        blob = base64.b64decode(row["file"])
        assert 8 * len(blob) == row["total_bits"] <= 5500
        assert 0 < read_net(blob)[1] == pytest.approx(row["model_bits"], abs=1)
    assert torch.equal(read_labels(blob, data.inputs), data.targets)


def test_the_dial_has_a_minimum_inside_in_chapter_05() -> None:
    grid = precomputed("05", "dial")["grids"]

    def totals(labels: str) -> dict[str, float]:
        return {
            name: mean(cell["model_bits"]["arithmetic"]) + mean(cell["data_bits"])
            for name, cell in grid[labels].items()
        }

    true, uniform = totals("true"), 4000 * math.log2(10)
    best = min(true, key=true.__getitem__)
    assert true[best] < uniform / 2 and best.split("|")[0] not in ("1.0", "0.07")
    assert min(totals("random").values()) > uniform


def test_the_maps_of_all_digits_keep_their_neighbours_in_chapter_06() -> None:
    found = precomputed("06", "maps")["digits"]
    assert len(found["t-SNE"]) >= 3
    assert min(row["trustworthiness"] for row in found["t-SNE"]) >= 0.993
    assert min(row["trustworthiness"] for row in found["UMAP"]) >= 0.985


def test_more_questions_make_a_deep_tree_more_faithful_in_chapter_06() -> None:
    """By at least four points at depth 12 with 20,000 queries, mean of three networks."""

    def fidelity(n_queries: int) -> float:
        return mean(
            row["fidelity"]
            for row in precomputed("06", "queries")["rows"]
            if row["depth"] == 12 and row["n_queries"] == n_queries and row["kind"] == "noise"
        )

    assert fidelity(20_000) >= fidelity(0) + 0.04


def test_a_soft_tree_learns_more_from_a_network_in_chapter_06() -> None:
    """At least three points at depth 4, mean of five seeds, with and without the penalty."""
    rows = precomputed("06", "soft")["rows"]
    for penalty in {row["penalty"] for row in rows}:
        gains = [row["distilled"] - row["labels"] for row in rows if row["penalty"] == penalty]
        assert len(gains) == 5 and mean(gains) >= 0.03
