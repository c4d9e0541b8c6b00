"""Chapter 01's explorables without a browser: their laws, their corners, what their presets say."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from companion import foundations
from companion.explorables import chain_rule_scope as scope_module
from companion.explorables import descent_race as race_module
from companion.explorables import foundations as explore
from companion.explorables.foundations import compute_chain_rule_scope, compute_descent_race
from companion.explorables.view import front_end, number

# ---- chain-rule scope ---------------------------------------------------------------------------

ACTIVATIONS = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu}
WEIGHTS = scope_module.WEIGHTS
SCOPE_PRESETS = {p["name"]: p["state"] for p in scope_module.PRESETS}


def scope(**changes: Any) -> dict[str, Any]:
    return compute_chain_rule_scope(**{**scope_module.OPENING, **changes})


def torch_gradients(parameters, x, target, hidden, loss):
    """The reference by torch's own reverse mode."""
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    h = ACTIVATIONS[hidden](leaves["W1"] @ x + leaves["b1"])
    z = leaves["W2"] @ h + leaves["b2"]
    label = torch.tensor([float(target)], dtype=torch.float64)
    if loss == "mse":
        value = F.mse_loss(torch.sigmoid(z), label)
    else:
        value = F.binary_cross_entropy_with_logits(z, label)
    value.backward()
    return {name: leaf.grad for name, leaf in leaves.items()}


number_of = st.floats(-2, 2, allow_nan=False)
weights_of = st.lists(st.floats(-8, 8, allow_nan=False), min_size=9, max_size=9)


@given(
    x1=number_of, x2=number_of, values=weights_of, target=st.integers(0, 1),
    hidden=st.sampled_from(list(scope_module.HIDDEN)),
    loss=st.sampled_from(list(scope_module.LOSSES)),
)  # fmt: skip
@settings(deadline=None, max_examples=150)
def test_scope_agrees_with_torch(x1, x2, values, target, hidden, loss):
    weights = dict(zip(WEIGHTS, values, strict=True))
    data = scope(x1=x1, x2=x2, weights=weights, target=target, hidden=hidden, loss=loss)
    json.dumps(data, allow_nan=False)

    w = {name: torch.tensor(value, dtype=torch.float64) for name, value in weights.items()}
    x = [torch.tensor(v, dtype=torch.float64) for v in (x1, x2)]
    leaves = [*w.values(), *x]
    for leaf in leaves:
        leaf.requires_grad_()
    units = [
        w["w11"] * x[0] + w["w12"] * x[1] + w["b1"],
        w["w21"] * x[0] + w["w22"] * x[1] + w["b2"],
    ]
    h = [ACTIVATIONS[hidden](z) for z in units]
    z = w["v1"] * h[0] + w["v2"] * h[1] + w["c"]
    p = torch.sigmoid(z)
    nats = F.softplus(-z if target else z, threshold=100.0)
    value = (p - target) ** 2 if loss == "mse" else nats
    inner = [*units, *h, z]
    found = torch.autograd.grad(value, [*leaves, *inner], allow_unused=True)
    found = [0.0 if g is None else g.item() for g in found]

    def same(ours, theirs):
        assert ours == pytest.approx(theirs, rel=1e-7, abs=1e-12)

    same(data["loss"]["value"], value.item())
    same(data["loss"]["bits"], nats.item() / math.log(2))
    same([data["gradients"][name] for name in WEIGHTS], found[:9])
    back = data["back"]
    same([*back["x"], *back["z_hidden"], *back["h"], back["z"]], found[9:])
    same(back["p"] * data["output"]["slope"], back["z"])  # the chain through the output unit
    assert data["verdict"] is None and data["differs"] == []


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("target", [0, 1])
def test_scope_stays_finite_at_its_limits(loss, sign, target):
    weights = {name: scope_module.LIMIT * (sign if name in ("v1", "v2", "c") else 1)
               for name in WEIGHTS}  # fmt: skip
    data = scope(x1=2.0, x2=2.0, weights=weights, hidden="relu", loss=loss, target=target)
    assert abs(data["output"]["z"]) == 648
    json.dumps(data, allow_nan=False)
    assert None not in data["gradients"].values()
    if loss == "cross_entropy" and (sign > 0) != (target == 1):
        assert data["loss"]["bits"] == pytest.approx(648 / math.log(2))
        assert abs(data["back"]["z"]) == pytest.approx(1.0)


def test_relu_has_slope_zero_at_zero():
    still = dict.fromkeys(WEIGHTS, 0.0)
    assert scope(weights=still, hidden="relu")["slope"] == [0.0, 0.0]


@pytest.mark.parametrize("selected", WEIGHTS)
@pytest.mark.parametrize("preset", SCOPE_PRESETS)
def test_the_typed_chain_multiplies_to_the_gradient(preset, selected):
    data = scope(**SCOPE_PRESETS[preset], selected=selected)
    _, names, values, total = data["chain"].split(" = ")
    factors = [float(v.strip("()").replace("−", "-")) for v in values.split(" · ")]
    assert len(factors) == len(names.split(" · "))
    product = float(total.replace("−", "-"))
    assert math.prod(factors) == pytest.approx(product, rel=0.03, abs=1e-6)
    assert product == pytest.approx(data["gradients"][selected], rel=0.05, abs=1e-6)
    assert data["through"][0] == selected


def test_what_the_signal_says():
    wrong = SCOPE_PRESETS["confident and wrong, MSE"]
    assert "2(p − y) · σ′(z) = 2 · (−0.998) · 0.0016 = −0.0032" in scope(**wrong)["signal"]
    right = SCOPE_PRESETS["same, cross-entropy"]
    assert scope(**right)["signal"].endswith("p − y = −0.998: σ′(z) cancels")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x1": 2.5}, "x1 must be a number in -2 ... 2, got 2.5"),
        ({"x2": math.nan}, "x2 must be"),
        ({"target": 2}, "target must be the label 0 or 1, got 2"),
        ({"target": True}, "target must be"),
        ({"hidden": "gelu"}, "no hidden 'gelu': expected one of tanh, sigmoid, relu"),
        ({"loss": "hinge"}, "no loss 'hinge'"),
        ({"selected": "w33"}, "no selected 'w33'"),
        ({"weights": {"w11": 1.0}}, "weights must hold w11, w12"),
        ({"weights": dict.fromkeys(WEIGHTS, 9.0)}, "w11 must be a number in -8 ... 8, got 9.0"),
        ({"weights": dict.fromkeys(WEIGHTS, math.inf)}, "w11 must be a number"),
    ],
)
def test_scope_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        scope(**changes)
    assert "\n" not in str(refusal.value)


def without_slope(parameters, x, target, hidden, loss):
    answer = torch_gradients(parameters, x, target, hidden, loss)
    h = ACTIVATIONS[hidden](parameters["W1"] @ x + parameters["b1"])
    return {**answer, "W1": answer["W1"] / (1 - h * h)[:, None], "b1": answer["b1"] / (1 - h * h)}


def transposed(parameters, x, target, hidden, loss):
    answer = torch_gradients(parameters, x, target, hidden, loss)
    return {**answer, "W1": answer["W1"].T}


def as_column(parameters, x, target, hidden, loss):
    answer = torch_gradients(parameters, x, target, hidden, loss)
    return {**answer, "W2": answer["W2"].T}


def with_nan(parameters, x, target, hidden, loss):
    answer = torch_gradients(parameters, x, target, hidden, loss)
    answer["b2"][0] = torch.nan
    return answer


def raising(*args, **kwargs):
    raise KeyError("first\nsecond")


@pytest.mark.parametrize(
    ("gradients", "says"),
    [
        (torch_gradients, "agree with the chain rule"),
        (
            without_slope,
            "differ in 6 of 9 places, most at w₂₁: yours 0.323, the chain rule's 0.193",
        ),
        (transposed, "differ in 2 of 9 places"),
        (as_column, "have shape (2, 1) for W2, expected (1, 2). Shown: the chain rule's."),
        (with_nan, "differ in 1 of 9 places, most at c: yours not a number"),
        (raising, "raised KeyError"),
        (lambda *args, **kwargs: None, "came as NoneType"),
        (lambda *args, **kwargs: {"W1": torch.zeros(2, 2)}, "lack b1, W2, b2"),
        (lambda parameters, *args, **kwargs: dict.fromkeys(parameters, 0.0), "have float for W1"),
        (lambda parameters, x, target: {}, "raised TypeError"),
    ],
)
def test_own_gradients_are_drawn_and_compared(gradients, says):
    data = scope(gradients=gradients)
    verdict = data["verdict"]
    assert says in verdict["text"] and "\n" not in verdict["text"]
    assert verdict["agrees"] == (gradients is torch_gradients)
    json.dumps(data, allow_nan=False)
    if "Shown" in verdict["text"]:
        assert data["gradients"] == scope()["gradients"] and data["differs"] == []
    elif not verdict["agrees"]:
        assert f"differ in {len(data['differs'])} of 9" in verdict["text"]
    if gradients is with_nan:
        assert data["gradients"]["c"] is None
        assert data["stepped"]["c"] == scope_module.OPENING["weights"]["c"]


def test_own_gradients_cannot_spoil_the_weights():
    def in_place(parameters, x, target, hidden, loss):
        answer = torch_gradients(parameters, x, target, hidden, loss)
        for value in (*parameters.values(), x):
            value.zero_()
        return answer

    assert scope(gradients=in_place)["z"] == scope()["z"]


def test_own_gradients_must_be_a_function():
    with pytest.raises(ValueError, match="must be a function"):
        explore.chain_rule_scope(gradients=3)


def walked(state: dict[str, Any], n_steps: int) -> list[dict[str, Any]]:
    """The answers along `n_steps` presses of the button."""
    answers = [scope(**state)]
    for _ in range(n_steps):
        answers.append(scope(**{**state, "weights": answers[-1]["stepped"]}))
    return answers


def test_a_step_is_gradient_descent():
    data = scope()
    for name in WEIGHTS:
        expected = scope_module.FLOWING[name] - 0.5 * data["gradients"][name]
        assert data["stepped"][name] == pytest.approx(expected, abs=1e-6)
    at_the_edge = {**scope_module.WRONG, "v1": -8.0}
    still = scope(weights=at_the_edge, target=0)
    assert all(abs(value) <= scope_module.LIMIT for value in still["stepped"].values())


def test_what_the_presets_of_the_scope_say_is_so():
    mse = walked(SCOPE_PRESETS["confident and wrong, MSE"], 10)
    cross = walked(SCOPE_PRESETS["same, cross-entropy"], 10)
    assert mse[0]["loss"]["bits"] == cross[0]["loss"]["bits"] > 9
    assert abs(mse[0]["back"]["z"]) < 0.004 < 0.99 < abs(cross[0]["back"]["z"])
    assert mse[-1]["loss"]["bits"] > mse[0]["loss"]["bits"] - 1
    assert cross[-1]["loss"]["bits"] < 1

    dead = scope(**SCOPE_PRESETS["a dead unit"])
    assert [dead["gradients"][name] for name in ("w11", "w12", "b1", "v1")] == [0] * 4
    assert dead["gradients"]["w21"] != 0
    alive = {**SCOPE_PRESETS["a dead unit"]["weights"], "b1": 0.0}
    assert scope(**{**SCOPE_PRESETS["a dead unit"], "weights": alive})["gradients"]["w11"] != 0

    for answer in walked(SCOPE_PRESETS["a symmetric start"], 20):
        g = answer["gradients"]
        assert [g["w11"], g["w12"], g["b1"], g["v1"]] == [g["w21"], g["w22"], g["b2"], g["v2"]]
        assert answer["h"][0] == answer["h"][1]

    both = walked(SCOPE_PRESETS["both ways"], 3)
    assert both[-1]["loss"]["bits"] < both[0]["loss"]["bits"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "0"), (5.0, "5"), (-0.12345, "−0.123"), (0.00465, "0.0046"),
        (1.2e-5, "1.2e−5"), (-616.2, "−616"), (1234.5, "1230"), (123456.0, "1.2e5"),
        (math.inf, "∞"), (-math.inf, "−∞"), (math.nan, "not a number"),
    ],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert number(value) == text


# ---- descent race -------------------------------------------------------------------------------

RACE_PRESETS = {p["name"]: p["state"] for p in race_module.PRESETS}
SURFACES = tuple(race_module.SURFACES)


def race(**changes: Any) -> dict[str, Any]:
    return compute_descent_race(**{**race_module.OPENING, **changes})


def racers(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {racer["name"]: racer for racer in data["racers"]}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("rows", [race_module.EVERYTHING, np.array([3, 3, 90])])
def test_gradient_is_that_of_the_loss(surface, rows):
    ground = race_module._surface(surface)
    points = torch.tensor([[0.3, 0.4], [1.0, -0.2], [-0.5, 0.05], [0.0, 0.0]])
    gradient = torch.from_numpy(ground.gradient(points.numpy(), rows))
    assert gradient.shape == points.shape
    if isinstance(rows, slice):
        step = 1e-2
        for k in range(2):
            shift = step * torch.eye(2)[k]
            slope = (ground.bits(points + shift) - ground.bits(points - shift)) / (2 * step)
            assert torch.allclose(gradient[:, k], slope * math.log(2), atol=0.01, rtol=0.01)
    else:  # a mean over what was drawn
        parts = [ground.gradient(points.numpy(), rows[i : i + 1]) for i in range(3)]
        assert torch.allclose(gradient, torch.from_numpy(np.mean(parts, 0)), atol=1e-5)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("batch", ["all", "8"])
def test_the_racers_are_torchs_optimizers(surface, batch):
    ground = race_module._surface(surface)
    start = race_module.STARTS[surface]
    rate = {"valley": 0.3, "network": 0.01}[surface]
    data = race(surface=surface, start=start, learning_rate=rate, batch=batch, n_steps=30)
    makers = {
        "SGD": lambda p: torch.optim.SGD(p, lr=rate),
        "momentum": lambda p: torch.optim.SGD(p, lr=rate, momentum=0.8),
        "Adam": lambda p: torch.optim.Adam(p, lr=rate),
    }
    for name, racer in racers(data).items():
        place = torch.tensor([start], requires_grad=True)
        optimizer = makers[name]([place])
        generator = torch.Generator().manual_seed(0)
        expected = [list(start)]
        for _ in range(30):
            rows = race_module.EVERYTHING
            if batch != "all":
                rows = torch.randint(0, ground.n_examples, (8,), generator=generator).numpy()
            place.grad = torch.from_numpy(ground.gradient(place.detach().numpy(), rows))
            optimizer.step()
            expected.append(place[0].tolist())
        assert torch.allclose(torch.tensor(racer["path"]), torch.tensor(expected), atol=2e-3), name
        assert racer["bits"] == pytest.approx(
            ground.bits(torch.tensor(expected)).tolist(), abs=0.02
        )


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.8])
def test_on_the_quadratic_the_limit_is_exact(momentum):
    ground = race_module._surface("valley")
    plain = 2 / ground.sharpest
    for name, limit in (("SGD", plain), ("momentum", plain * (1 + momentum))):
        for share, is_out in ((0.9, False), (1.1, True)):
            data = race(learning_rate=share * limit, momentum=momentum, n_steps=60)
            assert racers(data)[name]["is_out"] == is_out, (name, share)
    assert number(plain) in data["text"]
    inputs = race_module.load("mnist1d").inputs[: race_module.N_LINEAR, 18:20].double()
    curvature = torch.linalg.eigvalsh(inputs.T @ inputs / len(inputs)).max().item()
    assert ground.sharpest == pytest.approx(curvature, rel=1e-3)


@pytest.mark.parametrize("surface", SURFACES)
def test_the_ring_is_at_the_lowest_place_of_the_picture(surface):
    ground = race_module._surface(surface)
    *place, bits = ground.lowest
    gradient = ground.gradient(np.array([place], np.float32), race_module.EVERYTHING)
    assert np.abs(gradient).max() < 1e-2
    assert bits <= min(map(min, ground.heights)) + 1e-3
    assert not race_module._is_outside(tuple(place), ground)
    for row, column in ((0, 0), (5, 30), (40, 12)):
        x, y = (
            low + (high - low) * share / (race_module.GRID - 1)
            for (low, high), share in zip(ground.span, (column, row), strict=True)
        )
        expected = ground.bits(torch.tensor([[x, y]])).item()
        assert ground.heights[row][column] == pytest.approx(expected, abs=2e-3)


def test_a_network_of_zeros_costs_the_uniform_code():
    ground = race_module._surface("network")
    zero = torch.zeros(1, 2)
    assert ground.bits(zero).item() == pytest.approx(math.log2(10), abs=1e-5)
    assert (ground.gradient(zero.numpy(), race_module.EVERYTHING) == 0).all()
    points = torch.tensor([[0.3, -0.8], [1.1, 0.2]])
    assert torch.allclose(ground.bits(points), ground.bits(-points), atol=1e-5)


def test_fewer_steps_are_a_beginning():
    whole, part = race(n_steps=60), race(n_steps=7)
    for long, short in zip(whole["racers"], part["racers"], strict=True):
        assert short["path"] == long["path"][:8] and short["bits"] == long["bits"][:8]
        assert short["path"][0] == race_module.OPENING["start"]


def test_the_fastest_rates_are_followed_to_the_edge_of_sight_and_no_farther():
    data = race(learning_rate=10.0, n_steps=60)
    json.dumps(data, allow_nan=False)
    sgd = racers(data)["SGD"]
    assert sgd["is_out"] and sgd["words"].startswith("diverges: out of the picture since step 1")
    assert len(sgd["path"]) < 10
    assert max(abs(v) for place in sgd["path"] for v in place) < race_module.FAR
    assert len(racers(data)["Adam"]["path"]) == 61
    early = racers(race(learning_rate=10.0, n_steps=1))["SGD"]
    assert early["words"].startswith("out of the picture since step 1, now at")


@given(
    surface=st.sampled_from(SURFACES),
    start=st.tuples(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5)),
    learning_rate=st.sampled_from(race_module.RATES),
    momentum=st.floats(*race_module.MOMENTA),
    batch=st.sampled_from(list(race_module.BATCHES)),
    n_steps=st.integers(1, race_module.MOST_STEPS),
)
@settings(deadline=None, max_examples=40)
def test_race_answers_everywhere(surface, start, learning_rate, momentum, batch, n_steps):
    data = compute_descent_race(
        surface=surface, start=start, learning_rate=learning_rate, momentum=momentum,
        batch=batch, n_steps=n_steps,
    )  # fmt: skip
    json.dumps(data, allow_nan=False)
    for racer in data["racers"]:
        assert 1 <= len(racer["path"]) == len(racer["bits"]) <= n_steps + 1
        assert ("picture" in racer["words"]) == racer["is_out"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"surface": "moon"}, "no surface 'moon': expected one of valley, network"),
        ({"batch": 8}, "no batch 8"),
        ({"learning_rate": 0.0}, "learning_rate must be a number in 0.003 ... 10.0, got 0.0"),
        ({"learning_rate": 11}, "learning_rate must be"),
        ({"learning_rate": math.nan}, "learning_rate must be"),
        ({"momentum": 1.0}, "momentum must be a number in 0.0 ... 0.98, got 1.0"),
        ({"n_steps": 0}, "n_steps must be an integer in 1 ... 60, got 0"),
        ({"n_steps": 61}, "n_steps must be"),
        ({"n_steps": True}, "n_steps must be"),
        ({"start": [3.0, 0.0]}, "start must be a point of the picture"),
        ({"start": [0.0]}, "start must be"),
        ({"start": [math.nan, 0.0]}, "start must be"),
    ],
)
def test_race_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        race(**changes)
    assert "\n" not in str(refusal.value)


class Copying(foundations.SGD):
    def step(self, parameters, gradients):
        parameters[0] = parameters[0] - self.lr * gradients[0]


class Uphill(foundations.SGD):
    def step(self, parameters, gradients):
        super().step(parameters, [-g for g in gradients])


@pytest.mark.parametrize(
    ("optimizer", "agrees", "says"),
    [
        (foundations.SGD, True, "takes the path of SGD"),
        (lambda lr: foundations.Momentum(lr, 0.8), True, "takes the path of momentum"),
        (foundations.Adam, True, "takes the path of Adam"),
        (lambda lr: foundations.Momentum(lr, 0.3), False, "a path of its own"),
        (Uphill, False, "a path of its own"),
        (Copying, False, "did not move: step must change the parameters in place"),
        (lambda lr: None, False, "raised AttributeError"),
        (lambda: None, False, "raised TypeError"),
    ],
)
def test_own_optimizer_runs_as_a_fourth(optimizer, agrees, says):
    data = race(optimizer=optimizer)
    assert data["verdict"]["agrees"] == agrees
    assert says in data["verdict"]["text"] and "\n" not in data["verdict"]["text"]
    json.dumps(data, allow_nan=False)
    has_run = "raised" not in says
    assert [r["name"] for r in data["racers"]] == ["SGD", "momentum", "Adam"] + ["yours"] * has_run
    assert data["racers"][:3] == race()["racers"]


def test_own_optimizer_must_be_a_function():
    with pytest.raises(ValueError, match="function of the learning rate"):
        explore.descent_race(optimizer=foundations.SGD(0.1))


def test_the_readers_random_numbers_stay_as_they_were():
    before = torch.random.get_rng_state()
    race(**RACE_PRESETS["two examples at a time"])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_the_presets_of_the_race_say_is_so():
    ends = {name: racers(race(**state)) for name, state in RACE_PRESETS.items()}
    lowest = race_module._surface("valley").lowest[2]

    valley = ends["a narrow valley"]
    assert all(racer["bits"][-1] < lowest + 0.05 for racer in valley.values())
    path = torch.tensor(valley["SGD"]["path"])[:10]
    across = path.sum(1) - sum(race_module._surface("valley").lowest[:2])  # the steep direction
    assert (across[1:-1] * across[2:] < 0).all(), "SGD does not change sides at every step"

    careful = ends["too careful"]
    assert careful["SGD"]["bits"][-1] > lowest + 0.5
    assert careful["momentum"]["bits"][-1] < lowest + 0.15
    step = torch.tensor(careful["Adam"]["path"]).diff(dim=0).abs()[:5]
    assert ((step > 0.025) & (step < 0.031)).all()

    past = ends["past the limit"]
    assert past["SGD"]["is_out"]
    assert not past["momentum"]["is_out"] and not past["Adam"]["is_out"]

    noisy, lowest = ends["two examples at a time"], race_module._surface("network").lowest[2]
    for racer in noisy.values():
        assert racer["bits"][-1] < racer["bits"][0] - 1
    for name in ("SGD", "momentum"):
        late = torch.tensor(noisy[name]["bits"][30:])
        assert (late.diff() > 0.02).any(), f"{name} settles"

    for racer in ends["start at zero"].values():
        assert racer["path"] == [[0.0, 0.0]] * 61 and racer["bits"][-1] == pytest.approx(
            3.3219, abs=1e-3
        )
    moved = racers(race(**{**RACE_PRESETS["start at zero"], "start": [0.053, 0.0]}))
    assert all(racer["bits"][-1] < 2 for racer in moved.values())


# ---- what both share ----------------------------------------------------------------------------


@pytest.fixture(params=["chain_rule_scope", "descent_race"])
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
    alt = explore.chain_rule_scope()._repr_mimebundle_()[0]["text/plain"]
    assert "probability 0.54" in alt and "0.89 bits" in alt
    alt = explore.descent_race()._repr_mimebundle_()[0]["text/plain"]
    assert "After 40 steps SGD: 0.23 bits, at the bottom" in alt


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


@pytest.mark.parametrize("name", ["chain_rule_scope", "descent_race"])
def test_front_ends_need_nothing_from_elsewhere(name):
    text = front_end(name)
    assert "import " not in text
    assert text.count("http") == 1  # the name of the SVG namespace
    assert text.count("export default") == 1
