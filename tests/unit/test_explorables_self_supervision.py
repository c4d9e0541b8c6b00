"""Chapter 04's explorables without a browser: their laws, their corners, what their presets say."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA as SklearnPCA
from sklearn.metrics import precision_recall_curve, roc_auc_score

from companion.data import load
from companion.explorables import (
    alarm_costs,
    alarm_scores,
    healing,
)
from companion.explorables import (
    alarm_desk as desk_module,
)
from companion.explorables import (
    erase_and_heal as erase_module,
)
from companion.explorables import self_supervision as explore
from companion.explorables.alarm_costs import Stakes
from companion.explorables.self_supervision import compute_alarm_desk, compute_erase_and_heal
from companion.explorables.view import front_end
from companion.self_supervision import fill_knn, fill_pca, random_mask
from companion.storage import precomputed
from tools import precompute_04_explorables as tool

# ---- the fills ----------------------------------------------------------------------------------

HALF = random_mask((1, 1, 28, 28), 0.5, generator=torch.Generator().manual_seed(1))
ERASE_PRESETS = {p["name"]: p["state"] for p in erase_module.PRESETS}
NOTHING = ["." * 28] * 28
ALL = ["#" * 28] * 28
CORNER = ["#" + "." * 27, *NOTHING[1:]]


def erase(**changes: Any) -> dict[str, Any]:
    return compute_erase_and_heal(**{**erase_module.OPENING, **changes})


def test_no_method_has_learned_from_what_is_on_offer():
    known = {image.numpy().tobytes() for image in healing.train()}
    assert len(known) == 3000
    tested = {image.numpy().tobytes() for image in load("mnist", split="test").inputs}
    for kind in ("digit", "garment"):
        offered, others = healing.pictures(kind)
        assert offered.shape == (10, 6, 1, 28, 28) and others.shape == (40, 1, 28, 28)
        shown = [image.numpy().tobytes() for image in (*offered.flatten(0, 1), *others)]
        assert len(set(shown)) == 100
        assert not known & set(shown) and not tested & set(shown)


@pytest.mark.parametrize("n_components", [1, 40, 200])
def test_the_plane_fills_as_the_librarys(n_components):
    x = healing.pictures("digit")[1][:5]
    found = healing.fill_from_plane(x, HALF, n_components)
    expected = fill_pca(x, HALF, healing.train(), n_components=n_components)
    assert torch.allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("k", [1, 7])
def test_neighbours_are_those_of_the_visible_pixels(k):
    image = healing.pictures("digit")[0][4, 2]
    filled, _, _ = healing.healed("digit", 4, 2, tuple(healing.as_rows(HALF)), "knn", k)
    hidden = HALF[0, 0].numpy()
    train = healing.train()[:, 0].numpy().astype(np.float64)
    distance = ((train - image[0].numpy())[:, ~hidden] ** 2).sum(1)
    nearest = train[np.argsort(distance)[:k]].mean(0)
    expected = np.where(hidden, nearest, image[0].numpy())
    assert np.allclose(filled.numpy(), expected, atol=1e-5)
    assert torch.equal(fill_knn(image[None], HALF, healing.train(), k=k)[0, 0], filled)


def test_the_mean_is_that_of_all_digits_learned_from():
    image = healing.pictures("digit")[0][4, 2]
    filled = healing.fill("mean", image[None], HALF, k=1, n_components=1)[0, 0]
    expected = torch.where(HALF[0, 0], healing.train().mean(0)[0], image[0])
    assert torch.allclose(filled, expected, atol=1e-6)


@pytest.mark.parametrize("name", healing.FILLS)
@pytest.mark.parametrize("kind", ["digit", "garment"])
def test_what_is_visible_stays_and_what_is_hidden_is_not_read(name, kind):
    x = healing.pictures(kind)[1][:3]
    filled = healing.fill(name, x, HALF, k=5, n_components=40)
    assert torch.equal(filled[~HALF.expand_as(x)], x[~HALF.expand_as(x)])
    other = torch.where(HALF, 1 - x, x)
    again = healing.fill(name, other, HALF, k=5, n_components=40)
    assert torch.allclose(filled, again, atol=1e-6)
    assert filled.min() >= 0 and filled.max() <= 1


def test_errors_are_means_over_the_hidden_pixels():
    rows = tuple(healing.as_rows(HALF))
    offered, others = healing.pictures("digit")
    hidden = HALF[0, 0]
    for name in healing.FILLS:
        filled, error, mean = healing.healed("digit", 7, 1, rows, name, 5)
        difference = (filled - offered[7, 1, 0])[hidden].double()
        assert error == pytest.approx(difference.square().mean().item(), rel=1e-4)
        all_filled = healing.fill(name, others, HALF, k=5, n_components=5)
        each = [
            ((f - o)[0][hidden] ** 2).mean().item() for f, o in zip(all_filled, others, strict=True)
        ]
        assert mean == pytest.approx(sum(each) / len(each), rel=1e-4)


def test_networks_come_back_as_they_were_packed():
    model = healing.masked_autoencoder()
    text = healing.packed(model)
    other = healing.masked_autoencoder()
    other.load_state_dict(healing.unpacked(text, other.state_dict()))
    for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.allclose(a.float(), b.float(), rtol=1e-3, atol=1e-6)
    with pytest.raises(ValueError):
        healing.unpacked(text[:-1], other.state_dict())


def test_stored_networks_do_what_was_measured_of_them():
    """Half precision costs next to nothing."""
    stored = precomputed("04", "erase")
    held_out = tool.split_mnist()[1].inputs
    for name in healing.NETWORKS:
        found = tool.errors(healing.network(name), name, held_out)
        assert found == pytest.approx(stored["errors"][name], rel=0.02)
    assert sum(stored["n_parameters"].values()) <= 60_000


def test_a_mask_is_28_strings():
    rows = healing.as_rows(HALF)
    assert torch.equal(healing.as_mask(tuple(rows)), HALF)
    assert sum(row.count("#") for row in rows) == int(HALF.sum())


# ---- erase and heal -----------------------------------------------------------------------------


def test_the_best_is_the_least_error():
    for name, state in ERASE_PRESETS.items():
        data = erase(**state)
        errors = [row["error"] for row in data["fills"]]
        others = [row["others"] for row in data["fills"]]
        assert [row["key"] for row in data["fills"]] == list(healing.FILLS), name
        assert data["best"] == errors.index(min(errors))
        assert data["best_of_others"] == others.index(min(others))
        assert data["fills"][data["chosen"]]["key"] == state["fill"]
        assert data["fills"][data["best"]]["name"] in data["text"]


def test_what_the_presets_of_the_rubber_say_is_so():
    ends = {name: erase(**state) for name, state in ERASE_PRESETS.items()}

    def others(name: str) -> dict[str, float]:
        return {row["key"]: row["others"] for row in ends[name]["fills"]}

    def best(name: str, score: str = "best") -> str:
        return ends[name]["fills"][ends[name][score]]["key"]

    tiles = others("half of the tiles")
    assert best("half of the tiles") == best("half of the tiles", "best_of_others") == "masked"
    assert tiles["masked"] < 0.9 * tiles["knn"] and tiles["autoencoder"] > 1.2 * tiles["mean"]

    assert best("a stripe") == "knn" and best("a stripe", "best_of_others") == "masked"
    assert others("a stripe")["masked"] > 0.85 * others("a stripe")["knn"]

    half = ends["the lower half"]
    assert best("the lower half") == best("the lower half", "best_of_others") == "knn"
    masked = next(row for row in half["fills"] if row["key"] == "masked")
    ink, true = torch.tensor(masked["pixels"]), torch.tensor(half["image"])
    near, far = slice(14, 18), slice(20, 26)
    assert ink[near].sum() > 0.7 * true[near].sum() and ink[far].max() < 0.6 < 0.9 < true[far].max()

    salt = others("salt")
    assert min(salt, key=salt.__getitem__) == "masked" and salt["pca"] < 1.35 * salt["masked"]
    plain = next(row for row in ends["salt"]["fills"] if row["key"] == "autoencoder")
    difference = torch.tensor(plain["pixels"]) - torch.tensor(ends["salt"]["image"])
    assert difference.clamp(max=0).sum().abs() > 3 * difference.clamp(min=0).sum()

    garment = others("a garment")
    assert garment["masked"] < 0.8 * min(v for k, v in garment.items() if k != "masked")


def test_nothing_hidden_is_no_error_and_all_hidden_is():
    data = erase(mask=NOTHING)
    assert data["fills"] == [] and data["best"] is None and data["n_hidden"] == 0
    assert data["text"].startswith("Nothing is hidden.")
    assert erase(mask=CORNER)["n_hidden"] == 1
    with pytest.raises(ValueError, match="every pixel is hidden: nothing is left"):
        erase(mask=ALL)


def test_the_same_hole_is_filled_the_same_twice():
    data = erase(mask=CORNER)
    healing.healed.cache_clear()
    assert erase(mask=CORNER) == data


def test_the_readers_random_numbers_stay_as_they_were():
    healing.network.cache_clear()
    before = torch.random.get_rng_state()
    erase(mask=CORNER, copy=3)
    assert torch.equal(torch.random.get_rng_state(), before)


@given(
    picture=st.sampled_from(list(healing.names())),
    copy=st.integers(0, 5),
    fill=st.sampled_from(list(healing.FILLS)),
    shown=st.sampled_from(list(erase_module.SHOWN)),
    brush=st.sampled_from(list(erase_module.BRUSHES)),
    size=st.integers(1, 9),
    k=st.integers(1, healing.MOST_NEIGHBOURS),
    n_components=st.integers(1, healing.MOST_COMPONENTS),
    seed=st.integers(0, 99),
    share=st.floats(0.002, 0.998),
)
@settings(deadline=None, max_examples=15)
def test_erase_answers_everywhere(seed, share, **state):
    generator = torch.Generator().manual_seed(seed)
    mask = random_mask((1, 1, 28, 28), share, generator=generator)
    if mask.all():
        mask[..., 0, 0] = False
    data = erase(mask=healing.as_rows(mask), **state)
    json.dumps(data, allow_nan=False)
    assert data["n_hidden"] == int(mask.sum())
    for row in data["fills"]:
        assert 0 <= row["error"] <= 1 and 0 <= row["others"] <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"picture": "digit 10"}, "no picture 'digit 10': expected one of digit 0, digit 1"),
        ({"fill": "median"}, "no fill 'median': expected one of mean, knn"),
        ({"fill": "yours"}, "no fill 'yours'"),
        ({"shown": "loss"}, "no shown 'loss'"),
        ({"brush": "pen"}, "no brush 'pen': expected one of rub out, bring back"),
        ({"k": 0}, "k must be an integer in 1 ... 30, got 0"),
        ({"k": True}, "k must be"),
        ({"n_components": 201}, "n_components must be an integer in 1 ... 200, got 201"),
        ({"copy": 6}, "copy must be an integer in 0 ... 5, got 6"),
        ({"size": 10}, "size must be an integer in 1 ... 9"),
        ({"mask": NOTHING[1:]}, "mask must be 28 strings of 28 signs"),
        ({"mask": ["x" * 28] * 28}, "mask must be"),
        ({"mask": [NOTHING[0][1:], *NOTHING[1:]]}, "mask must be"),
        ({"mask": "." * 28}, "mask must be"),
        ({"mask": [[False] * 28] * 28}, "mask must be"),
    ],
)
def test_erase_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        erase(**changes)
    assert "\n" not in str(refusal.value)


def by_mean(image, mask):
    return torch.where(mask, image[~mask].mean(), image)


def by_library(image, mask):
    return healing.fill("masked", image[None, None], mask[None, None], k=1, n_components=1)[0, 0]


def upside_down(image, mask):
    return torch.where(mask, image, image.mean())


def in_place(image, mask):
    image[mask] = 0.5
    mask[:] = True
    return image


def raising(image, mask):
    raise KeyError("first\nsecond")


@pytest.mark.parametrize(
    ("own", "says", "agrees"),
    [
        (by_mean, "keeps what is visible and errs by", True),
        (by_library, "keeps what is visible and errs by", True),
        (in_place, "more than all five others", True),
        (lambda image, mask: image, "leaves the hole as it came, zero", False),
        (upside_down, "changes what is visible, by up to", False),
        (raising, "raised KeyError", False),
        (lambda image, mask: None, "returned NoneType, expected a tensor", False),
        (lambda image, mask: image[None], "returned shape (1, 28, 28), expected (28, 28)", False),
        (lambda image, mask: image * math.nan, "no finite numbers", False),
        (lambda image, mask: mask, "no finite numbers", False),
    ],
)
def test_own_fill_is_shown_and_judged(own, says, agrees):
    data = erase(own=own)
    verdict = data["verdict"]
    assert verdict["text"].startswith("Your fill ") and says in verdict["text"]
    assert "\n" not in verdict["text"]
    assert verdict["agrees"] == agrees
    json.dumps(data, allow_nan=False)
    library = erase()
    assert data["fills"][:5] == library["fills"]
    assert len(data["fills"]) == (5 if ("raised" in says or "expected" in says) else 6) - (
        "finite" in says
    )


def test_own_fill_sees_zeros_in_the_hole():
    seen = []

    def spy(image, mask):
        seen.append((image.clone(), mask.clone()))
        return by_mean(image, mask)

    data = erase(own=spy, fill="yours")
    image, mask = seen[0]
    assert image.shape == mask.shape == (28, 28) and mask.dtype == torch.bool
    assert (image[mask] == 0).all() and int(mask.sum()) == data["n_hidden"]
    row = data["fills"][5]
    assert row["name"] == "yours" and row["others"] is None and data["chosen"] == 5
    true = torch.tensor(data["image"])
    expected = (by_mean(image, mask) - true)[mask].square().mean().item()
    assert row["error"] == pytest.approx(expected, rel=0.02)
    text = erase(own=by_library)["verdict"]["text"]
    assert "less than mean, k-NN, PCA, autoencoder; the best has" in text


def test_own_fill_must_be_a_function():
    with pytest.raises(ValueError, match="must be a function"):
        explore.erase_and_heal(fill=0.5)


# ---- scores -------------------------------------------------------------------------------------


def test_nobody_is_tested_on_what_was_learned_from():
    tested = {image.numpy().tobytes() for image in load("mnist", split="test").inputs}
    for normal in (0, 7):
        shown = alarm_scores.pictures(normal)
        parts = [
            {image.numpy().tobytes() for image in getattr(shown, name)}
            for name in ("fit", *alarm_scores.PARTS)
        ]
        assert sum(map(len, parts)) == len(set.union(*parts))
        assert not tested & set.union(*parts)
        assert len(parts[2]) >= max(desk_module.SIZES) + 50
        assert min(map(len, parts[3:])) >= max(desk_module.SIZES) + 50


def test_scores_are_multiples_of_the_median_normal_one():
    for normal in range(10):
        shown = alarm_scores.pictures(normal)
        for method in alarm_scores.METHODS:
            found = alarm_scores.scores(normal, method)
            assert found["validation"].exp2().median() == pytest.approx(1, abs=0.01)
            for part, values in found.items():
                assert values.shape == (len(getattr(shown, part)),)
                assert torch.isfinite(values).all()


def test_scores_of_neighbours_and_of_the_plane_are_those_of_an_oracle():
    shown = alarm_scores.pictures(3)
    fit = shown.fit.flatten(1).double().numpy()
    for part in ("normal", "garments"):
        x = getattr(shown, part).flatten(1).double().numpy()
        validation = shown.validation.flatten(1).double().numpy()

        def nearest(rows):
            return np.sqrt(((rows[:, None] - fit[None]) ** 2).sum(-1)).min(1)

        plane = SklearnPCA(tool.N_COMPONENTS, svd_solver="full").fit(fit)

        def off_plane(rows, plane=plane):
            return ((plane.inverse_transform(plane.transform(rows)) - rows) ** 2).mean(1)

        for method, oracle in (("knn", nearest), ("pca", off_plane)):
            known = np.sort(oracle(validation))[(len(validation) - 1) // 2]  # torch's lower median
            expected = np.log2(oracle(x) / known)
            found = alarm_scores.scores(3, method)[part].numpy()
            assert np.allclose(found, expected, atol=0.01)  # three digits are stored


# ---- costs --------------------------------------------------------------------------------------

STAKES = Stakes(missed=5, false_alarm=2, share=0.1)


@given(
    normal=st.lists(st.integers(0, 9), min_size=1, max_size=8),
    anomalies=st.lists(st.integers(0, 9), min_size=1, max_size=8),
    missed=st.sampled_from(desk_module.PRICES),
    share=st.sampled_from(desk_module.SHARES),
)
@settings(deadline=None, max_examples=80)
def test_the_cheapest_threshold_is_the_cheapest_of_all(normal, anomalies, missed, share):
    stakes = Stakes(missed, 1, share)
    a, b = (torch.tensor([v], dtype=torch.float64) for v in (normal, anomalies))
    threshold, least = alarm_costs.cheapest(alarm_costs.Draws(a, b, a, b), stakes)
    every = torch.arange(-0.5, 10.5, 0.5, dtype=torch.float64)
    costs = [
        1000 * (share * missed * sum(v <= t for v in anomalies) / len(anomalies)
                + (1 - share) * sum(v > t for v in normal) / len(normal))
        for t in every.tolist()
    ]  # fmt: skip
    assert least.item() == pytest.approx(min(costs))
    rates = alarm_costs.rates(a, b, threshold)
    assert stakes.cost(*rates).item() == pytest.approx(min(costs))


def test_a_desk_that_does_not_look_costs_the_cheaper_of_two():
    one = torch.ones(1)
    assert STAKES.without == pytest.approx(STAKES.cost(one, 0 * one).item())
    rare = Stakes(missed=1, false_alarm=1, share=0.5)
    assert rare.without == pytest.approx(500)
    common = Stakes(missed=100, false_alarm=1, share=0.5)
    assert common.without == pytest.approx(common.cost(0 * one, one).item())


def test_test_sets_and_fresh_pictures_share_nothing():
    normal, anomalies = torch.arange(90.0), torch.arange(100.0, 250)
    draws = alarm_costs.draw_tests(normal, anomalies, 20, 7)
    assert draws.normal.shape == draws.anomalies.shape == (7, 20)
    both = torch.cat([draws.normal, draws.fresh_normal], 1).sort(1).values
    assert torch.equal(both, normal.expand(7, -1))
    both = torch.cat([draws.anomalies, draws.fresh_anomalies], 1).sort(1).values
    assert torch.equal(both, anomalies.expand(7, -1))
    assert not torch.equal(draws.normal[0], draws.normal[1])


# ---- alarm desk ---------------------------------------------------------------------------------

DESK_PRESETS = {p["name"]: p["state"] for p in desk_module.PRESETS}


def desk(**changes: Any) -> dict[str, Any]:
    return compute_alarm_desk(**{**desk_module.OPENING, **changes})


@pytest.mark.parametrize("method", alarm_scores.METHODS)
def test_curves_are_those_of_an_oracle(method):
    data = desk(method=method, share=0.5, draw=3)
    draws = desk_module._draws(desk_module.OPENING["normal"], "digits", method, 50)
    values = torch.cat([draws.normal[3], draws.anomalies[3]]).numpy()
    is_anomaly = np.arange(100) >= 50
    assert data["test"]["auroc"] == pytest.approx(roc_auc_score(is_anomaly, values), abs=1e-4)
    precision, recall, _ = precision_recall_curve(is_anomaly, values)
    found = {(r, p) for r, p in zip(*data["test"]["pr"], strict=True)}
    expected = {
        (round(r, 4), round(p, 4)) for r, p in zip(recall[:-1], precision[:-1], strict=True)
    }
    near = [min(abs(r - a) + abs(p - b) for a, b in found) for r, p in expected]
    assert max(near) < 1e-3


def test_the_working_point_is_counted():
    data = desk(threshold=0.8, missed=10, false_alarm=2, share=0.03, draw=5)
    draws = desk_module._draws(desk_module.OPENING["normal"], "digits", data["method"], 50)
    for name, normal, anomalies in (
        ("test", draws.normal[5], draws.anomalies[5]),
        ("fresh", draws.fresh_normal[5], draws.fresh_anomalies[5]),
    ):
        part = data[name]
        n_false, n_missed = int((normal > 0.8).sum()), int((anomalies <= 0.8).sum())
        assert (part["n_false"], part["n_missed"]) == (n_false, n_missed)
        assert (part["n_normal"], part["n_anomalies"]) == (len(normal), len(anomalies))
        cost = 1000 * (
            0.03 * 10 * n_missed / len(anomalies) + 0.97 * 2 * n_false / len(normal)
        )  # fmt: skip
        assert part["cost"] == pytest.approx(cost, rel=1e-3)
        right = 0.03 * (1 - n_missed / len(anomalies))
        assert part["precision"] == pytest.approx(
            right / (right + 0.97 * n_false / len(normal)), abs=1e-3
        )
    assert data["by"] == "hand"
    place = min(range(97), key=lambda i: abs(data["cost"]["places"][i] - 0.8))
    assert data["cost"]["test"][place] == pytest.approx(data["test"]["cost"], rel=0.5)


@pytest.mark.parametrize("method", alarm_scores.METHODS)
@pytest.mark.parametrize("rate", desk_module.RATES)
def test_the_rule_knows_normal_validation_pictures_alone(method, rate):
    data = desk(method=method, rate=rate)
    normal = alarm_scores.scores(desk_module.OPENING["normal"], method)["validation"]
    assert (normal > data["threshold"] + 1e-4).double().mean().item() <= rate
    assert (normal >= data["threshold"] - 1e-4).double().mean().item() > rate
    for changes in (
        {"draw": 9}, {"n_test": 10}, {"anomalies": "garments"}, {"missed": 100}, {"share": 0.5},
    ):  # fmt: skip
        assert desk(method=method, rate=rate, **changes)["threshold"] == data["threshold"]


def test_histograms_are_shares_and_hold_all_scores():
    for state in DESK_PRESETS.values():
        histogram = desk(**state)["histogram"]
        assert len(histogram["edges"]) == 33
        for kind in ("test_normal", "test_anomalies", "fresh_normal", "fresh_anomalies"):
            assert sum(histogram[kind]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("n_test", desk_module.SIZES)
@pytest.mark.parametrize("normal", [0, 3, 8])
def test_peeking_promises_more_than_it_keeps_and_the_rule_does_not(n_test, normal):
    state = {"n_test": n_test, "normal": normal}
    rule = desk(**state)["mean"]
    assert abs(rule["fresh"] - rule["test"]) < 4 * rule["error"]
    peeks = [desk(**state, peek=peek)["mean"] for peek in ("threshold", "method")]
    for mean in peeks:
        assert mean["fresh"] - mean["test"] > 4 * mean["error"] > 0
    assert peeks[1]["test"] <= peeks[0]["test"]
    for peek in ("threshold", "method"):
        for draw in (0, 50):
            best = desk(**state, peek=peek, draw=draw)
            assert best["test"]["cost"] <= min(best["cost"]["test"]) + 1e-6
            others = [
                desk(**state, peek="threshold", draw=draw, method=method)["test"]["cost"]
                for method in alarm_scores.METHODS
            ]
            if peek == "method":
                assert best["test"]["cost"] == pytest.approx(min(others))


def test_what_the_presets_of_the_desk_say_is_so():
    ends = {name: desk(**state) for name, state in DESK_PRESETS.items()}
    first, rare = ends["no anomaly seen"], ends["rare anomalies"]
    assert first["settings"]["n_validation"] == 50 and first["by"] == "rule"
    assert abs(first["mean"]["test"] - first["mean"]["fresh"]) < 3 * first["mean"]["error"]

    assert rare["threshold"] == first["threshold"] and rare["test"]["roc"] == first["test"]["roc"]
    assert first["test"]["precision"] > 0.4 and rare["test"]["precision"] < 0.05
    assert rare["mean"]["fresh"] > 2 * rare["cost"]["without"]
    assert first["mean"]["fresh"] < 0.6 * first["cost"]["without"]

    costly = ends["costly misses"]
    strict = desk(**{**DESK_PRESETS["costly misses"], "rate": 0.05})
    assert costly["mean"]["fresh"] < 0.5 * strict["mean"]["fresh"]
    assert costly["mean"]["fresh"] < 0.5 * costly["cost"]["without"]

    garments = ends["garments"]
    digits = desk(**{**DESK_PRESETS["garments"], "anomalies": "digits"})
    assert garments["threshold"] == digits["threshold"]
    for part in ("test", "fresh"):
        assert garments[part]["miss_rate"] < 0.05 and digits[part]["miss_rate"] > 0.5
        assert garments[part]["auroc"] > 0.98

    for draw in range(0, 100, 9):
        assert desk(**DESK_PRESETS["peeking"], draw=draw)["mean"] == ends["peeking"]["mean"]
    mean = ends["peeking"]["mean"]
    assert mean["test"] < 0.5 * mean["fresh"]


def test_a_peek_heeds_neither_rule_nor_hand():
    peeked = desk(peek="threshold")
    assert peeked["by"] == "peek"
    for changes in ({"threshold": 2.0}, {"rate": 0.5}):
        assert desk(peek="threshold", **changes)["threshold"] == peeked["threshold"]


@given(
    normal=st.integers(0, 9),
    anomalies=st.sampled_from(list(desk_module.ANOMALIES)),
    method=st.sampled_from(list(alarm_scores.METHODS)),
    rate=st.sampled_from(desk_module.RATES),
    threshold=st.none() | st.floats(*desk_module.REACH),
    missed=st.sampled_from(desk_module.PRICES),
    false_alarm=st.sampled_from(desk_module.PRICES),
    share=st.sampled_from(desk_module.SHARES),
    n_test=st.sampled_from(desk_module.SIZES),
    peek=st.sampled_from(list(desk_module.PEEKS)),
    draw=st.integers(0, desk_module.N_DRAWS - 1),
)
@settings(deadline=None, max_examples=40)
def test_the_desk_answers_everywhere(**state):
    data = compute_alarm_desk(**state)
    json.dumps(data, allow_nan=False)
    for part in (data["test"], data["fresh"]):
        assert 0 <= part["auroc"] <= 1 and 0 <= part["miss_rate"] <= 1
        assert part["precision"] is None or 0 <= part["precision"] <= 1
    assert "nan" not in data["text"] + data["promise"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normal": 10}, r"no normal 10: expected one of 0 \.\.\. 9"),
        ({"normal": True}, "no normal True"),
        ({"anomalies": "letters"}, "no anomalies 'letters': expected one of digits, garments"),
        ({"method": "forest"}, "no method 'forest'"),
        ({"rate": 0.07}, "no rate 0.07"),
        ({"rate": math.nan}, "no rate nan"),
        ({"missed": 3}, "no missed 3: expected one of 1, 2, 5"),
        ({"false_alarm": 0}, "no false_alarm 0"),
        ({"share": 0.9}, "no share 0.9"),
        ({"n_test": 1000}, "no n_test 1000: expected one of 10, 20, 50"),
        ({"peek": "yes"}, "no peek 'yes': expected one of no, threshold, method"),
        ({"draw": 100}, r"no draw 100: expected one of 0 \.\.\. 99"),
        ({"threshold": math.nan}, "threshold must be None or a number"),
        ({"threshold": 13}, "threshold must be None or a number in -6 ... 12"),
        ({"threshold": "1"}, "threshold must be"),
        ({"threshold": True}, "threshold must be"),
    ],
)
def test_the_desk_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        desk(**changes)
    assert "\n" not in str(refusal.value)


# ---- what both share ----------------------------------------------------------------------------

NAMES = ("erase_and_heal", "alarm_desk")


@pytest.fixture(params=NAMES)
def make(request):
    return getattr(explore, request.param)


def test_bundle_carries_the_widget_and_a_picture(make, monkeypatch):
    bundle, metadata = make()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == metadata["image/png"]["alt"]
    monkeypatch.setenv("COMPANION_PREDICTIONS", "off")
    again, _ = make()._repr_mimebundle_()
    assert again["image/png"] == bundle["image/png"]


def test_alt_texts_say_what_the_opening_shows():
    alt = explore.erase_and_heal()._repr_mimebundle_()[0]["text/plain"]
    assert alt.startswith("A handwritten 4, of which 384 pixels of 784 are hidden in square tiles")
    assert alt.endswith("The masked autoencoder errs least on the hidden pixels.")
    alt = explore.alarm_desk()._repr_mimebundle_()[0]["text/plain"]
    assert alt.startswith("Histograms of the PCA score of handwritten 3s and of other digits")
    assert "was set on normal pictures alone; of a test set of 50 and 50 it calls" in alt


def test_the_picture_stays_that_of_the_opening_state(make):
    widget, untouched = make(), make()
    widget.state = {**widget.state, **widget.setup["presets"][2]["state"], "turn": "1"}
    bundle, _ = widget._repr_mimebundle_()
    assert bundle["image/png"] == untouched._repr_mimebundle_()[0]["image/png"]


def test_state_and_data_are_plain(make):
    widget = make()
    for trait in (widget.setup, widget.state, widget.data):
        json.dumps(trait, allow_nan=False)


def test_a_bad_state_is_one_line_and_the_next_good_one_works(make):
    widget = make()
    good = dict(widget.state)
    widget.state = {**good, "turn": "1", "no_such_control": 3}
    assert widget.data["turn"] == "1"
    assert widget.data["error"].startswith("TypeError: ") and "\n" not in widget.data["error"]
    widget.state = {**good, "turn": "2"}
    assert "error" not in widget.data and widget.data["turn"] == "2"


def test_every_preset_is_a_state_of_the_widget(make):
    widget = make()
    assert 3 <= len(widget.setup["presets"]) <= 5
    for preset in widget.setup["presets"]:
        assert set(preset["state"]) <= set(widget.state)
        assert preset["point"].endswith(".")
        widget.state = {**widget.state, **preset["state"]}
        assert "error" not in widget.data


@pytest.mark.parametrize("name", NAMES)
def test_front_ends_need_nothing_from_elsewhere(name):
    text = front_end(name)
    assert "import " not in text
    assert text.count("http") == 1  # the name of the SVG namespace
    assert text.count("export default") == 1


def test_missing_store_is_named(make, tmp_path, monkeypatch):
    monkeypatch.setenv("COMPANION_COURSE", str(tmp_path))
    for cached in (healing.network, healing.healed, alarm_scores.scores, desk_module._settled):
        cached.cache_clear()
    with pytest.raises(FileNotFoundError, match="no stored result"):
        make()
