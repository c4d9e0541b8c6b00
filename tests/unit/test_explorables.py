"""The explorables without a browser: the compute functions at their corners, and what is stored."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from companion import architecture, models
from companion.explorables import architecture as explore
from companion.explorables import conv_microscope as microscope_module
from companion.explorables import inductive_bias as bias_module
from companion.explorables.architecture import (
    compute_conv_microscope,
    compute_inductive_bias,
)
from companion.explorables.echo import compute_echo, echo
from companion.explorables.view import front_end

OPENING = microscope_module.OPENING


def microscope(**changes: Any) -> dict[str, Any]:
    return compute_conv_microscope(**{**OPENING, **changes})


# ---- conv microscope ----------------------------------------------------------------------------


@given(
    name=st.sampled_from(microscope_module.INPUTS),
    side=st.sampled_from(microscope_module.SIDES),
    stride=st.integers(1, 4),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 3),
    cell=st.tuples(st.integers(-3, 60), st.integers(-3, 60)),
)
@settings(deadline=None, max_examples=60)
def test_microscope_agrees_with_torch(name, side, stride, padding, dilation, cell):
    kernel = torch.randn(side, side, generator=torch.Generator().manual_seed(side)).tolist()
    data = microscope(
        input=name, kernel=kernel, stride=stride, padding=padding, dilation=dilation,
        cell=cell, show_matrix=True,
    )  # fmt: skip
    steps = {"stride": stride, "padding": padding, "dilation": dilation}
    image, weight = torch.tensor(data["image"]), torch.tensor(kernel)
    expected = F.conv2d(image[None, None], weight[None, None], **steps)[0, 0]
    assert torch.allclose(torch.tensor(data["output"]), expected, atol=1e-3)
    size = data["settings"]["size"]
    assert data["arithmetic"].endswith(f"= {size}")
    assert expected.shape == (size, size)
    window = data["window"]
    row, column = window["cell"]
    assert 0 <= row < size and 0 <= column < size
    assert window["sum"] == pytest.approx(window["output"], abs=2e-3)

    n = data["matrix"]["n"]
    small = torch.rand(n, n, generator=torch.Generator().manual_seed(1))
    answer = F.conv2d(small[None, None], weight[None, None], **steps).flatten()
    rows = torch.tensor(data["matrix"]["values"])
    assert torch.allclose(rows @ small.flatten(), answer[: len(rows)], atol=1e-2)
    assert list(answer.shape) == data["matrix"]["shape"][:1]
    json.dumps(data, allow_nan=False)


def test_window_counts_padding_as_zeros():
    window = microscope(padding=1, cell=[0, 0], input="checkerboard")["window"]
    assert window["inside"][0] == [False, False, False]
    assert window["values"][0] == [0.0, 0.0, 0.0]
    assert window["inside"][1] == [False, True, True]


def test_a_drawing_is_used_row_by_row():
    pixels = [0.0] * 784
    pixels[3 * 28 + 5] = 1.0
    data = microscope(input="drawing", pixels=pixels, kernel=[[2.0]])
    assert data["image"][3][5] == 1.0
    assert data["output"][3][5] == 2.0
    assert microscope(input="drawing")["output"][0][0] == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": "cat"}, "no input 'cat'"),
        ({"stride": 0}, "stride must be an integer in 1 ... 4, got 0"),
        ({"stride": 5}, "stride must be"),
        ({"stride": True}, "stride must be"),
        ({"padding": -1}, "padding must be"),
        ({"padding": 1.0}, "padding must be"),
        ({"dilation": 4}, "dilation must be"),
        ({"kernel": [[1.0, 2.0], [3.0, 4.0]]}, "kernel must be"),
        ({"kernel": [[1.0], [2.0], [3.0]]}, "kernel must be"),
        ({"kernel": []}, "kernel must be"),
        ({"kernel": [[float("nan")]]}, "kernel values"),
        ({"kernel": [[100.0]]}, "kernel values"),
        ({"input": "drawing", "pixels": [0.0] * 10}, "square image"),
        ({"input": "drawing", "pixels": [2.0] * 784}, r"in \[0, 1\]"),
        ({"input": "drawing", "pixels": [0.0], "kernel": OPENING["kernel"]}, "does not fit"),
    ],
)
def test_microscope_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        microscope(**changes)
    assert "\n" not in str(refusal.value)


def flipped(x, weight, bias=None, stride=1, padding=0, dilation=1):
    return architecture.conv2d(x, weight.flip(-1), bias, stride, padding, dilation)


def raising(x, weight, **steps):
    raise KeyError("first\nsecond")


def with_nan(x, weight, **steps):
    answer = architecture.conv2d(x, weight, **steps)
    answer[0, 0, 2, 3] = torch.nan
    return answer


@pytest.mark.parametrize(
    ("conv2d", "says"),
    [
        (F.conv2d, "agrees with the library"),
        (flipped, "most at row"),
        (raising, "raised KeyError"),
        (lambda x, weight, **steps: None, "returned NoneType"),
        (lambda x, weight, **steps: x, "gives shape (1, 1, 28, 28), the library (1, 1, 26, 26)"),
        (with_nan, "differs in 1 of 676 places, most at row 2, column 3: yours nan"),
    ],
)
def test_own_layer_draws_and_is_compared(conv2d, says):
    data = microscope(conv2d=conv2d)
    verdict = data["verdict"]
    assert says in verdict["text"] and "\n" not in verdict["text"]
    assert verdict["agrees"] == (conv2d is F.conv2d)
    json.dumps(data, allow_nan=False)
    if says in ("raised KeyError", "returned NoneType"):
        assert data["output"] == microscope()["output"]


def test_own_layer_cannot_spoil_the_input():
    def in_place(x, weight, **steps):
        x.zero_(), weight.zero_()
        return architecture.conv2d(x, weight, **steps)

    assert microscope(conv2d=in_place)["image"] == microscope()["image"]


def test_own_layer_must_be_a_function():
    with pytest.raises(ValueError, match="must be a function"):
        explore.conv_microscope(conv2d=3)


def test_presets_are_states_that_compute():
    for preset in microscope_module.PRESETS:
        data = microscope(**preset["state"])
        assert data["settings"]["size"] > 0
        assert preset["point"].endswith(".")
    sizes = {p["name"]: microscope(**p["state"])["settings"] for p in microscope_module.PRESETS}
    assert sizes["padding keeps the size"]["size"] == 28
    assert sizes["stride halves"]["size"] == 14
    assert sizes["dilation sees farther"]["span"] == 7
    answers = microscope(**microscope_module.PRESETS[4]["state"])["output"]
    assert sum(value != 0 for row in answers for value in row) == 9


# ---- inductive bias -----------------------------------------------------------------------------

ENDS = [32, 100, 400]
UNIFORM = 400 * 3.321928
RESULTS = {
    "ends": ENDS,
    "uniform": UNIFORM,
    "curves": {
        "CNN|recorded|true": {"block_bits": [[106.3, 150.0, 400.0], [106.3, 170.0, 420.0]]},
        "CNN|shuffled|true": {"block_bits": [[106.3, 220.0, 980.0]]},
        "MLP|recorded|true": {"block_bits": [[106.3, 200.0, 700.0]]},
        "CNN|recorded|random": {"block_bits": [[106.3, 227.0, 996.0]]},
        "MLP|recorded|random": {"block_bits": [[106.3, 260.0, 1100.0]]},
    },
}
STATE = {"model": "CNN", "order": "recorded", "labels": "true", "sent": 3}


def bias(**changes: Any) -> dict[str, Any]:
    return compute_inductive_bias(RESULTS, **{**STATE, **changes})


def test_curve_is_the_mean_over_seeds():
    curve = bias()["curves"][0]
    assert curve["x"] == [0, *ENDS]
    assert curve["y"] == [0.0, 106.3, 266.3, 676.3]
    assert curve["low"][-1] == 656.3 and curve["high"][-1] == 696.3
    assert curve["n_seeds"] == 2


def test_rate_is_bits_per_label_of_each_block():
    data = bias(view="rate", model="MLP")
    assert data["curves"][0]["y"] == [
        pytest.approx(106.3 / 32, abs=1e-4), pytest.approx(200 / 68, abs=1e-4),
        pytest.approx(700 / 300, abs=1e-4),
    ]  # fmt: skip
    assert data["rate"] == pytest.approx(3.3219, abs=1e-4)


def test_words_follow_the_curves():
    assert "saves 652 bits, which would send 196 labels" in bias()["text"]
    assert "MLP needs 330 more." in bias(compare="MLP|recorded|true")["text"]
    assert "needs 330 fewer" in bias(model="MLP", compare="CNN|recorded|true")["text"]
    assert "Nothing is saved" in bias(labels="random")["text"]
    assert "price of confident mistakes" in bias(model="MLP", labels="random")["text"]
    first = bias(sent=1)
    assert "before anything is known" in first["text"]
    assert first["n_sent"] == 32 and first["curves"][0]["x"] == [0, 32]


def test_comparing_a_curve_with_itself_draws_it_once():
    assert len(bias(compare="CNN|recorded|true")["curves"]) == 1


def test_missing_combinations_are_named():
    missing = bias(model="MLP")["missing"]
    assert missing["order"] == ["shuffled"]
    assert missing["text"] == "Not measured, so not on offer here: MLP, shuffled."
    assert bias(order="shuffled")["missing"]["model"] == ["MLP"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": "sorted"}, "no order 'sorted'"),
        ({"labels": "noisy"}, "no labels 'noisy'"),
        ({"view": "pie"}, "no view 'pie'"),
        ({"sent": 0}, "1 ... 3; got 0"),
        ({"sent": 4}, "got 4"),
        ({"sent": True}, "got True"),
        ({"model": "GRU"}, "GRU was not measured"),
        ({"model": "MLP", "order": "shuffled"}, "MLP, shuffled was not measured"),
        ({"compare": "everything"}, "'everything' was not measured"),
    ],
)
def test_bias_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message):
        bias(**changes)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "precomputed" / "02"
    folder.mkdir(parents=True)
    text = json.dumps(RESULTS)
    (folder / "prequential.json").write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps({"prequential": {"sha256": digest}}))
    monkeypatch.setenv("COMPANION_COURSE", str(tmp_path))
    return tmp_path


def test_menu_holds_the_models_that_were_passed(store):
    widget = explore.inductive_bias({"CNN": models.cnn1d, "MLP": lambda: models.mlp()})
    assert widget.setup["models"] == ["CNN", "MLP"]
    assert [p["name"] for p in widget.setup["presets"]] == ["recorded", "shuffled", "random labels"]
    assert {key.split("|")[0] for key, _ in widget.data["measured"]} == {"CNN", "MLP"}
    only = explore.inductive_bias({"MLP": models.mlp})
    assert [p["name"] for p in only.setup["presets"]] == ["recorded", "random labels"]
    assert only.data["curves"][0]["name"] == "MLP"


def test_another_network_under_a_known_name_is_not_shown_as_the_stored_one(store):
    widget = explore.inductive_bias({"MLP": lambda: models.mlp(n_hidden=7)})
    assert widget.data["offer"] == "MLP|recorded|true"
    assert widget.data["curves"] == []
    assert "not been measured" in widget.data["text"]
    widget._repr_mimebundle_()


def test_own_network_is_measured_when_asked(store, monkeypatch):
    small = {**RESULTS, "ends": [64, 128]}
    train = bias_module.load("mnist1d").subset(slice(0, 128))
    monkeypatch.setattr(bias_module, "load", lambda name: train)
    monkeypatch.setattr(
        bias_module, "standard_fit", lambda network, data, seed: network.train(False)
    )
    widget = bias_module._InductiveBias(
        {**small, "curves": {}}, {"mine": lambda: models.mlp(n_hidden=3)}
    )
    heard: list[Any] = []
    widget.observe(lambda change: heard.append(change["new"]), names="data")
    before = torch.random.get_rng_state()
    for order, labels in (("recorded", "true"), ("shuffled", "random")):
        key = f"mine|{order}|{labels}"
        state = {**widget.state, "order": order, "labels": labels}
        widget.state = {**state, "turn": key, "request": key}
        assert widget.data["turn"] == key and widget.data["offer"] is None
        assert widget.data["curves"][0]["key"] == key
    assert [d["progress"] for d in heard if d.get("partial")] == [[1, 2], [2, 2]] * 2
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_network_that_cannot_be_trained_is_one_line(store, monkeypatch):
    train = bias_module.load("mnist1d").subset(slice(0, ENDS[-1]))
    monkeypatch.setattr(bias_module, "load", lambda name: train)
    widget = explore.inductive_bias({"mine": lambda: torch.nn.Linear(3, 10)})
    widget.state = {**widget.state, "turn": "1", "request": "mine|recorded|true"}
    assert widget.data["error"].startswith("measuring stopped: RuntimeError: ")
    assert "\n" not in widget.data["error"]


@pytest.mark.parametrize("wrong", [{}, {"CNN": models.cnn1d()}, ["CNN"], {"CNN": 3}])
def test_models_must_make_networks(store, wrong):
    with pytest.raises(ValueError, match="functions that make a network"):
        explore.inductive_bias(wrong)


def test_what_the_presets_say_is_so_in_the_stored_curves():
    widget = explore.inductive_bias()
    answers = {p["name"]: widget.respond(p["state"]) for p in widget.setup["presets"]}
    assert list(answers) == ["recorded", "shuffled", "random labels"]
    cnn, mlp = answers["recorded"]["curves"]
    assert cnn["total"] < 0.85 * mlp["total"]
    shuffled, recorded = answers["shuffled"]["curves"]
    assert shuffled["total"] > 1.2 * recorded["total"]
    (random,) = answers["random labels"]["curves"]
    uniform = answers["random labels"]["uniform"]
    assert uniform - 20 <= random["total"] <= 1.05 * uniform


def test_missing_store_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPANION_COURSE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no stored result 'prequential'"):
        explore.inductive_bias()


# ---- what all of them share ---------------------------------------------------------------------


@pytest.fixture(params=["microscope", "bias", "echo"])
def make(request, store):
    return {
        "microscope": explore.conv_microscope,
        "bias": explore.inductive_bias,
        "echo": echo,
    }[request.param]


def test_bundle_carries_the_widget_and_a_picture(make, monkeypatch):
    bundle, metadata = make()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == metadata["image/png"]["alt"]
    monkeypatch.setenv("COMPANION_PREDICTIONS", "off")
    again, _ = make()._repr_mimebundle_()
    assert again["image/png"] == bundle["image/png"]
    assert again["text/plain"] == bundle["text/plain"]


def test_the_picture_stays_that_of_the_opening_state(make):
    widget, untouched = make(), make()
    widget.state = {**widget.state, "turn": "1"}
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
    for preset in widget.setup.get("presets", []):
        assert set(preset["state"]) <= set(widget.state)
        widget.state = {**widget.state, **preset["state"]}
        assert "error" not in widget.data


def test_front_ends_need_nothing_from_elsewhere():
    for name in ("echo", "conv_microscope", "inductive_bias"):
        text = front_end(name)
        assert "import " not in text
        assert text.count("http") == 1  # the name of the SVG namespace
        assert text.count("export default") == 1


@pytest.mark.parametrize("value", [-1, 101, 1.5, "7"])
def test_echo_refuses(value):
    with pytest.raises(ValueError, match="0 ... 100"):
        compute_echo(value=value)


def test_echo_corners():
    assert [compute_echo(value=v)["value"] for v in (0, 100)] == [0, 100]
