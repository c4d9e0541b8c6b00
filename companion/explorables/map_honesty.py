"""The map honesty bench: a t-SNE map, the same settings on noise, and a number for each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from companion.explorables.map_store import (
    LARGEST,
    N_NEIGHBOURS,
    unpacked_bytes,
    unpacked_points,
)
from companion.explorables.view import Explorable, front_end, preset
from companion.storage import precomputed

DATA = {"digits": "handwritten digits", "noise": "Gaussian noise", "blobs": "two blobs"}
STARTS = {"pca": "PCA", "0": "random, seed 0", "1": "random, seed 1"}
BESIDE = {"noise": "noise, same settings", "start": "the next start"}
COLOURS = {"label": "by label", "doubt": "by false neighbours", "none": "none"}

PRESETS = (
    preset(
        "digits well mapped",
        "Neighbours on paper are near in truth, and the number says so: it is far above that of "
        "noise under the same settings. Still, three in ten of the nearest on paper are not among "
        "the true ones. Follow the lines.",
        data="digits", perplexity=30, start="pca", n_iterations=750, beside="noise",
        colour="label",
    ),
    preset(
        "too early",
        "Stopped after ten steps of 750. What is seen is the shape of an unfinished descent: ten "
        "groups are in the data, and arms and a knot on paper. The trustworthiness is lower than "
        "it will be.",
        data="digits", perplexity=30, start="1", n_iterations=10, beside="noise", colour="none",
    ),
    preset(
        "perplexity too small",
        "With two neighbours to care for, each map falls into islands and strings. Those of noise "
        "are invented, and without labels they look like the others.",
        data="digits", perplexity=2, start="pca", n_iterations=750, beside="noise",
        colour="none",
    ),
    preset(
        "another seed",
        "Two random starts, nearly one trustworthiness: both maps keep near neighbours together. "
        "But which group lies beside which is for the start to say. Slide the perplexity up, and "
        "the two arrangements come to agree.",
        data="digits", perplexity=5, start="0", n_iterations=750, beside="start",
        colour="label",
    ),
    preset(
        "noise",
        "Points without any structure, from two starts. At perplexity 5 they gather in short "
        "strings all the same, others from each start. Seven in ten neighbours on paper are false.",
        data="noise", perplexity=5, start="0", n_iterations=750, beside="start", colour="doubt",
    ),
)  # fmt: skip
OPENING: dict[str, Any] = {**PRESETS[0]["state"], "point": 7}


def compute_map_honesty(
    results: Mapping[str, Any],
    *,
    data: str,
    perplexity: int,
    start: str,
    n_iterations: int,
    beside: str,
    colour: str,
    point: int,
) -> dict[str, Any]:
    """Two maps of the grid, how far to trust them, and one point's true neighbours on both.

    `results` has `n_points`, `perplexities`, `iterations`, `starts`, `labels`, and for each
    "data|perplexity|start|iterations" a map in `positions` and its `trustworthiness`; `neighbours`
    are the true five of each point.  `data` is "digits", "noise" or "blobs", `start` "pca" or a
    seed.  `beside` is what the second map shows: "noise" under the same settings (where the data
    are noise already, the next start), or the same data from the next "start".  `colour` is the
    page's own: "label", "doubt" or "none".  `point` is the one whose neighbours are looked for.

    Raises:
        ValueError: a setting is unknown, or this map was not computed.
    """
    for name, value, known in (
        ("data", data, DATA), ("perplexity", perplexity, results["perplexities"]),
        ("start", start, STARTS), ("n_iterations", n_iterations, results["iterations"]),
        ("beside", beside, BESIDE), ("colour", colour, COLOURS),
    ):  # fmt: skip
        if isinstance(value, bool) or value not in known:
            raise ValueError(f"no {name} {value!r}: expected one of {', '.join(map(str, known))}")
    n = results["n_points"]
    if not isinstance(point, int) or isinstance(point, bool) or not 0 <= point < n:
        raise ValueError(f"point must be an integer in 0 ... {n - 1}, got {point!r}")
    is_noise = beside == "noise" and data != "noise"
    other = start if is_noise else _after(start)
    chosen = (data, perplexity, start, n_iterations)
    second = ("noise" if is_noise else data, perplexity, other, n_iterations)
    trust = results["trustworthiness"]
    answer: dict[str, Any] = {
        "maps": [_map(results, *key, point) for key in (chosen, second)],
        "perplexities": list(results["perplexities"]),
        "iterations": list(results["iterations"]),
        "along_perplexity": {
            name: [trust[_key(name, p, start, n_iterations)] for p in results["perplexities"]]
            for name in DATA
        },
        "along_iterations": {
            name: [trust[_key(name, perplexity, start, i)] for i in results["iterations"]]
            for name in DATA
        },
        "place": [
            results["perplexities"].index(perplexity),
            results["iterations"].index(n_iterations),
        ],
        "settings": {
            "data": data, "perplexity": int(perplexity), "start": start, "point": point,
            "n_iterations": int(n_iterations), "n_points": n,
        },
    }  # fmt: skip
    answer["text"] = _account(answer)
    return answer


def map_honesty() -> Explorable:
    """A t-SNE map and a control beside it; a point's true neighbours are found by lines.

    250 points each: digits, Gaussian noise in 64 dimensions, and two Gaussian blobs of which one is
    five times as wide; 225 maps by `companion.explanation.tsne` (`make precompute
    ONLY=06/map_honesty`).

    Raises:
        FileNotFoundError: the stored maps are missing.
    """
    results = precomputed("06", "map_honesty")
    return _MapHonesty(
        lambda **state: compute_map_honesty(results, **state),
        state=OPENING,
        setup={
            "question": "Which of these clumps are real?",
            "data": [list(item) for item in DATA.items()],
            "perplexities": results["perplexities"],
            "iterations": results["iterations"],
            "starts": [list(item) for item in STARTS.items()],
            "beside": [list(item) for item in BESIDE.items()],
            "colours": [list(item) for item in COLOURS.items()],
            "n_points": results["n_points"],
            "largest": LARGEST,
            "presets": list(PRESETS),
        },
        picture=_draw_maps,
        describe=_describe_maps,
    )


class _MapHonesty(Explorable):
    _esm = front_end("map_honesty")


def _key(data: str, perplexity: int, start: str, n_iterations: int) -> str:
    return f"{data}|{int(perplexity)}|{start}|{int(n_iterations)}"


def _after(start: str) -> str:
    """The next start, the first one after the last."""
    starts = list(STARTS)
    return starts[(starts.index(start) + 1) % len(starts)]


@lru_cache(maxsize=512)
def _on_paper(positions: str, neighbours: str) -> tuple[list[int], np.ndarray]:
    """Coordinates, one after the other, and which neighbour on paper (n, 5) each true one is."""
    y, true = unpacked_points(positions), unpacked_bytes(neighbours, N_NEIGHBOURS)  # (n, 2), (n, 5)
    squares = ((y[:, None] - y[None]) ** 2).sum(2)  # (n, n)
    reach = np.take_along_axis(squares, true, 1)  # (n, 5)
    np.fill_diagonal(squares, squares.max() + 1)
    closer = squares[:, None, :] < reach[:, :, None]  # (n, 5, n)
    return y.flatten().tolist(), closer.sum(2) + 1


def _map(
    results: Mapping[str, Any], data: str, perplexity: int, start: str, n_iterations: int,
    point: int,
) -> dict[str, Any]:  # fmt: skip
    key = _key(data, perplexity, start, n_iterations)
    neighbours = results["neighbours"][data]
    places, ranks = _on_paper(results["positions"][key], neighbours)
    kept = (ranks <= N_NEIGHBOURS).sum(1)  # (n,)
    return {
        "name": DATA[data],
        "data": data,
        "start": STARTS[start],
        "places": places,
        "labels": results["labels"][data],
        "trustworthiness": results["trustworthiness"][key],
        "kept": round(float(kept.mean()), 1),
        "doubt": "".join(str(N_NEIGHBOURS - k) for k in kept.tolist()),
        "neighbours": unpacked_bytes(neighbours, N_NEIGHBOURS)[point].tolist(),
        "ranks": ranks[point].tolist(),
    }


def _account(answer: Mapping[str, Any]) -> str:
    settings, (first, second) = answer["settings"], answer["maps"]
    same = first["data"] == second["data"]
    other = f"the start {second['start']}" if same else "noise treated alike"
    lines = sum(rank <= N_NEIGHBOURS for rank in first["ranks"])
    verb = "is" if lines == 1 else "are"
    return (
        f"{first['name'].capitalize()}, perplexity {settings['perplexity']}, start "
        f"{first['start']}, {settings['n_iterations']} iterations: trustworthiness "
        f"{first['trustworthiness']:.3f}, {other} {second['trustworthiness']:.3f}. Of the five "
        f"nearest on paper {first['kept']:.1f} are true on average, there {second['kept']:.1f}. Of "
        f"the chosen point's five true neighbours {lines} {verb} among its five nearest on paper; "
        f"the farthest is number {max(first['ranks'])} of {settings['n_points'] - 1}."
    )


# ---- the stored picture -------------------------------------------------------------------------


def _describe_maps(answer: dict[str, Any]) -> str:
    settings, (first, second) = answer["settings"], answer["maps"]
    return (
        f"Two t-SNE maps of {settings['n_points']} points at perplexity "
        f"{settings['perplexity']}: {first['name']} in groups of one digit each, trustworthiness "
        f"{first['trustworthiness']:.3f}, and beside them {second['name']}, one round cloud, "
        f"{second['trustworthiness']:.3f}. Lines lead from one point to its five true neighbours. "
        "A chart of trustworthiness against the perplexity: digits high throughout, two blobs "
        "below, noise lowest."
    )


def _draw_maps(answer: dict[str, Any]) -> Figure:
    from companion import plotting

    figure, (left, middle, right) = plotting.panels(
        1, 3, size=(3.0, 3.0),
        titles=[f"{m['name']}: {m['trustworthiness']:.3f}" for m in answer["maps"]]
        + ["trustworthiness"],
    )  # fmt: skip
    point = answer["settings"]["point"]
    for ax, shown in zip((left, middle), answer["maps"], strict=True):
        x, y = np.array(shown["places"]).reshape(-1, 2).T
        for label in sorted(set(shown["labels"])):
            here = np.array([sign == label for sign in shown["labels"]])
            marker = f"${label}$" if shown["data"] == "digits" else "o"
            ax.scatter(
                x[here], y[here], s=22 if shown["data"] == "digits" else 8, marker=marker,
                color=plotting.COLORS[int(label) % len(plotting.COLORS)], linewidths=0.2,
            )  # fmt: skip
        for other, rank in zip(shown["neighbours"], shown["ranks"], strict=True):
            ax.plot(
                x[[point, other]], y[[point, other]], color="black", linewidth=1,
                linestyle="-" if rank <= N_NEIGHBOURS else "--",
            )  # fmt: skip
        ax.set(xticks=[], yticks=[], aspect="equal")
    perplexities = answer["perplexities"]
    for i, (name, values) in enumerate(answer["along_perplexity"].items()):
        right.plot(values, plotting.LINES[i], marker="o", color=plotting.COLORS[i], label=name)
    right.axvline(answer["place"][0], color="0.7", linewidth=0.8, zorder=0)
    right.set_xticks(range(len(perplexities)), perplexities)
    right.set(xlabel="perplexity", ylim=(0.5, 1.02))
    right.legend(loc="lower left")
    return figure
