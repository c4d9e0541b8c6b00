"""Chapter 03's explorables without a browser: their laws, their corners, what their presets say."""

from __future__ import annotations

import base64
import json
import math
from statistics import mean
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from companion import regularization
from companion.explorables import dropout_committee as committee_module
from companion.explorables import lambda_dial as dial_module
from companion.explorables import regularization as explore
from companion.explorables.regularization import compute_dropout_committee, compute_lambda_dial
from companion.explorables.view import front_end
from companion.storage import precomputed
from tools import precompute_03_dial

# ---- λ dial -------------------------------------------------------------------------------------


def place(accuracy: float, model_bits: int, data_bits: int) -> dict[str, Any]:
    """One place of a made-up dial, two seeds that differ by 0.02 and by 100 bits."""
    return {
        "train_accuracy": [0.98, 1.0],
        "accuracy": [accuracy - 0.01, accuracy + 0.01],
        "train_bits": [0.1, 0.3],
        "bits": [2 - accuracy, 2.2 - accuracy],
        "total_bits": [model_bits + data_bits, model_bits + data_bits + 100],
        "model_bits": model_bits + 50,
        "histogram": {
            "weights": [0.25, 0.5, 0.25],
            "others": [0, 0.75, 0.25],
            "weights_rms": 0.2,
            "others_rms": 1,
        },
    }


RISING = [place(0.5, 900, 100), place(0.7, 500, 200), place(0.9, 450, 500)]
FALLING = [place(0.9, 300, 10), place(0.7, 300, 20), place(0.5, 300, 30)]
RESULTS = {
    "sizes": [100, 400],
    "weight_decays": [0.0, 0.1, 1.0],
    "bins": [-1.5, -0.5, 0.5, 1.5],
    "curves": {
        f"{optimizer}|{decayed}|{n}": RISING if optimizer == "adamw" else FALLING
        for optimizer in ("adamw", "l2") for decayed in ("weights", "everything")
        for n in (100, 400)
    },
}  # fmt: skip
STATE = {
    "weight_decay": 0.1, "optimizer": "adamw", "decayed": "weights", "n_labels": 400,
    "shown": "accuracy",
}  # fmt: skip


def dial(**changes: Any) -> dict[str, Any]:
    return compute_lambda_dial(RESULTS, **{**STATE, **changes})


def test_curves_are_means_over_seeds_with_their_range():
    training, held_out, other = dial()["curves"]
    assert held_out["y"] == [0.5, 0.7, 0.9]
    assert held_out["low"] == [0.49, 0.69, 0.89] and held_out["high"] == [0.51, 0.71, 0.91]
    assert training["y"] == [0.99] * 3
    assert other["name"] == "held out, L2 inside Adam" and other["y"] == [0.9, 0.7, 0.5]
    assert dial(optimizer="l2")["curves"][2]["name"] == "held out, AdamW"


def test_the_code_is_the_network_and_its_labels():
    code = dial()["code"]
    assert code["model"] == [950, 550, 500] and code["labels"] == [100, 200, 500]
    assert code["total"] == [1050, 750, 1000]
    assert code["low"] == [1000, 700, 950] and code["high"] == [1100, 800, 1050]
    assert code["shortest"] == 1
    assert code["uniform"] == pytest.approx(400 * math.log2(10), abs=0.05)
    assert dial(optimizer="l2")["code"]["shortest"] == 0


def test_the_best_is_the_most_right_or_the_fewest_bits():
    assert dial()["best"] == 2 and dial(optimizer="l2")["best"] == 0
    data = dial(shown="bits")
    assert data["best"] == 2 and data["curves"][1]["y"] == [1.6, 1.4, 1.2]


def test_histograms_are_shares():
    histogram = dial()["histogram"]
    assert histogram["weights"] == [0.25, 0.5, 0.25] and histogram["others"] == [0, 0.75, 0.25]
    assert len(histogram["bins"]) == 4


def test_words_of_the_dial_follow_its_numbers():
    text = dial()["text"]
    assert text.startswith(
        "λ = 0.1: 70.0\u00a0% of 1,000 held-out series right, 99.0\u00a0% of the 400"
    )
    assert "most at λ = 1 (90.0\u00a0%)" in text
    assert "the network costs 550 bits and its labels 200" in text
    assert "shortest at λ = 0.1, 750 bits, 579 fewer than without a network." in text
    assert "so few labels do not pay for one" in dial(n_labels=100)["text"]
    text = dial(shown="bits", weight_decay=0.0)["text"]
    assert text.startswith(
        "λ = 0: a held-out label costs 1.60 bits, one of the 400 learned from 0.20"
    )
    assert "least at λ = 1 (1.20)" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight_decay": 0.2}, r"no weight_decay 0.2: expected one of 0.0, 0.1, 1.0"),
        ({"weight_decay": math.nan}, "no weight_decay nan"),
        ({"weight_decay": "0.1"}, "no weight_decay '0.1'"),
        ({"optimizer": "sgd"}, "no optimizer 'sgd': expected one of adamw, l2"),
        ({"decayed": "biases"}, "no decayed 'biases'"),
        ({"n_labels": 200}, "no n_labels 200: expected one of 100, 400"),
        ({"shown": "loss"}, "no shown 'loss'"),
    ],
)
def test_dial_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        dial(**changes)
    assert "\n" not in str(refusal.value)


def test_every_place_of_the_stored_dial_answers():
    results = precomputed("03", "dial")
    n_seeds = len(results["seeds"])
    assert n_seeds >= 3
    for key, rows in results["curves"].items():
        optimizer, decayed, n = key.split("|")
        assert len(rows) == len(results["weight_decays"])
        for value, row in zip(results["weight_decays"], rows, strict=True):
            state = {
                "weight_decay": value, "optimizer": optimizer, "decayed": decayed,
                "n_labels": int(n), "shown": "accuracy",
            }  # fmt: skip
            data = compute_lambda_dial(results, **state)
            json.dumps(data, allow_nan=False)
            for part in ("weights", "others"):
                assert sum(data["histogram"][part]) == pytest.approx(1, abs=0.02)  # rounded shares
                assert len(data["histogram"][part]) == len(results["bins"]) - 1
            assert len(row["accuracy"]) == len(row["total_bits"]) == n_seeds
            assert row["model_bits"] < min(row["total_bits"])
    without = {
        json.dumps(rows[0]) for key, rows in results["curves"].items() if key.endswith("|200")
    }
    assert len(without) == 1, "with a coefficient of 0 all four are the same network"


DIAL_PRESETS = {p["name"]: p["state"] for p in dial_module.PRESETS}


def test_what_the_presets_of_the_dial_say_is_so():
    results = precomputed("03", "dial")
    coefficients = results["weight_decays"]

    def answer(name: str, **changes: Any) -> dict[str, Any]:
        return compute_lambda_dial(results, **{**DIAL_PRESETS[name], **changes})

    def at(data: dict[str, Any], curve: int = 1) -> float:
        return data["curves"][curve]["y"][data["place"]]

    stake = answer("the right stake")
    training, held_out, _ = (curve["y"] for curve in stake["curves"])
    assert stake["best"] == stake["code"]["shortest"] == stake["place"]
    assert training[0] > 0.98 and held_out[stake["place"]] > held_out[0] + 0.1
    assert training[-1] < training[0] - 0.04 and held_out[-1] < held_out[stake["place"]] - 0.04
    assert stake["code"]["total"][stake["place"]] < 0.92 * stake["code"]["total"][0]

    inside = answer("inside Adam")
    assert at(inside) < 0.15 and at(inside, 0) < 0.15
    adamw = answer("inside Adam", optimizer="adamw")
    assert adamw["best"] == adamw["place"] and at(adamw) > 0.8
    assert inside["histogram"]["weights_rms"] < 1e-3

    gains, kernels = answer("gains too"), answer("gains too", decayed="weights")
    assert at(gains, 0) < 0.85 < 0.95 < at(kernels, 0)
    assert at(gains) < at(kernels) - 0.1
    assert gains["histogram"]["others_rms"] < 0.3 < 1 < kernels["histogram"]["others_rms"]

    many = answer("many labels")
    flat = range(coefficients.index(0.001), coefficients.index(1.0) + 1)
    held_out, code = many["curves"][1], many["code"]
    for y, low, high in (
        (held_out["y"], held_out["low"], held_out["high"]),
        (code["total"], code["low"], code["high"]),
    ):
        among_seeds = max(high[i] - low[i] for i in flat)
        assert max(y[i] for i in flat) - min(y[i] for i in flat) < among_seeds
    assert max(code["high"][i] for i in flat) < 0.7 * code["uniform"]

    few = answer("few labels")
    assert at(few) > 0.3
    assert min(few["code"]["low"]) > few["code"]["uniform"]
    assert few["code"]["labels"][few["place"]] == pytest.approx(few["code"]["uniform"], rel=0.01)


@pytest.mark.slow
def test_a_place_of_the_dial_repeats():
    """One cheap place anew; training differs between machines in its last digits."""
    results = precomputed("03", "dial")
    value = results["weight_decays"].index(1.0)
    stored = results["curves"]["adamw|weights|200"][value]
    found = precompute_03_dial.measured("adamw", "weights", 1.0, 200)
    assert mean(found["accuracy"]) == pytest.approx(mean(stored["accuracy"]), abs=0.05)
    assert mean(found["total_bits"]) == pytest.approx(mean(stored["total_bits"]), rel=0.1)
    assert found["histogram"]["weights_rms"] == pytest.approx(
        stored["histogram"]["weights_rms"], rel=0.1
    )


def test_the_code_can_be_read_back():
    """Rounding is what the bits pay for: no more places, no fewer bits."""
    torch.manual_seed(0)
    whole, _ = precompute_03_dial.split_mnist1d()
    data = whole.subset(slice(0, 60))
    model = precompute_03_dial.small_cnn()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model_bits, data_bits = precompute_03_dial.shortest_code(model, data)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert model_bits >= 20 * len(list(model.parameters()))
    assert model_bits + data_bits < 60 * math.log2(10) + 20 * 11 + 30  # zeros would do as well


# ---- dropout as a committee ---------------------------------------------------------------------

COMMITTEE_PRESETS = {p["name"]: p["state"] for p in committee_module.PRESETS}


def committee(**changes: Any) -> dict[str, Any]:
    return compute_dropout_committee(**{**committee_module.OPENING, **changes})


def by_torch(network: str, masks: list[torch.Tensor], p: float) -> torch.Tensor:
    """Logits of one thinned network by the layers of torch, the mask put in by hand."""
    w1, b1, w2, b2, w3, b3 = committee_module._weights(network)
    x = committee_module.shrunk(committee_module.split_mnist()[1].inputs)
    h = F.linear(x, w1, b1).relu() * masks[0] / (1 - p)
    return F.linear(F.linear(h, w2, b2).relu() * masks[1] / (1 - p), w3, b3)


@pytest.mark.parametrize("network", committee_module.NETWORKS)
@pytest.mark.parametrize("p", [0.2, 0.5])
def test_a_member_is_a_network_without_its_dropped_units(network, p):
    first, second = committee_module._factors(regularization.dropout, "both", p, 50, 3)
    members, scaled = committee_module._answers(regularization.dropout, network, "both", p, 3)
    assert members.shape == (50, 1000, 10)
    for m in (0, 49):
        masks = [(factors[m] > 0).float() for factors in (first, second)]
        assert torch.allclose(members[m], by_torch(network, masks, p), atol=1e-4)
    assert torch.allclose(
        scaled, by_torch(network, [torch.ones(committee_module.N_HIDDEN)] * 2, 0.0), atol=1e-4
    )


def test_what_is_shown_is_counted_from_the_members():
    state = {"p": 0.3, "n_masks": 7, "digit": 4, "draw": 5, "average": "logits"}
    data = committee(**state)
    members, scaled = committee_module._answers(regularization.dropout, "dropout", "both", 0.3, 5)
    held_out = committee_module.split_mnist()[1]
    chosen = committee_module._on_offer()[4]
    votes, labels = members.argmax(2), held_out.targets
    for k in (1, 7, 50):
        answers = members[:k].mean(0).argmax(1)
        right = (answers == labels).float().mean().item()
        same = (answers == scaled.argmax(1)).float().mean().item()
        assert data["curve"]["y"][k - 1] == pytest.approx(right, abs=1e-4)
        assert committee(**state, shown="agreement")["curve"]["y"][k - 1] == pytest.approx(
            same, abs=1e-4
        )
    alone = (votes[:7] == labels).float().mean(1)
    assert data["accuracy"]["alone"] == pytest.approx(alone.mean().item())
    assert data["accuracy"]["range"] == pytest.approx([alone.min().item(), alone.max().item()])
    shown = data["votes"]
    assert torch.allclose(torch.tensor(shown["members"]), members[:7, chosen], atol=1e-3)
    assert torch.allclose(torch.tensor(shown["mean"]), members[:7, chosen].mean(0), atol=1e-3)
    assert torch.allclose(torch.tensor(shown["scaled"]), scaled[chosen], atol=1e-3)
    assert sum(shown["counts"]) == 7
    assert shown["counts"] == votes[:7, chosen].bincount(minlength=10).tolist()
    assert data["digit"]["label"] == labels[chosen]
    pixels = explore.dropout_committee().setup["digits"][4]["pixels"]
    assert torch.allclose(torch.tensor(pixels), held_out.inputs[chosen, 0], atol=1e-3)


def test_probabilities_are_averaged_as_probabilities():
    data = committee(average="probabilities", n_masks=9)
    members, _ = committee_module._answers(regularization.dropout, "dropout", "both", 0.5, 0)
    expected = members[:9].softmax(2).mean(0)
    chosen = committee_module._on_offer()[committee_module.OPENING["digit"]]
    assert torch.allclose(torch.tensor(data["votes"]["mean"]), expected[chosen], atol=1e-3)
    assert sum(data["votes"]["mean"]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("digit", [0, 5, 11])
@pytest.mark.parametrize("network", committee_module.NETWORKS)
def test_in_the_last_layer_the_scaled_net_is_the_mean_of_all_masks(network, digit):
    """Exactly, since logits are linear there: what is left is the error of 2,000 masks."""
    state = {"network": network, "average": "logits", "digit": digit, "n_masks": 50}
    last, both = (
        mean(data["gap"] / data["noise"] for data in answers)
        for answers in (
            [committee(**state, where=where, draw=draw) for draw in range(6)]
            for where in ("last", "both")
        )
    )
    assert last < 1.3 and both > 1.4 * last


@pytest.mark.parametrize("average", committee_module.AVERAGES)
@pytest.mark.parametrize("draw", [0, 1, 2])
def test_variance_of_the_mean_falls_as_one_over_the_masks(average, draw):
    curve = committee(shown="variance", average=average, draw=draw)["curve"]
    assert curve["law"][0] / curve["law"][49] == pytest.approx(50, rel=1e-3)
    for n in (1, 5, 20, 50):
        assert curve["y"][n - 1] == pytest.approx(curve["law"][n - 1], rel=0.6)


def test_the_same_draw_is_the_same_committee():
    assert committee(draw=7) == committee(draw=7)
    assert committee(draw=8)["votes"]["members"] != committee(draw=7)["votes"]["members"]
    more, fewer = (committee(n_masks=n)["votes"]["members"] for n in (20, 4))
    assert more[:4] == fewer


def test_the_readers_random_numbers_stay_as_they_were():
    before = torch.random.get_rng_state()
    committee_module._weights.cache_clear()
    committee(draw=11)
    assert torch.equal(torch.random.get_rng_state(), before)


@given(
    network=st.sampled_from(list(committee_module.NETWORKS)),
    where=st.sampled_from(list(committee_module.WHERE)),
    average=st.sampled_from(list(committee_module.AVERAGES)),
    shown=st.sampled_from(list(committee_module.SHOWN)),
    p=st.floats(*committee_module.RATES),
    n_masks=st.integers(1, 50),
    digit=st.integers(0, 11),
    draw=st.integers(0, 99),
)
@settings(deadline=None, max_examples=20)
def test_committee_answers_everywhere(**state):
    data = compute_dropout_committee(**state)
    json.dumps(data, allow_nan=False)
    assert len(data["votes"]["members"]) == sum(data["votes"]["counts"]) == state["n_masks"]
    assert len(data["curve"]["y"]) == 50
    low, high = data["accuracy"]["range"]
    assert 0 <= low <= data["accuracy"]["alone"] <= high <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "CNN"}, "no network 'CNN': expected one of dropout, plain"),
        ({"where": "first"}, "no where 'first'"),
        ({"average": "votes"}, "no average 'votes'"),
        ({"shown": "loss"}, "no shown 'loss'"),
        ({"p": 0.0}, "p must be a number in 0.05 ... 0.9, got 0.0"),
        ({"p": 1.0}, "p must be"),
        ({"p": math.nan}, "p must be"),
        ({"n_masks": 0}, "n_masks must be an integer in 1 ... 50, got 0"),
        ({"n_masks": 51}, "n_masks must be"),
        ({"n_masks": True}, "n_masks must be"),
        ({"n_masks": 2.0}, "n_masks must be"),
        ({"digit": 12}, "digit must be an integer in 0 ... 11, got 12"),
        ({"digit": -1}, "digit must be"),
        ({"draw": 100}, "draw must be an integer in 0 ... 99"),
    ],
)
def test_committee_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        committee(**changes)
    assert "\n" not in str(refusal.value)


def mine(x, p, *, training, generator=None):
    if not training:
        return x
    return x * (torch.rand(x.shape, generator=generator) >= p) / (1 - p)


def without_scaling(x, p, *, training, generator=None):
    return mine(x, p, training=training, generator=generator) * (1 - p) if training else x


def classic(x, p, *, training, generator=None):
    return without_scaling(x, p, training=True, generator=generator) if training else x * (1 - p)


def keeps_p(x, p, *, training, generator=None):
    return mine(x, 1 - p, training=training, generator=generator)


def always_on(x, p, *, training, generator=None):
    return mine(x, p, training=True, generator=generator)


def one_mask_for_all(x, p, *, training, generator=None):
    return x * mine(x[:1], p, training=training, generator=generator)


def unseeded(x, p, *, training, generator=None):
    return mine(x, p, training=training)


def raising(x, p, **keywords):
    raise KeyError("first\nsecond")


@pytest.mark.parametrize(
    ("dropout", "p", "says"),
    [
        (mine, 0.3, "divides the others by 1 − p, and does nothing in evaluation"),
        (regularization.dropout, 0.9, "as the library's"),
        (F.dropout, 0.5, "raised TypeError"),
        (without_scaling, 0.5, "makes 0.50 of a 1 on average over masks, expected 1"),
        (without_scaling, 0.5, "divided by 1 − p, which makes it 2."),
        (classic, 0.5, "changes its input in evaluation: 0.5 for a 1"),
        (keeps_p, 0.2, "% of the units at p = 0.2. p is the share that is dropped, not the share"),
        (lambda x, p, **k: mine(x, p / 2, **k), 0.5, "% of the units at p = 0.5."),
        (always_on, 0.5, "changes its input in evaluation"),
        (one_mask_for_all, 0.5, "draws one mask for the whole batch"),
        (lambda x, p, **k: x, 0.5, "drops nothing in training"),
        (unseeded, 0.5, "does not use the generator"),
        (raising, 0.5, "raised KeyError"),
        (lambda x, p, **k: None, 0.5, "returned NoneType, expected a tensor"),
        (lambda x, p, **k: x[:, :9], 0.5, "made (2000, 9) of shape (2000, 64)"),
        (lambda x, p, **k: x * math.nan, 0.5, "no finite numbers"),
        (lambda x, p, **k: x.long(), 0.5, "no finite numbers"),
        (lambda x, p, **k: mine(x.double(), p / 2, **k), 0.5, "% of the units at p = 0.5."),
    ],
)
def test_own_dropout_draws_the_masks_and_is_judged(dropout, p, says):
    data = committee(dropout=dropout, p=p, n_masks=5)
    verdict = data["verdict"]
    assert says in verdict["text"] and "\n" not in verdict["text"]
    assert verdict["agrees"] == (dropout in (mine, regularization.dropout))
    json.dumps(data, allow_nan=False)
    library = committee(p=p, n_masks=5)
    assert ("Shown: the library's" in verdict["text"]) == (not verdict["is_used"])
    if not verdict["is_used"]:
        assert data["votes"] == library["votes"] and data["curve"] == library["curve"]


def test_own_dropout_makes_the_networks():
    library = committee(average="logits", n_masks=50)
    same = committee(average="logits", n_masks=50, dropout=mine)
    assert same["votes"]["scaled"] == library["votes"]["scaled"]
    assert same["gap"] == pytest.approx(library["gap"], abs=0.15)
    halved = committee(average="logits", n_masks=50, dropout=without_scaling)
    largest = {
        name: max(map(abs, data["votes"]["mean"]))
        for name, data in (("library", library), ("same", same), ("halved", halved))
    }
    assert largest["same"] == pytest.approx(largest["library"], rel=0.25)
    assert largest["halved"] < 0.5 * largest["library"]
    alike = committee(n_masks=50, dropout=one_mask_for_all)
    assert alike["votes"]["members"][0] == alike["votes"]["members"][49]
    assert alike["variance"] == 0


def test_own_dropout_cannot_spoil_what_it_gets():
    def in_place(x, p, *, training, generator=None):
        return x.copy_(mine(x, p, training=training, generator=generator))

    assert committee(dropout=in_place)["verdict"]["agrees"]
    assert committee(dropout=in_place)["accuracy"]["scaled"] == committee()["accuracy"]["scaled"]


def test_own_dropout_must_be_a_function():
    with pytest.raises(ValueError, match="must be a function"):
        explore.dropout_committee(dropout=0.5)


def test_what_the_presets_of_the_committee_say_is_so():
    for draw in range(3):
        ends = {name: committee(**state, draw=draw) for name, state in COMMITTEE_PRESETS.items()}
        many, one = ends["a committee"]["accuracy"], ends["one mask"]["accuracy"]
        assert many["alone"] < many["scaled"] - 0.02
        assert many["committee"] > many["alone"] + 0.015
        assert abs(many["committee"] - many["scaled"]) < 0.012
        assert one["committee"] == one["alone"] < one["scaled"]

        exact, not_exact = ends["exact in the last layer"], ends["variance"]
        assert exact["agreement"] > 0.985
        assert exact["gap"] / exact["noise"] < 2.5 and not_exact["gap"] / not_exact["noise"] > 1.2

        plain = ends["never masked in training"]
        assert plain["accuracy"]["alone"] < many["alone"] - 0.1
        assert plain["accuracy"]["committee"] > plain["accuracy"]["alone"] + 0.1
        assert plain["agreement"] < ends["a committee"]["agreement"]
    assert committee(n_masks=1, draw=1)["votes"] != committee(n_masks=1, draw=2)["votes"]


def test_digits_run_from_clear_to_doubtful():
    clear, doubtful = committee(digit=0, n_masks=50), committee(digit=11, n_masks=50)
    assert max(clear["votes"]["counts"]) > 45 > 35 > max(doubtful["votes"]["counts"])


# ---- what both share ----------------------------------------------------------------------------


@pytest.fixture(params=["lambda_dial", "dropout_committee"])
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
    alt = explore.dropout_committee()._repr_mimebundle_()[0]["text/plain"]
    assert alt.startswith("A handwritten 7, what 25 masked networks and the scaled one answer")
    assert (
        "One mask alone is right less often than the scaled network, the mean of 25 about as" in alt
    )
    alt = explore.lambda_dial()._repr_mimebundle_()[0]["text/plain"]
    assert "a small network trained on 1,000 labels with AdamW" in alt
    assert "without decay to" in alt and "Chosen: λ = 3." in alt


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


@pytest.mark.parametrize("name", ["lambda_dial", "dropout_committee"])
def test_front_ends_need_nothing_from_elsewhere(name):
    text = front_end(name)
    assert "import " not in text
    assert text.count("http") == 1  # the name of the SVG namespace
    assert text.count("export default") == 1


@pytest.mark.parametrize("make", [explore.lambda_dial, explore.dropout_committee])
def test_missing_store_is_named(make, tmp_path, monkeypatch):
    monkeypatch.setenv("COMPANION_COURSE", str(tmp_path))
    committee_module._weights.cache_clear()
    committee_module._first_layer.cache_clear()
    committee_module._answers.cache_clear()
    committee_module._committee.cache_clear()
    committee_module._on_offer.cache_clear()
    with pytest.raises(FileNotFoundError, match="no stored result"):
        make()
