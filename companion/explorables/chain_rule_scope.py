"""The chain-rule scope: a network of two inputs, two hidden units and one output, both ways."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from companion.explorables.view import Explorable, front_end, number, one_line, preset

Gradients = Callable[..., Mapping[str, Tensor]]

# w21 leads from input 1 to hidden unit 2: the row and column of the layer's weight matrix.
WEIGHTS = ("w11", "w12", "b1", "w21", "w22", "b2", "v1", "v2", "c")
SHAPES = {"W1": (2, 2), "b1": (2,), "W2": (1, 2), "b2": (1,)}
PLACES = {
    "w11": ("W1", (0, 0)), "w12": ("W1", (0, 1)), "w21": ("W1", (1, 0)), "w22": ("W1", (1, 1)),
    "b1": ("b1", (0,)), "b2": ("b1", (1,)), "v1": ("W2", (0, 0)), "v2": ("W2", (0, 1)),
    "c": ("b2", (0,)),
}  # fmt: skip
SYMBOLS = {
    "w11": "w₁₁", "w12": "w₁₂", "w21": "w₂₁", "w22": "w₂₂", "b1": "b₁", "b2": "b₂",
    "v1": "v₁", "v2": "v₂", "c": "c",
}  # fmt: skip
HIDDEN = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "ReLU"}
LOSSES = {"cross_entropy": "cross-entropy", "mse": "squared error"}
LIMIT = 8.0  # of a weight; within it no probability of the network underflows
INPUT_LIMIT = 2.0
LEARNING_RATE = 0.5  # of the button that takes one step


def _weights(*values: float) -> dict[str, float]:
    return dict(zip(WEIGHTS, values, strict=True))


FLOWING = _weights(0.8, -0.5, 0.0, 0.3, 0.9, 0.0, 1.0, -0.7, 0.1)
WRONG = _weights(0.9, 0.4, 0.0, 0.6, 0.7, 0.0, -4.0, -3.0, -1.0)
OPENING: dict[str, Any] = {
    "x1": 1.0, "x2": 0.5, "target": 1, "weights": FLOWING,
    "hidden": "tanh", "loss": "cross_entropy", "selected": "w11",
}  # fmt: skip

PRESETS = (
    preset(
        "both ways",
        "Going forward, a value is multiplied by the weight on its wire. Coming back, the error "
        "signal is multiplied by the same weight. A weight's gradient is what arrives from the "
        "right times what came in from the left.",
        x1=1.0, x2=0.5, target=1, weights=FLOWING, hidden="tanh", loss="cross_entropy",
    ),
    preset(
        "confident and wrong, MSE",
        "The network gives the true label almost no probability. The worst mistake gets almost no "
        "push: everything that comes back was multiplied by σ′(z), which vanishes for a sure unit.",
        x1=1.0, x2=0.5, target=1, weights=WRONG, hidden="tanh", loss="mse",
    ),
    preset(
        "same, cross-entropy",
        "Same weights, same mistake. The slope of the logarithm is 1/p, and it cancels σ′(z): the "
        "signal that goes back is p\u00a0−\u00a0y, largest where the network is most wrong.",
        x1=1.0, x2=0.5, target=1, weights=WRONG, hidden="tanh", loss="cross_entropy",
    ),
    preset(
        "a dead unit",
        "The first ReLU stands below zero, where its slope is 0: no weight into it gets a gradient "
        "for this input. Raise b₁ until z₁ is positive and it wakes up.",
        x1=1.0, x2=0.5, target=1, hidden="relu", loss="cross_entropy",
        weights={**FLOWING, "b1": -2.0},
    ),
    preset(
        "a symmetric start",
        "Both hidden units have the same weights, so they get the same gradients and stay the same "
        "after every step: two units that do the work of one. Move any of their weights to end it.",
        x1=1.0, x2=0.5, target=1, hidden="tanh", loss="cross_entropy",
        weights=_weights(0.5, -0.3, 0.0, 0.5, -0.3, 0.0, 0.6, 0.6, 0.0),
    ),
)  # fmt: skip


def compute_chain_rule_scope(
    *,
    x1: float,
    x2: float,
    target: int,
    weights: Mapping[str, float],
    hidden: str = "tanh",
    loss: str = "cross_entropy",
    selected: str = "w11",
    gradients: Gradients | None = None,
) -> dict[str, Any]:
    """Every value going forward and every derivative coming back, for one labelled input.

    `h = hidden(W1 x + b1)`, `z = W2 h + b2`, `p = sigmoid(z)` is the probability of label 1.
    `weights` holds the nine numbers by the names in `WEIGHTS`; `loss` is "cross_entropy"
    (-ln of the label's probability, in nats) or "mse" ((p - target) squared); `selected` is the
    weight whose chain of factors is typed out; `gradients` the reader's own backward pass (see
    `chain_rule_scope`).  Returns plain numbers; not-finite values are None.

    Raises:
        ValueError: a setting is unknown or out of range.
    """
    w = _check(x1, x2, target, weights, hidden, loss, selected)
    z_hidden = [w["w11"] * x1 + w["w12"] * x2 + w["b1"], w["w21"] * x1 + w["w22"] * x2 + w["b2"]]
    h, slope = zip(*(_hidden_unit(hidden, z) for z in z_hidden), strict=True)
    z = w["v1"] * h[0] + w["v2"] * h[1] + w["c"]
    p, q = _sigmoid(z), _sigmoid(-z)  # 1 - p would round to 0
    output_slope = p * q
    error = -q if target == 1 else p  # p - target
    nats = _softplus(-z if target == 1 else z)  # -ln of the label's probability

    dp = 2 * error if loss == "mse" else (-1 / p if target == 1 else 1 / q)
    dz = 2 * error * output_slope if loss == "mse" else error
    dh = [dz * w["v1"], dz * w["v2"]]
    dz_hidden = [dh[0] * slope[0], dh[1] * slope[1]]
    reference = {
        "w11": dz_hidden[0] * x1, "w12": dz_hidden[0] * x2, "b1": dz_hidden[0],
        "w21": dz_hidden[1] * x1, "w22": dz_hidden[1] * x2, "b2": dz_hidden[1],
        "v1": dz * h[0], "v2": dz * h[1], "c": dz,
    }  # fmt: skip
    shown, verdict = reference, None
    if gradients is not None:
        shown, verdict = _compare(gradients, w, x1, x2, target, hidden, loss, reference)

    factors = {
        "∂L/∂p": dp, "σ′(z)": output_slope, "v₁": w["v1"], "v₂": w["v2"], "x₁": x1, "x₂": x2,
        "h₁": h[0], "h₂": h[1],
        f"{HIDDEN[hidden]}′(z₁)": slope[0], f"{HIDDEN[hidden]}′(z₂)": slope[1],
    }  # fmt: skip
    names = _factor_names(selected, HIDDEN[hidden])
    return {
        "x": [x1, x2],
        "z": list(z_hidden),
        "h": list(h),
        "slope": list(slope),
        "output": {"z": z, "p": p, "slope": output_slope, "error": error},
        "loss": {"value": error * error if loss == "mse" else nats, "bits": nats / math.log(2)},
        "back": {
            "p": dp, "z": dz, "h": dh, "z_hidden": dz_hidden,
            "x": [dz_hidden[0] * w["w11"] + dz_hidden[1] * w["w21"],
                  dz_hidden[0] * w["w12"] + dz_hidden[1] * w["w22"]],
        },
        "gradients": {name: _finite(value) for name, value in shown.items()},
        "differs": [name for name in WEIGHTS if not _agree(shown[name], reference[name])],
        "stepped": {
            name: _step(w[name], shown[name]) for name in WEIGHTS
        },
        "chain": _chain(selected, names, factors, reference[selected]),
        "through": _through(selected),
        "signal": _signal(loss, error, output_slope, dz),
        "hidden": HIDDEN[hidden],
        "settings": {"target": target, "loss": loss, "weights": w, "selected": selected},
        "verdict": verdict,
    }  # fmt: skip


def chain_rule_scope(gradients: Gradients | None = None) -> Explorable:
    """A 2-2-1 network as a graph: move a weight, read every value forward and backward.

    `gradients(parameters, x, target, hidden=..., loss=...)` is the reader's own backward pass:
    `parameters` maps "W1" (2, 2), "b1" (2,), "W2" (1, 2), "b2" (1,) to float64 tensors, `x` is
    (2,), `target` 0 or 1, `hidden` "tanh", "sigmoid" or "relu", `loss` "cross_entropy" (nats) or
    "mse".  It returns the gradients in a mapping of the same names and shapes.  They are then the
    ones drawn, and the widget says whether and where they differ from the chain rule's.

    Raises:
        ValueError: `gradients` is not a function.
    """
    if gradients is not None and not callable(gradients):
        raise ValueError(
            "gradients must be a function (parameters, x, target, hidden, loss) that returns a "
            f"mapping from W1, b1, W2, b2 to tensors; got {gradients!r}"
        )
    return _ChainRuleScope(
        lambda **state: compute_chain_rule_scope(**state, gradients=gradients),
        state=OPENING,
        setup={
            "question": "What does each weight hear of the mistake, and where does it get lost?",
            "weights": [[name, SYMBOLS[name]] for name in WEIGHTS],
            "hidden": [list(item) for item in HIDDEN.items()],
            "losses": [list(item) for item in LOSSES.items()],
            "limit": LIMIT,
            "input_limit": INPUT_LIMIT,
            "learning_rate": LEARNING_RATE,
            "presets": list(PRESETS),
        },
        picture=_draw_scope,
        describe=_describe_scope,
    )


class _ChainRuleScope(Explorable):
    _esm = front_end("chain_rule_scope")


def _check(
    x1: float,
    x2: float,
    target: int,
    weights: Mapping[str, float],
    hidden: str,
    loss: str,
    selected: str,
) -> dict[str, float]:
    for name, value, known in (
        ("hidden", hidden, HIDDEN), ("loss", loss, LOSSES), ("selected", selected, WEIGHTS),
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"no {name} {value!r}: expected one of {', '.join(known)}")
    if isinstance(target, bool) or target not in (0, 1):
        raise ValueError(f"target must be the label 0 or 1, got {target!r}")
    for name, value in (("x1", x1), ("x2", x2)):
        if not abs(value) <= INPUT_LIMIT:
            raise ValueError(f"{name} must be a number in -2 ... 2, got {value!r}")
    if set(weights) != set(WEIGHTS):
        raise ValueError(f"weights must hold {', '.join(WEIGHTS)}; got {', '.join(weights)}")
    for name, value in weights.items():
        if not abs(value) <= LIMIT:
            raise ValueError(f"{name} must be a number in -{LIMIT:g} ... {LIMIT:g}, got {value!r}")
    return {name: float(weights[name]) for name in WEIGHTS}


def _hidden_unit(name: str, z: float) -> tuple[float, float]:
    """Value and slope of a hidden unit; ReLU's slope at 0 is 0, as torch has it."""
    if name == "relu":
        return max(z, 0.0), 1.0 if z > 0 else 0.0
    if name == "tanh":
        h = math.tanh(z)
        return h, 1 - h * h
    h = _sigmoid(z)
    return h, h * _sigmoid(-z)


def _sigmoid(z: float) -> float:
    if z >= 0:
        return 1 / (1 + math.exp(-z))
    return math.exp(z) / (1 + math.exp(z))


def _softplus(z: float) -> float:
    """ln(1 + e^z) without overflow."""
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def _compare(
    gradients: Gradients,
    w: dict[str, float],
    x1: float,
    x2: float,
    target: int,
    hidden: str,
    loss: str,
    expected: dict[str, float],
) -> tuple[dict[str, float], dict[str, Any]]:
    """The reader's gradients where they can be drawn, and one line about them."""
    parameters = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in SHAPES.items()}
    for name, (matrix, index) in PLACES.items():
        parameters[matrix][index] = w[name]
    x = torch.tensor([x1, x2], dtype=torch.float64)
    try:
        answer = gradients(parameters, x, target, hidden=hidden, loss=loss)
        problem = _problem(answer)
    except Exception as error:  # the reader's code may do anything; the widget says what it did
        problem = f"raised {type(error).__name__}: {one_line(ValueError(error))}"
    if problem:
        text = f"Your gradients {problem}. Shown: the chain rule's."
        return expected, {"agrees": False, "text": text}
    mine = {name: float(answer[matrix][index]) for name, (matrix, index) in PLACES.items()}
    wrong = [name for name in WEIGHTS if not _agree(mine[name], expected[name])]
    if not wrong:
        return mine, {"agrees": True, "text": "Your gradients agree with the chain rule."}
    far = max(wrong, key=lambda name: _distance(mine[name], expected[name]))
    text = (
        f"Your gradients differ in {len(wrong)} of {len(WEIGHTS)} places, most at "
        f"{SYMBOLS[far]}: yours {number(mine[far])}, the chain rule's {number(expected[far])}."
    )
    return mine, {"agrees": False, "text": text}


def _problem(answer: Any) -> str:
    """What keeps the reader's answer from being drawn, or nothing."""
    if not isinstance(answer, Mapping):
        return f"came as {type(answer).__name__}, expected a mapping from W1, b1, W2, b2 to tensors"
    missing = [name for name in SHAPES if name not in answer]
    if missing:
        return f"lack {', '.join(missing)}"
    for name, shape in SHAPES.items():
        value = answer[name]
        if not isinstance(value, Tensor):
            return f"have {type(value).__name__} for {name}, expected a tensor"
        if tuple(value.shape) != shape:
            return f"have shape {tuple(value.shape)} for {name}, expected {shape}"
    return ""


def _agree(mine: float, expected: float) -> bool:
    return abs(mine - expected) <= 1e-9 + 1e-5 * abs(expected)


def _distance(mine: float, expected: float) -> float:
    return abs(mine - expected) if math.isfinite(mine) else math.inf


def _step(weight: float, gradient: float) -> float:
    """One step of gradient descent, kept in range; a gradient that is no number moves nothing."""
    if not math.isfinite(gradient):
        return weight
    return round(min(LIMIT, max(-LIMIT, weight - LEARNING_RATE * gradient)), 6) + 0.0


def _through(selected: str) -> list[str]:
    """The wires from the selected weight to the loss."""
    if selected in ("v1", "v2", "c"):
        return [selected]
    unit = "1" if selected in ("w11", "w12", "b1") else "2"
    return [selected, f"v{unit}"]


def _factor_names(selected: str, hidden: str) -> list[str]:
    """The factors of one weight's gradient, from the loss back to the weight."""
    names = ["∂L/∂p", "σ′(z)"]
    if selected == "c":
        return names
    if selected in ("v1", "v2"):
        return [*names, "h₁" if selected == "v1" else "h₂"]
    unit = "₁" if selected in ("w11", "w12", "b1") else "₂"
    names += [f"v{unit}", f"{hidden}′(z{unit})"]
    if selected.startswith("w"):
        names.append("x₁" if selected.endswith("1") else "x₂")
    return names


def _chain(selected: str, names: list[str], factors: Mapping[str, float], total: float) -> str:
    """The chain rule typed out: `∂L/∂v₁ = ∂L/∂p · σ′(z) · h₁ = (−1.6) · 0.24 · 0.5 = −0.19`."""
    values = [
        f"({number(factors[name])})" if factors[name] < 0 else number(factors[name])
        for name in names
    ]
    return f"∂L/∂{SYMBOLS[selected]} = {' · '.join(names)} = {' · '.join(values)} = {number(total)}"


def _signal(loss: str, error: float, slope: float, dz: float) -> str:
    """What the output unit passes back, and what becomes of the sigmoid's slope."""
    y_error = f"({number(error)})" if error < 0 else number(error)
    if loss == "mse":
        return f"∂L/∂z = 2(p − y) · σ′(z) = 2 · {y_error} · {number(slope)} = {number(dz)}"
    return f"∂L/∂z = (p − y)/σ′(z) · σ′(z) = p − y = {number(dz)}: σ′(z) cancels"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _describe_scope(data: dict[str, Any]) -> str:
    output, loss = data["output"], data["loss"]
    gradients = data["gradients"]
    largest = max(gradients, key=lambda name: abs(gradients[name]))
    return (
        f"A network of two inputs, two {data['hidden']} units and one output as a graph, every "
        f"value written on it. It gives label 1 the probability {output['p']:.2f}, so that the "
        f"label {data['settings']['target']} costs {loss['bits']:.2f} bits. The largest of the "
        f"nine gradients is that of {largest}, {gradients[largest]:.2f}."
    )


def _draw_scope(data: dict[str, Any]) -> Figure:
    from companion import plotting

    weights, gradients, back = data["settings"]["weights"], data["gradients"], data["back"]
    output, loss = data["output"], data["loss"]
    figure, ax = plotting.panels(size=(8.4, 4.0))
    ax.set_xlim(0, 856)
    ax.set_ylim(400, 0)
    ax.axis("off")
    x, units = [(53, 100), (53, 300)], [(362, 100), (362, 300)]
    wires = [
        ("w11", x[0], units[0], 0.42), ("w21", x[0], units[1], 0.31),
        ("w12", x[1], units[0], 0.31), ("w22", x[1], units[1], 0.42),
        ("b1", (362, 20), units[0], 0.0), ("b2", (362, 380), units[1], 0.0),
        ("v1", units[0], (657, 200), 0.5), ("v2", units[1], (657, 200), 0.5),
        ("c", (657, 90), (657, 200), 0.0),
    ]  # fmt: skip
    box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": "0.6"}
    for name, start, end, share in wires:
        w = weights[name]
        ax.plot(*zip(start, end, strict=True), color=plotting.COLORS[w >= 0], zorder=1,
                linestyle="-" if w >= 0 else "--", linewidth=1 + 0.5 * abs(w))  # fmt: skip
        place = [a + share * (b - a) for a, b in zip(start, end, strict=True)]
        text = f"{SYMBOLS[name]} = {number(w)}\n∂{SYMBOLS[name]} = {number(gradients[name])}"
        ax.text(*place, text, ha="center", va="center", fontsize=8, bbox=box, zorder=3)
    ax.plot([657, 805], [200, 200], color="0.5", zorder=1)
    words = [
        (x[i], f"x{'₁₂'[i]} = {number(data['x'][i])}\n∂x{'₁₂'[i]} = {number(back['x'][i])}")
        for i in range(2)
    ]
    for i in range(2):
        s = "₁₂"[i]
        words.append((units[i], (
            f"z{s} = {number(data['z'][i])} → h{s} = {number(data['h'][i])}\n"
            f"{data['hidden']}′(z{s}) = {number(data['slope'][i])}\n"
            f"∂z{s} = {number(back['z_hidden'][i])} ← ∂h{s} = {number(back['h'][i])}"
        )))  # fmt: skip
    words += [
        ((657, 200), f"z = {number(output['z'])} → p = {number(output['p'])}\n"
                     f"σ′(z) = {number(output['slope'])}\n"
                     f"∂z = {number(back['z'])} ← ∂p = {number(back['p'])}"),
        ((805, 200), f"y = {data['settings']['target']}\nL = {number(loss['value'])}\n"
                     f"{loss['bits']:.2f} bits"),
    ]  # fmt: skip
    for place, text in words:
        ax.text(*place, text, ha="center", va="center", fontsize=8, zorder=4, linespacing=1.5,
                bbox={**box, "edgecolor": "0.2"})  # fmt: skip
    ax.set_title(data["chain"], fontsize=9)
    return figure
