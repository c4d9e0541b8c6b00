"""The λ dial: what one coefficient does to fit, to weights, and to the length of a description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.figure import Figure

from companion.codelength import uniform_bits
from companion.explorables.view import Explorable, front_end, number, preset
from companion.storage import precomputed

OPTIMIZERS = {"adamw": "AdamW", "l2": "L2 inside Adam"}
DECAYED = {"weights": "weights alone", "everything": "biases and gains too"}
SHOWN = {"accuracy": "accuracy", "bits": "bits per label"}
N_CLASSES = 10

PRESETS = (
    preset(
        "the right stake",
        "Too little decay, and the network fits what only its training series have; too much, and "
        "it fits neither. Network and labels together are shortest at the same λ, though the code "
        "knows no held-out label.",
        n_labels=1000, optimizer="adamw", decayed="weights", weight_decay=3.0, shown="accuracy",
    ),
    preset(
        "inside Adam",
        "The λ at which AdamW does best, as an L2 penalty inside Adam: chance. Where the penalty "
        "outweighs the loss, Adam divides its gradient by its own size, and every weight goes "
        "towards zero at full step length.",
        n_labels=1000, optimizer="l2", decayed="everything", weight_decay=1.0, shown="accuracy",
    ),
    preset(
        "gains too",
        "Batch norm undoes what decay does to the size of a kernel, so kernels alone bear this λ "
        "well. Nothing undoes it for the gains: decayed as well, they fade, and the network no "
        "longer fits even its training series.",
        n_labels=1000, optimizer="adamw", decayed="everything", weight_decay=3.0,
        shown="accuracy",
    ),
    preset(
        "many labels",
        "Over three powers of ten neither the held-out accuracy nor the code moves by more than "
        "the seeds do: more labels have done most of what decay did. And now the network pays for "
        "itself.",
        n_labels=3000, optimizer="adamw", decayed="weights", weight_decay=0.1, shown="accuracy",
    ),
    preset(
        "few labels",
        "The network is right far more often than by chance. Still no λ makes one worth sending: "
        "200 labels are cheaper, and the shortest code sends zeros in its place.",
        n_labels=200, optimizer="adamw", decayed="weights", weight_decay=3.0, shown="accuracy",
    ),
)  # fmt: skip
OPENING: dict[str, Any] = dict(PRESETS[0]["state"])


def compute_lambda_dial(
    results: Mapping[str, Any],
    *,
    weight_decay: float,
    optimizer: str,
    decayed: str,
    n_labels: int,
    shown: str,
) -> dict[str, Any]:
    """Everything the dial shows of one kind of decay, with one coefficient chosen.

    `results` has `weight_decays`, `sizes`, `bins` (edges of the histogram) and `curves`,
    `{"adamw|weights|1000": [for each coefficient lists over seeds: train_accuracy, accuracy,
    train_bits, bits (per label), total_bits (of network and labels), and the mean model_bits of
    the network and shares of the weights in a histogram]}`.
    `optimizer` is "adamw" or "l2", `decayed` "weights" or "everything", `shown` "accuracy" or
    "bits", the score whose curves are drawn.  Shortest and best are those of means over seeds.

    Raises:
        ValueError: a setting is unknown, or this combination was not measured.
    """
    coefficients, sizes = results["weight_decays"], results["sizes"]
    for name, value, known in (
        ("optimizer", optimizer, OPTIMIZERS), ("decayed", decayed, DECAYED),
        ("n_labels", n_labels, sizes), ("weight_decay", weight_decay, coefficients),
        ("shown", shown, SHOWN),
    ):  # fmt: skip
        if value not in known:
            listed = ", ".join(map(str, known))
            raise ValueError(f"no {name} {value!r}: expected one of {listed}")
    rows = results["curves"][f"{optimizer}|{decayed}|{n_labels}"]
    other = next(key for key in OPTIMIZERS if key != optimizer)
    beside = results["curves"][f"{other}|{decayed}|{n_labels}"]
    place = coefficients.index(weight_decay)
    curves = [
        _curve("training", rows, f"train_{shown}"),
        _curve("held out", rows, shown),
        _curve(f"held out, {OPTIMIZERS[other]}", beside, shown),
    ]
    held_out = torch.tensor(curves[1]["y"])
    best = int(held_out.argmax() if shown == "accuracy" else held_out.argmin())
    code = _code(rows, n_labels)
    return {
        "weight_decays": list(coefficients),
        "place": place,
        "curves": curves,
        "best": best,
        "code": code,
        "histogram": {**rows[place]["histogram"], "bins": list(results["bins"])},
        "text": _account(coefficients, rows[place], code, curves, place, best, n_labels, shown),
        "settings": {"n_labels": n_labels, "shown": shown, "optimizer": OPTIMIZERS[optimizer]},
    }


def lambda_dial() -> Explorable:
    """One coefficient on a dial: training and held-out curves, the weights, the bits of a code.

    A small convolutional network with batch norm on MNIST-1D, three seeds a place, all measured
    beforehand (`make precompute ONLY=03/dial`).  A code sends the rounded network first and then
    the labels it was trained on, each tensor with as many binary places as make the sum shortest.

    Raises:
        FileNotFoundError: the stored measurements are missing.
    """
    results = precomputed("03", "dial")
    return _LambdaDial(
        lambda **state: compute_lambda_dial(results, **state),
        state=OPENING,
        setup={
            "question": "How much should a network pay for its weights?",
            "weight_decays": list(results["weight_decays"]),
            "sizes": [[n, f"{n:,}"] for n in results["sizes"]],
            "optimizers": [list(item) for item in OPTIMIZERS.items()],
            "decayed": [list(item) for item in DECAYED.items()],
            "shown": [list(item) for item in SHOWN.items()],
            "n_parameters": results["n_parameters"],
            "presets": list(PRESETS),
        },
        picture=_draw_dial,
        describe=_describe_dial,
    )


class _LambdaDial(Explorable):
    _esm = front_end("lambda_dial")


def _curve(name: str, rows: Sequence[Mapping[str, Any]], score: str) -> dict[str, Any]:
    values = torch.tensor([row[score] for row in rows], dtype=torch.float64)  # (L, seeds)
    columns = {"y": values.mean(1), "low": values.amin(1), "high": values.amax(1)}
    return {"name": name} | {key: _rounded(column) for key, column in columns.items()}


def _code(rows: Sequence[Mapping[str, Any]], n_labels: int) -> dict[str, Any]:
    """Mean bits of the network, of its labels and of both, for each coefficient."""
    model = torch.tensor([row["model_bits"] for row in rows], dtype=torch.float64)  # (L,)
    total = torch.tensor([row["total_bits"] for row in rows], dtype=torch.float64)  # (L, seeds)
    return {
        "model": _rounded(model),
        "labels": _rounded(total.mean(1) - model),
        "total": _rounded(total.mean(1)),
        "low": _rounded(total.amin(1)),
        "high": _rounded(total.amax(1)),
        "shortest": int(total.mean(1).argmin()),
        "uniform": round(uniform_bits(n_labels, N_CLASSES), 1),
    }


def _account(
    coefficients: Sequence[float],
    row: Mapping[str, Any],
    code: Mapping[str, Any],
    curves: Sequence[Mapping[str, Any]],
    place: int,
    best: int,
    n_labels: int,
    shown: str,
) -> str:
    training, held_out = curves[0]["y"][place], curves[1]["y"][place]
    least = code["shortest"]
    if shown == "accuracy":
        fit = (
            f"{_percent(held_out)} of 1,000 held-out series right, {_percent(training)} of the "
            f"{n_labels:,} learned from; most at λ = {number(coefficients[best])} "
            f"({_percent(curves[1]['y'][best])})."
        )
    else:
        fit = (
            f"a held-out label costs {held_out:.2f} bits, one of the {n_labels:,} learned from "
            f"{training:.2f}; least at λ = {number(coefficients[best])} "
            f"({curves[1]['y'][best]:.2f})."
        )
    gain = code["uniform"] - code["total"][least]
    verdict = (
        f"{gain:,.0f} fewer than without a network."
        if gain > 0
        else f"without a network {code['uniform']:,.0f}: so few labels do not pay for one."
    )
    return (
        f"λ = {number(coefficients[place])}: {fit} In a code the network costs "
        f"{code['model'][place]:,.0f} bits and its labels {code['labels'][place]:,.0f}; shortest "
        f"at λ = {number(coefficients[least])}, {code['total'][least]:,.0f} bits, {verdict}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


def _rounded(values: torch.Tensor) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


# ---- the stored picture -------------------------------------------------------------------------


def _describe_dial(data: dict[str, Any]) -> str:
    coefficients, code = data["weight_decays"], data["code"]
    place, best, least = data["place"], data["best"], code["shortest"]
    return (
        f"Accuracy, length of the code and weights of a small network trained on "
        f"{data['settings']['n_labels']:,} labels with {data['settings']['optimizer']}, against "
        f"the coefficient λ. Held-out accuracy rises from {_percent(data['curves'][1]['y'][0])} "
        f"without decay to {_percent(data['curves'][1]['y'][best])} at λ = "
        f"{number(coefficients[best])} and then falls; network and labels together are shortest "
        f"at λ = {number(coefficients[least])}. Chosen: λ = {number(coefficients[place])}."
    )


def _draw_dial(data: dict[str, Any]) -> Figure:
    from companion import plotting

    coefficients, code, place = data["weight_decays"], data["code"], data["place"]
    figure, (left, middle, right) = plotting.panels(
        1, 3, size=(2.95, 2.8),
        titles=["accuracy", "bits to send both", f"weights at λ = {coefficients[place]:g}"],
    )  # fmt: skip
    x = range(len(coefficients))
    names = [number(value) for value in coefficients]
    for i, curve in enumerate(data["curves"]):
        left.plot(x, curve["y"], color=plotting.COLORS[i], linestyle=plotting.LINES[i],
                  label=curve["name"])  # fmt: skip
        left.fill_between(x, curve["low"], curve["high"], color=plotting.COLORS[i], alpha=0.15,
                          linewidth=0)  # fmt: skip
    middle.bar(x, code["model"], color=plotting.COLORS[0], alpha=0.6, label="network")
    middle.bar(x, code["labels"], bottom=code["model"], color=plotting.COLORS[1], alpha=0.6,
               hatch="///", edgecolor="white", label="labels")  # fmt: skip
    middle.axhline(code["uniform"], color="black", linestyle=":", label="no network")
    least = code["shortest"]
    middle.plot(least, code["total"][least], "o", color="black", fillstyle="none", markersize=9)
    for ax in (left, middle):
        ax.set_xticks(x[1::2], names[1::2])
        ax.axvline(place, color="0.5", linewidth=0.8, zorder=0)
        ax.set_xlabel("coefficient λ")
    left.legend(loc="lower center")
    middle.legend(loc="lower center", framealpha=0.8, frameon=True)
    histogram = data["histogram"]
    edges = histogram["bins"]
    right.stairs(histogram["weights"], edges, fill=True, color=plotting.COLORS[0], alpha=0.6,
                 label="weights")  # fmt: skip
    right.stairs(histogram["others"], edges, color=plotting.COLORS[1], label="biases, gains")
    right.set(xlabel="value", ylabel="share")
    right.legend()
    return figure
