"""The two-part dial: a network and the labels it predicts as one message, and which is shortest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from companion.codelength import Ledger, uniform_bits
from companion.explorables.view import Explorable, front_end, number, preset
from companion.storage import precomputed

CODERS = {"raw": "equal words", "huffman": "Huffman", "arithmetic": "arithmetic"}
LABELS = {"true": "as they are", "random": "shuffled"}
ALONG = {"density": "density", "levels": "levels"}
SHOWN = {"bits": "bits of both", "accuracy": "test accuracy"}
PARTS = {
    "positions": "which are kept",
    "values": "their values",
    "raw": "float32 values",
    "codebooks": "levels",
    "header": "header",
}
N_CLASSES = 10
PREQUENTIAL = ("02", "mnist1d", "CNN", "prequential")  # the row of the ledger beside the bars

PRESETS = (
    preset(
        "the shortest",
        "Fewer weights make the network shorter and the labels longer. Between is the shortest "
        "message, less than half of what the labels take alone. Its network is neither the "
        "smallest of the grid nor the most accurate.",
        density=0.4, n_levels=8, coder="arithmetic", labels="true", along="density", shown="bits",
    ),
    preset(
        "float32",
        "The labels cost next to nothing, and the network alone five times what they take without "
        "one. On 32 levels it is as accurate in less than a fifth of the bits: most of them say "
        "nothing about digits.",
        density=1.0, n_levels=0, coder="arithmetic", labels="true", along="levels", shown="bits",
    ),
    preset(
        "too small",
        "A short network that knows hardly anything: the labels cost nearly what they take alone, "
        "and the network comes on top. Here nothing at all is the shorter message.",
        density=0.07, n_levels=4, coder="arithmetic", labels="true", along="density", shown="bits",
    ),
    preset(
        "equal words",
        "With as many bits for every number a zero costs what a weight does, so pruning saves "
        "nothing by itself: the shortest message keeps most weights. Pruning needs a coder that "
        "knows how common zeros are.",
        density=0.4, n_levels=8, coder="raw", labels="true", along="density", shown="bits",
    ),
    preset(
        "shuffled labels",
        "Nothing connects these labels with their series, and no network pays: each of the 48 "
        "messages is longer than the labels alone. What a network learns by heart costs it more "
        "bits than it saves.",
        density=0.4, n_levels=8, coder="arithmetic", labels="random", along="density",
        shown="bits",
    ),
)  # fmt: skip
OPENING: dict[str, Any] = dict(PRESETS[0]["state"])


def compute_two_part_dial(
    results: Mapping[str, Any],
    *,
    density: float,
    n_levels: int,
    coder: str,
    labels: str,
    along: str,
    shown: str,
    prequential: float | None = None,
) -> dict[str, Any]:
    """Everything the dial shows of one network: its message, its neighbours', the shortest of all.

    `results` has `densities`, `levels` (0: float32 values), `parts`, `n_labels` and `grids`,
    `{"true": {"0.3|8": {files: {coder: bits of each part}, model_bits: {coder: [for each seed]},
    data_bits, accuracy: [for each seed]}}}`.  `density` is the share of the weights kept,
    `n_levels` how many values a kept number may take, `coder` writes the file, `labels` are "true"
    or "random", `along` ("density" or "levels") chooses the row of neighbours drawn as bars,
    `shown` ("bits" or "accuracy") what the grid holds.  `prequential` is a code length from the
    ledger to draw beside them.  Shortest is what is so on average over the seeds.

    Raises:
        ValueError: a setting is unknown, or this network was not measured.
    """
    densities, levels = results["densities"], results["levels"]
    for name, value, known in (
        ("density", density, densities), ("n_levels", n_levels, levels), ("coder", coder, CODERS),
        ("labels", labels, LABELS), ("along", along, ALONG), ("shown", shown, SHOWN),
    ):  # fmt: skip
        if isinstance(value, bool) or value not in known:
            raise ValueError(f"no {name} {value!r}: expected one of {', '.join(map(str, known))}")
    cells = results["grids"][labels]
    rows = [[_message(cells[f"{d}|{n}"], coder) for n in levels] for d in densities]
    place = (densities.index(density), levels.index(n_levels))
    every = [(row["total"], i, j) for i, line in enumerate(rows) for j, row in enumerate(line)]
    _, *shortest = min(every)
    bars = [line[place[1]] for line in rows] if along == "density" else rows[place[0]]
    chosen = cells[f"{densities[place[0]]}|{n_levels}"]
    data: dict[str, Any] = {
        "densities": list(densities),
        "levels": list(levels),
        "place": list(place),
        "shortest": shortest,
        "totals": [[row["total"] for row in line] for line in rows],
        "accuracies": [[row["accuracy"] for row in line] for line in rows],
        "bars": bars,
        "bar": place[0 if along == "density" else 1],
        "messages": [_parts(chosen, key, results["parts"]) for key in CODERS],
        "uniform": round(uniform_bits(results["n_labels"], N_CLASSES)),
        "prequential": prequential if labels == "true" else None,
        "settings": {
            "coder": coder, "labels": labels, "along": along, "shown": shown,
            "n_seeds": len(chosen["data_bits"]), "n_labels": results["n_labels"],
        },
    }  # fmt: skip
    data["text"] = _account(data, rows)
    return data


def two_part_dial() -> Explorable:
    """Density, levels and coder on three dials; bits of the network and bits of its labels.

    A convolutional network of 2,090 numbers on MNIST-1D, pruned, shared and trained on at each of
    48 places (`make precompute ONLY=05/dial`).  The bits of a network are those of the file that
    `companion.compression.compress` writes, the bits of the labels those of its own predictions.

    Raises:
        FileNotFoundError: the stored measurements are missing.
    """
    results = precomputed("05", "dial")
    prequential = next(
        (r["data_bits"] for r in Ledger().rows()
         if (r["chapter"], r["data"], r["model"], r["code"]) == PREQUENTIAL), None,
    )  # fmt: skip
    return _TwoPartDial(
        lambda **state: compute_two_part_dial(results, prequential=prequential, **state),
        state=OPENING,
        setup={
            "question": "Which network is the shortest message?",
            "densities": list(results["densities"]),
            "levels": list(results["levels"]),
            "coders": [list(item) for item in CODERS.items()],
            "labels": [list(item) for item in LABELS.items()],
            "along": [list(item) for item in ALONG.items()],
            "shown": [list(item) for item in SHOWN.items()],
            "n_parameters": results["n_parameters"],
            "presets": list(PRESETS),
        },
        picture=_draw_dial,
        describe=_describe_dial,
    )


class _TwoPartDial(Explorable):
    _esm = front_end("two_part_dial")


def _message(cell: Mapping[str, Any], coder: str) -> dict[str, Any]:
    """Bits of network and labels, means over the seeds, and the range of their sum."""
    model, labels = cell["model_bits"][coder], cell["data_bits"]
    totals = [sum(pair) for pair in zip(model, labels, strict=True)]
    return {
        "model": round(fmean(model)), "labels": round(fmean(labels)),
        "total": round(fmean(totals)), "low": min(totals), "high": max(totals),
        "accuracy": round(fmean(cell["accuracy"]), 4),
    }  # fmt: skip


def _parts(cell: Mapping[str, Any], coder: str, parts: Sequence[str]) -> dict[str, Any]:
    """One message cut in parts, the labels last."""
    bits = dict(zip(parts, cell["files"][coder], strict=True))
    return {
        "coder": coder,
        "name": CODERS[coder],
        "parts": [[PARTS[key], bits[key]] for key in PARTS] + [
            ["labels", round(fmean(cell["data_bits"]))]
        ],
        "total": _message(cell, coder)["total"],
    }  # fmt: skip


def _named(density: float, n_levels: int) -> str:
    values = f"on {n_levels} levels" if n_levels else "as float32 values"
    return f"{_percent(density)} of the weights {values}"


def _account(data: Mapping[str, Any], rows: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    (i, j), (a, b), settings = data["place"], data["shortest"], data["settings"]
    row, least, uniform = rows[i][j], rows[a][b], data["uniform"]
    seeds = f" ({row['low']:,} to {row['high']:,} over {settings['n_seeds']} seeds)"
    gain = uniform - row["total"]
    verdict = f"{abs(gain):,} {'fewer' if gain > 0 else 'more'} than the labels without a network"
    here = "This is the shortest of the grid." if (i, j) == (a, b) else (
        f"Shortest of the grid: {_named(data['densities'][a], data['levels'][b])}, "
        f"{least['total']:,} bits."
    )  # fmt: skip
    return (
        f"{_named(data['densities'][i], data['levels'][j])}, {CODERS[settings['coder']]}: the "
        f"network costs {row['model']:,} bits and its {settings['n_labels']:,} labels "
        f"{row['labels']:,}, together {row['total']:,}{seeds if settings['n_seeds'] > 1 else ''}, "
        f"{verdict}; test accuracy {_percent(row['accuracy'])}. {here}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g}\u00a0%"


# ---- the stored picture -------------------------------------------------------------------------


def _describe_dial(data: dict[str, Any]) -> str:
    (i, j), bars, place = data["shortest"], data["bars"], data["bar"]
    return (
        f"Bits of a small network and of the {data['settings']['n_labels']:,} labels it predicts, "
        f"stacked, against the density of its weights at {number(data['levels'][data['place'][1]])}"
        f" levels. Denser, the network costs more; sparser, the labels do: from "
        f"{bars[0]['total']:,} bits at density 1 the sum falls to "
        f"{min(bar['total'] for bar in bars):,} and rises to {bars[-1]['total']:,}. The shortest "
        f"of the grid is density {number(data['densities'][i])} with {data['levels'][j]} levels; "
        f"without a network the labels take {data['uniform']:,} bits. Chosen: "
        f"{bars[place]['total']:,} bits."
    )


def _draw_dial(data: dict[str, Any]) -> Figure:
    import numpy as np

    from companion import plotting

    figure, (left, middle, right) = plotting.panels(
        1, 3, size=(3.1, 3.0),
        titles=["thousand bits to send both", "bits to send both", "one message, three coders"],
    )  # fmt: skip
    densities = [number(d) for d in data["densities"]]
    levels = [str(n) if n else "float32" for n in data["levels"]]
    totals = np.array(data["totals"])
    left.imshow(np.minimum(totals, 2 * data["uniform"]), cmap="Blues_r", vmin=-8000, aspect="auto")
    for i, line in enumerate(totals):
        for j, bits in enumerate(line):
            left.text(j, i, f"{bits / 1000:.1f}", ha="center", va="center", fontsize=7)
    i, j = data["shortest"]
    left.plot(j, i, "s", color="black", fillstyle="none", markersize=18)
    left.set_xticks(range(len(levels)), levels)
    left.set_yticks(range(len(densities)), densities)
    left.set(xlabel="levels", ylabel="density")
    x = range(len(data["bars"]))
    model, labels = ([bar[key] for bar in data["bars"]] for key in ("model", "labels"))
    middle.bar(x, model, color=plotting.COLORS[0], alpha=0.6, label="network")
    middle.bar(x, labels, bottom=model, color=plotting.COLORS[1], alpha=0.6, hatch="///",
               edgecolor="white", label="labels")  # fmt: skip
    middle.axhline(data["uniform"], color="black", linestyle=":", label="no network")
    if data["prequential"]:
        middle.axhline(data["prequential"], color="0.4", linestyle="--", label="prequential, CNN")
    middle.set_xticks(x, densities, fontsize=7)
    highest = max(data["uniform"], *(bar["total"] for bar in data["bars"]))
    middle.set(xlabel="density", ylim=(0, 1.4 * highest))
    middle.legend(ncols=2, loc="upper center")
    for y, message in enumerate(data["messages"]):
        start = 0
        for k, (name, bits) in enumerate(message["parts"]):
            right.barh(y, bits, left=start, color=plotting.COLORS[(0, 5, 6, 2, 3, 1)[k]],
                       label=name if y == 2 and bits else None)  # fmt: skip
            start += bits
    right.set_yticks(range(3), [message["name"] for message in data["messages"]])
    right.set(xlabel="bits", ylim=(-0.6, 4))
    right.legend(ncols=2, loc="upper center")
    return figure
