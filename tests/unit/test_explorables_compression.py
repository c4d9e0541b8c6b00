"""Chapter 05's explorables without a browser: their laws, their corners, what their presets say."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from companion import models
from companion.compression import (
    break_even_rank,
    compress,
    factorize_linear,
    layer_costs,
    pruning_masks,
)
from companion.explorables import compression as explore
from companion.explorables import rank_knob as knob_module
from companion.explorables import two_part_dial as dial_module
from companion.explorables.compression import compute_rank_knob, compute_two_part_dial
from companion.explorables.view import front_end
from companion.storage import precomputed
from tools import precompute_05_explorables as tool

DIAL, KNOB = precomputed("05", "dial"), precomputed("05", "rank")
DIAL_PRESETS = {p["name"]: p["state"] for p in dial_module.PRESETS}
KNOB_PRESETS = {p["name"]: p["state"] for p in knob_module.PRESETS}


def dial(results: Any = DIAL, **changes: Any) -> dict[str, Any]:
    return compute_two_part_dial(results, **{**dial_module.OPENING, **changes})


def knob(results: Any = KNOB, **changes: Any) -> dict[str, Any]:
    return compute_rank_knob(results, **{**knob_module.OPENING, **changes})


# ---- what is computed beforehand ----------------------------------------------------------------


def shared(n_levels: int = 4, density: float = 0.3) -> tool.Shared:
    torch.manual_seed(0)
    network = models.cnn1d(4)
    return tool.Shared(network, pruning_masks(network, density, scope="global"), n_levels)


def test_a_shared_network_has_its_levels_and_zeros_and_nothing_else():
    model = shared()
    settled = model.settled()
    sent = torch.cat([p.flatten() for p in settled.parameters()])
    weights = torch.cat([p.flatten() for p in settled.parameters() if p.ndim > 1])
    assert len(sent[sent != 0].unique()) == 4
    assert torch.equal(sent, sent.half().float())
    assert (weights != 0).sum() == round(0.3 * len(weights))
    x = torch.randn(5, 40)
    assert torch.equal(model(x), settled(x))


def test_each_kept_number_goes_to_its_nearest_level_and_gets_its_gradient():
    model = shared()
    numbers = torch.cat([p.detach().flatten() for p in model.network.parameters()])
    sent = torch.cat([v.flatten() for v in model.values().values()])
    nearest = model.levels[(numbers[:, None] - model.levels).abs().argmin(1)]
    assert torch.equal(sent, torch.where(model.is_kept, nearest, 0))
    cotangent = torch.randn(len(numbers))
    (sent * cotangent).sum().backward()
    gradient = torch.cat([p.grad.flatten() for p in model.network.parameters()])
    assert torch.equal(gradient, torch.where(model.is_kept, cotangent, 0))
    for k, level in enumerate(model.levels):
        of_level = model.is_kept & (sent == level)
        assert model.levels.grad[k] == pytest.approx(cotangent[of_level].sum().item(), abs=1e-5)


def test_shuffled_labels_are_the_same_labels_in_another_order():
    (train, test), (random, again) = tool.labelled("true"), tool.labelled("random")
    assert torch.equal(train.inputs, random.inputs) and torch.equal(test.targets, again.targets)
    assert torch.equal(train.targets.bincount(), random.targets.bincount())
    assert 0.05 < (train.targets == random.targets).float().mean() < 0.15


def test_what_is_sent_is_the_length_of_a_file():
    train, test = tool.labelled("true")
    settled = shared().settled()
    found = tool.sent(settled, train.subset(slice(0, 50)), test)
    for coder, parts in found["files"].items():
        assert sum(parts) == 8 * len(compress(settled, coder=coder))


def test_cut_layers_are_the_librarys_and_whole_ones_stay():
    torch.manual_seed(0)
    model = models.lenet_300_100()
    x = torch.randn(2, 1, 28, 28)
    assert torch.equal(tool.cut(model, {"1": 300, "3": 100})(x), model(x))
    small = tool.cut(model, {"1": 16, "3": 100})
    expected = factorize_linear(model[1], 16)(x.flatten(1))
    assert torch.equal(small[1](x.flatten(1)), expected)
    assert isinstance(model[1], torch.nn.Linear)


# ---- the two-part dial --------------------------------------------------------------------------


def test_a_message_is_network_and_labels():
    for coder in dial_module.CODERS:
        data = dial(coder=coder)
        for bar in data["bars"]:
            assert abs(bar["model"] + bar["labels"] - bar["total"]) <= 1
            assert bar["low"] <= bar["total"] <= bar["high"]
        for message in data["messages"]:
            assert sum(bits for _, bits in message["parts"]) == pytest.approx(
                message["total"], abs=4
            )
        here = next(m for m in data["messages"] if m["coder"] == coder)
        i, j = data["place"]
        assert here["total"] == data["totals"][i][j] == data["bars"][data["bar"]]["total"]
    assert data["uniform"] == round(4000 * math.log2(10)) == 13288


@pytest.mark.parametrize("coder", dial_module.CODERS)
@pytest.mark.parametrize("labels", dial_module.LABELS)
def test_the_shortest_is_the_least_of_the_grid(coder, labels):
    data = dial(coder=coder, labels=labels)
    least = min(map(min, data["totals"]))
    i, j = data["shortest"]
    assert data["totals"][i][j] == least
    d, n = data["densities"][i], data["levels"][j]
    assert dial(coder=coder, labels=labels, density=d, n_levels=n)["text"].endswith(
        "This is the shortest of the grid."
    )


def test_bars_are_a_row_or_a_column_of_the_grid():
    for density in DIAL["densities"]:
        data = dial(density=density, along="levels")
        assert [bar["total"] for bar in data["bars"]] == data["totals"][data["place"][0]]
    for n_levels in DIAL["levels"]:
        data = dial(n_levels=n_levels, along="density")
        column = [line[data["place"][1]] for line in data["totals"]]
        assert [bar["total"] for bar in data["bars"]] == column


def test_the_page_may_send_whole_numbers():
    assert dial(density=1, n_levels=0) == dial(density=1.0, n_levels=0)


def test_what_the_presets_of_the_dial_say_is_so():
    ends = {name: dial(**state) for name, state in DIAL_PRESETS.items()}

    def chosen(name: str) -> dict[str, Any]:
        return ends[name]["bars"][ends[name]["bar"]]

    first = ends["the shortest"]
    uniform = first["uniform"]
    assert first["place"] == first["shortest"] and chosen("the shortest")["total"] < uniform / 2
    models_, labels = ([bar[key] for bar in first["bars"]] for key in ("model", "labels"))
    assert models_[0] > models_[-1] and labels[0] < labels[-1]
    assert first["bars"][0]["total"] > chosen("the shortest")["total"] < first["bars"][-1]["total"]
    best = max(map(max, first["accuracies"]))
    assert best > chosen("the shortest")["accuracy"] + 0.05
    assert chosen("the shortest")["model"] > 2 * models_[-1]

    whole = chosen("float32")
    assert 4.9 * uniform < whole["model"] < 5.2 * uniform and whole["labels"] < uniform / 15
    rounded = next(b for b, n in zip(ends["float32"]["bars"], DIAL["levels"], strict=True)
                   if n == 32)  # fmt: skip
    assert rounded["model"] < whole["model"] / 5
    assert rounded["accuracy"] > whole["accuracy"] - 0.01

    small = chosen("too small")
    assert 0.9 * uniform < small["labels"] < uniform < small["total"]

    equal = ends["equal words"]
    assert equal["densities"][equal["shortest"][0]] > 0.6 > first["densities"][first["place"][0]]
    assert min(map(min, equal["totals"])) > 1.1 * min(map(min, first["totals"]))

    shuffled = ends["shuffled labels"]
    assert min(map(min, shuffled["totals"])) > uniform and shuffled["prequential"] is None


@given(
    density=st.sampled_from(DIAL["densities"]),
    n_levels=st.sampled_from(DIAL["levels"]),
    coder=st.sampled_from(list(dial_module.CODERS)),
    labels=st.sampled_from(list(dial_module.LABELS)),
    along=st.sampled_from(list(dial_module.ALONG)),
    shown=st.sampled_from(list(dial_module.SHOWN)),
)
@settings(deadline=None, max_examples=40)
def test_the_dial_answers_everywhere(**state):
    data = compute_two_part_dial(DIAL, **state)
    json.dumps(data, allow_nan=False)
    assert "nan" not in data["text"] and "\n" not in data["text"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"density": 0.0}, "no density 0.0: expected one of 1.0, 0.7"),
        ({"density": True}, "no density True"),
        ({"density": math.nan}, "no density nan"),
        ({"n_levels": 3}, "no n_levels 3: expected one of 2, 4, 8, 16, 32, 0"),
        ({"n_levels": False}, "no n_levels False"),
        ({"coder": "zip"}, "no coder 'zip': expected one of raw, huffman, arithmetic"),
        ({"labels": "none"}, "no labels 'none': expected one of true, random"),
        ({"along": "coder"}, "no along 'coder'"),
        ({"shown": "loss"}, "no shown 'loss': expected one of bits, accuracy"),
    ],
)
def test_the_dial_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        dial(**changes)
    assert "\n" not in str(refusal.value)


# ---- the rank knob ------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["1", "3"])
def test_error_is_that_of_the_cut_matrix(layer):
    """Eckart and Young: the relative error of a cut is the root of the energy cut off."""
    spectrum = torch.tensor(KNOB["spectra"][layer], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    n = len(spectrum)
    u, v = (
        torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))[0]
        for _ in range(2)
    )
    matrix = u @ spectrum.diag() @ v.T
    for r in KNOB["ranks"][layer]:
        cut = u[:, :r] @ spectrum[:r].diag() @ v[:, :r].T
        expected = ((matrix - cut).norm() / matrix.norm()).item()
        data = knob(layer=layer, **{f"rank_{layer}": r})
        assert data["relative_error"] == pytest.approx(expected, abs=1e-3)
        assert data["energy"] == pytest.approx(1 - expected**2, abs=1e-3)


@pytest.mark.parametrize("ranks", [(16, 16), (216, 100), (300, 100), (1, 1), (300, 74)])
def test_costs_are_those_that_the_library_counts(ranks):
    model = tool.cut(models.lenet_300_100(), {"1": ranks[0], "3": ranks[1]})
    costs = layer_costs(model, torch.zeros(1, 1, 28, 28))
    data = knob(rank_1=ranks[0], rank_3=ranks[1])
    assert data["multiply_adds"] == sum(row.multiply_adds for row in costs)
    assert data["parameters"] == models.n_parameters(model)
    assert data["parameters_whole"] == models.n_parameters(models.lenet_300_100())


def test_break_even_is_where_the_factors_are_even():
    for layer in ("1", "3"):
        data = knob(layer=layer)
        m, n = data["shape"]
        r = data["break_even"]
        assert r == break_even_rank(m, n) and r in data["ranks"]
        assert r * (m + n) < m * n <= (r + 1) * (m + n)


def test_curves_go_through_the_grid():
    for layer, key in (("1", "{}|16"), ("3", "16|{}")):
        for epochs in knob_module.EPOCHS:
            data = knob(layer=layer, epochs=epochs)
            rows = [KNOB["grid"][key.format(r)] for r in data["ranks"]]
            assert data["before"] == [row[0] for row in rows]
            assert data["after"] == [row[epochs] for row in rows]
            assert data["whole"] == KNOB["grid"]["300|100"][0]


def test_what_the_presets_of_the_knob_say_is_so():
    ends = {name: knob(**state) for name, state in KNOB_PRESETS.items()}

    def before(name: str, rank: int) -> float:
        return ends[name]["before"][ends[name]["ranks"].index(rank)]

    tenth = ends["a tenth"]
    assert 0.6 < tenth["energy"] < 0.7
    assert tenth["multiply_adds"] < 0.1 * tenth["multiply_adds_whole"]
    assert 0.01 < tenth["whole"] - before("a tenth", 16) < 0.02

    even = ends["break-even"]
    assert even["rank"] == even["break_even"] == 216
    assert 0.99 < even["multiply_adds"] / even["multiply_adds_whole"] < 1
    assert abs(even["whole"] - before("break-even", 216)) < 0.005

    energy = ends["90 % of the energy"]
    assert 0.8 * 128 < energy["energy_rank"] <= 128 and energy["energy"] >= 0.9
    assert abs(before("90 % of the energy", 32) - energy["whole"]) < 0.005
    torch.manual_seed(1)
    fresh = torch.linalg.svdvals(models.lenet_300_100()[1].weight.detach())
    tail = torch.tensor(energy["spectrum"])[64:] / fresh[64:]
    assert tail.max() < 1.25 and tail.min() > 0.9

    one = ends["rank 1"]
    gains = [b - a for a, b in zip(one["before"], one["after"], strict=True)]
    assert one["after"][0] < 0.4 and max(gains) == gains[one["ranks"].index(4)]
    assert 0.55 < one["before"][2] < 0.65 and 0.78 < one["after"][2] < 0.85

    ten = ends["ten digits"]
    assert ten["spectrum"][9] > 1.7 * ten["spectrum"][10]
    assert ten["spectrum"][10] < 1.2 * ten["spectrum"][14]
    assert before("ten digits", 8) < ten["whole"] - 0.04
    assert abs(before("ten digits", 16) - ten["whole"]) < 0.005


@given(
    rank_1=st.sampled_from(KNOB["ranks"]["1"]),
    rank_3=st.sampled_from(KNOB["ranks"]["3"]),
    layer=st.sampled_from(list(knob_module.LAYERS)),
    epochs=st.sampled_from(knob_module.EPOCHS),
    scale=st.sampled_from(list(knob_module.SCALES)),
)
@settings(deadline=None, max_examples=40)
def test_the_knob_answers_everywhere(**state):
    data = compute_rank_knob(KNOB, **state)
    json.dumps(data, allow_nan=False)
    assert 0 <= data["relative_error"] < 1 and 0 < data["energy"] <= 1
    assert (data["relative_error"] == 0) == (data["rank"] == data["full"])
    assert "error" not in data


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank_1": 0}, "no rank_1 0: expected one of 1, 2, 4"),
        ({"rank_1": 301}, "no rank_1 301"),
        ({"rank_3": True}, "no rank_3 True"),
        ({"rank_3": 17}, "no rank_3 17"),
        ({"layer": "5"}, "no layer '5': expected one of 1, 3"),
        ({"epochs": 4}, "no epochs 4: expected one of 0, 1, 2, 3"),
        ({"epochs": math.nan}, "no epochs nan"),
        ({"scale": "square"}, "no scale 'square'"),
    ],
)
def test_the_knob_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        knob(**changes)
    assert "\n" not in str(refusal.value)


# ---- what both share ----------------------------------------------------------------------------

NAMES = ("two_part_dial", "rank_knob")


@pytest.fixture(params=NAMES)
def make(request):
    return getattr(explore, request.param)


def test_bundle_carries_the_widget_and_a_picture(make):
    bundle, metadata = make()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == metadata["image/png"]["alt"]
    again, _ = make()._repr_mimebundle_()
    assert again["image/png"] == bundle["image/png"]


def test_alt_texts_say_what_the_opening_shows():
    alt = explore.two_part_dial()._repr_mimebundle_()[0]["text/plain"]
    assert alt.startswith("Bits of a small network and of the 4,000 labels it predicts, stacked")
    assert "without a network the labels take 13,288 bits" in alt
    alt = explore.rank_knob()._repr_mimebundle_()[0]["text/plain"]
    assert alt.startswith("Singular values of the layer 784 to 300 of a trained network")
    assert alt.endswith("Two factors are smaller than the layer up to rank 216.")


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
        assert set(preset["state"]) == set(widget.state)
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
    with pytest.raises(FileNotFoundError, match="no stored result"):
        make()
