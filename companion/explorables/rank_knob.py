"""The rank knob: a layer as the product of two thin ones, and what that keeps and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from matplotlib.figure import Figure

from companion.compression import break_even_rank, rank_for_energy
from companion.explorables.view import Explorable, front_end, number, preset
from companion.storage import precomputed

LAYERS = {"1": "784 to 300", "3": "300 to 100"}
SCALES = {"linear": "linear", "log": "logarithmic"}
EPOCHS = (0, 1, 2, 3)
ENERGY = 0.9

PRESETS = (
    preset(
        "a tenth",
        "Sixteen directions of 300 hold two thirds of the energy and nearly all that the network "
        "knows: with both layers cut it costs a tenth of the multiply-adds and little more than a "
        "point of accuracy, and nothing was trained again.",
        rank_1=16, rank_3=16, layer="1", epochs=0, scale="linear",
    ),
    preset(
        "break-even",
        "Two factors hold r · (784 + 300) weights, the layer 784 · 300. At rank 216 they are about "
        "even: nothing is lost, and hardly a multiply-add saved. A cut has to go far below to pay.",
        rank_1=216, rank_3=100, layer="1", epochs=0, scale="linear",
    ),
    preset(
        "90 % of the energy",
        "The usual rule asks for about rank 128, and rank 32 is as accurate. The long tail is much "
        "like that of a layer never trained: energy counts it, the digits do not.",
        rank_1=128, rank_3=100, layer="1", epochs=0, scale="log",
    ),
    preset(
        "rank 1",
        "One direction puts all digits on a line, and three epochs do not change that. They help "
        "most a little further right: at rank 4 from three digits in five to four. The cut is the "
        "best one for the weights, not for the digits.",
        rank_1=1, rank_3=100, layer="1", epochs=3, scale="linear",
    ),
    preset(
        "ten digits",
        "The layer before the output has ten large singular values, and then a cliff: ten digits "
        "need no more. Rank 8 is too few, rank 16 loses nothing.",
        rank_1=300, rank_3=16, layer="3", epochs=0, scale="linear",
    ),
)  # fmt: skip
OPENING: dict[str, Any] = dict(PRESETS[0]["state"])


def compute_rank_knob(
    results: Mapping[str, Any], *, rank_1: int, rank_3: int, layer: str, epochs: int, scale: str
) -> dict[str, Any]:
    """Spectrum, error, accuracy and cost of a network whose two large layers are cut in rank.

    `results` has `ranks` (the places of each knob), `shapes` (out, in) of all three layers,
    `spectra` (singular values of the two, largest first) and `grid`, `{"16|100": accuracies}` on
    held-out digits before and after each epoch of fine-tuning.  `rank_1` and `rank_3` are the ranks
    of the two layers, the largest one for the layer as it was; `layer` ("1" or "3") is the one
    looked at, `epochs` of fine-tuning 0 ... 3, `scale` ("linear" or "log") that of the spectrum.

    Raises:
        ValueError: a setting is unknown, or this network was not measured.
    """
    knobs = results["ranks"]
    for name, value, known in (
        ("rank_1", rank_1, knobs["1"]), ("rank_3", rank_3, knobs["3"]), ("layer", layer, LAYERS),
        ("epochs", epochs, EPOCHS), ("scale", scale, SCALES),
    ):  # fmt: skip
        if isinstance(value, bool) or value not in known:
            raise ValueError(f"no {name} {value!r}: expected one of {', '.join(map(str, known))}")
    ranks = {"1": int(rank_1), "3": int(rank_3)}
    spectrum, (m, n) = results["spectra"][layer], results["shapes"][layer]
    r, full = ranks[layer], min(m, n)
    energies = [value**2 for value in spectrum]
    kept = sum(energies[:r]) / sum(energies)
    every = [{**ranks, layer: place} for place in knobs[layer]]
    accuracies = [results["grid"][f"{row['1']}|{row['3']}"] for row in every]
    whole = {name: min(results["shapes"][name]) for name in ranks}
    weights = [_multiply_adds(results["shapes"], row) for row in every]
    data: dict[str, Any] = {
        "spectrum": spectrum,
        "ranks": list(knobs[layer]),
        "place": knobs[layer].index(r),
        "rank": r,
        "full": full,
        "shape": [m, n],
        "energy": round(kept, 4),
        "relative_error": float(f"{0.0 if r == full else sqrt(1 - kept):.4g}"),
        "energy_rank": rank_for_energy(spectrum, ENERGY),
        "break_even": break_even_rank(m, n),
        "before": [row[0] for row in accuracies],
        "after": [row[int(epochs)] for row in accuracies],
        "whole": results["grid"][f"{whole['1']}|{whole['3']}"][0],
        "layer_adds": [m * n if p == full else p * (m + n) for p in knobs[layer]],
        "layer_whole": m * n,
        "multiply_adds": weights[knobs[layer].index(r)],
        "multiply_adds_whole": _multiply_adds(results["shapes"], whole),
        "parameters": weights[knobs[layer].index(r)] + _biases(results["shapes"]),
        "parameters_whole": _multiply_adds(results["shapes"], whole) + _biases(results["shapes"]),
        "settings": {
            "other": next(ranks[name] for name in ranks if name != layer),
            "is_other_whole": all(ranks[name] == whole[name] for name in ranks if name != layer),
            "layer": LAYERS[layer], "epochs": int(epochs), "scale": scale,
            "n_held_out": results["n_held_out"],
        },
    }  # fmt: skip
    data["text"] = _account(data)
    return data


def rank_knob() -> Explorable:
    """A knob for the rank of each of two layers: what is kept, what it costs, what it still knows.

    LeNet-300-100 on 3,000 digits, cut at 80 pairs of ranks and trained on for three epochs
    (`make precompute ONLY=05/rank`); accuracies on 1,000 digits held out of the training split.

    Raises:
        FileNotFoundError: the stored measurements are missing.
    """
    results = precomputed("05", "rank")
    return _RankKnob(
        lambda **state: compute_rank_knob(results, **state),
        state=OPENING,
        setup={
            "question": "How many directions does a layer need?",
            "ranks": results["ranks"],
            "layers": [list(item) for item in LAYERS.items()],
            "scales": [list(item) for item in SCALES.items()],
            "epochs": list(EPOCHS),
            "presets": list(PRESETS),
        },
        picture=_draw_knob,
        describe=_describe_knob,
    )


class _RankKnob(Explorable):
    _esm = front_end("rank_knob")


def _multiply_adds(shapes: Mapping[str, Sequence[int]], ranks: Mapping[str, int]) -> int:
    """Multiply-adds of one example, which is also the number of weights: every layer is linear."""
    total = 0
    for name, (m, n) in shapes.items():
        r = ranks.get(name, min(m, n))
        total += m * n if r == min(m, n) else r * (m + n)
    return total


def _biases(shapes: Mapping[str, Sequence[int]]) -> int:
    return sum(m for m, _ in shapes.values())


def _account(data: Mapping[str, Any]) -> str:
    settings, place, r = data["settings"], data["place"], data["rank"]
    before, after = data["before"][place], data["after"][place]
    adds, whole = data["multiply_adds"], data["multiply_adds_whole"]
    kept = (
        f"The layer {settings['layer']} as it was, rank {r}"
        if r == data["full"]
        else f"The layer {settings['layer']} at rank {r} of {data['full']} keeps "
        f"{_percent(data['energy'])} of its energy, relative error {number(data['relative_error'])}"
    )
    if not settings["is_other_whole"]:
        kept += f"; the other layer is at rank {settings['other']}"
    epochs = settings["epochs"]
    tuned = f", after {epochs} epoch{'s' * (epochs > 1)} of fine-tuning {_percent(after)}"
    return (
        f"{kept}. Held-out accuracy {_percent(before)} as cut{tuned if epochs else ''} (the whole "
        f"network: {_percent(data['whole'])}). An example costs {adds:,} multiply-adds instead of "
        f"{whole:,}, the network {data['parameters']:,} parameters instead of "
        f"{data['parameters_whole']:,}."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g}\u00a0%"


# ---- the stored picture -------------------------------------------------------------------------


def _describe_knob(data: dict[str, Any]) -> str:
    place = data["place"]
    return (
        f"Singular values of the layer {data['settings']['layer']} of a trained network, its "
        f"accuracy against the rank, and its cost. The first values stand out of a long slow "
        f"decline. Cut to rank {data['rank']} it keeps {_percent(data['energy'])} of the energy, "
        f"and {_percent(data['before'][place])} of held-out digits are still right, of the whole "
        f"network {_percent(data['whole'])}. Two factors are smaller than the layer up to rank "
        f"{data['break_even']}."
    )


def _draw_knob(data: dict[str, Any]) -> Figure:
    from companion import plotting

    figure, (left, middle, right) = plotting.panels(
        1, 3, size=(3.0, 2.8),
        titles=["singular values", "held-out accuracy", "multiply-adds of the layer"],
    )  # fmt: skip
    r, spectrum, ranks = data["rank"], data["spectrum"], data["ranks"]
    index = range(1, len(spectrum) + 1)
    left.bar(index[:r], spectrum[:r], width=1, color=plotting.COLORS[0], label="kept")
    left.bar(index[r:], spectrum[r:], width=1, color="0.75", label="cut off")
    left.axvline(data["energy_rank"], color=plotting.COLORS[1], linestyle="--", label="90 % energy")
    left.set(xlabel="place", ylabel="singular value")
    middle.plot(ranks, data["before"], "o-", color=plotting.COLORS[0], label="as cut")
    middle.axhline(data["whole"], color="0.4", linestyle=":", label="whole network")
    right.plot(ranks[:-1], data["layer_adds"][:-1], "o-", color=plotting.COLORS[2],
               label="two factors")  # fmt: skip
    right.axhline(data["layer_whole"], color="0.4", linestyle=":", label="one layer")
    right.axvline(data["break_even"], color=plotting.COLORS[1], linestyle="--", label="break-even")
    for ax in (middle, right):
        ax.axvline(r, color="0.7", linewidth=0.8, zorder=0)
        ax.set_xscale("log", base=2)
        ax.set_xticks([1, 4, 16, 64, 256], ["1", "4", "16", "64", "256"])
        ax.set_xlabel("rank")
    for ax in (left, middle, right):
        ax.legend()
    return figure
