"""The tree surgeon: how deep a story of a network must be, and what one turned question costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from companion.data import load
from companion.explanation import answers, surrogate_tree
from companion.explorables.tree_store import Grown, as_rows, grown, unpacked_tree
from companion.explorables.view import Explorable, front_end, preset
from companion.storage import precomputed

N_QUERIES = (0, 2_000, 20_000)
MOST_QUESTIONS = 12
N_DRAWN = 4  # levels of questions drawn at once
N_CASES = 40  # held-out digits on offer
SIDE = 8
GREY = 16  # levels of ink above none
AXES = {"depth": "questions", "leaves": "leaves"}

PRESETS = (
    preset(
        "readable",
        "Three questions and eight answers: a story that anybody can read, and that agrees with "
        "the network on about half of the digits. There are ten digits and eight leaves, to begin "
        "with.",
        n_queries=0, depth=3, node=-1, swapped=[], moved=[], axis="depth",
    ),
    preset(
        "deep",
        "With up to twelve questions the tree agrees on more than four digits in five, and hardly "
        "more often than with seven: the images it was grown on are used up, and further questions "
        "have nothing to go by.",
        n_queries=0, depth=12, node=-1, swapped=[], moved=[], axis="depth",
    ),
    preset(
        "deep with queries",
        "The network answers for any picture. 20,000 noisy copies of the training images give "
        "the tree something to ask about: nine in ten agree. Its leaves are nearly a thousand, "
        "and fidelity has been paid for in length.",
        n_queries=20_000, depth=12, node=-1, swapped=[], moved=[], axis="leaves",
    ),
    preset(
        "a flipped split",
        "One question of 31 has its sides exchanged. Every digit that came this way now gets the "
        "answer meant for another. High up a turn costs much, near a leaf little: that is how "
        "much each question carries.",
        n_queries=2_000, depth=5, node=1, swapped=[1], moved=[], axis="depth",
    ),
)  # fmt: skip
OPENING: dict[str, Any] = {**PRESETS[0]["state"], "case": 3}


class Patient:
    """A network's answers to held-out digits, and trees that try to give the same ones.

    `images` (n, 64) are held out, `said` (n,) what the network says of each, `tree(n_queries)` the
    tree grown after so many further questions.
    """

    def __init__(self, images: np.ndarray, said: np.ndarray, tree: Callable[[int], Grown]) -> None:
        self.images, self.said, self.tree = images, said, lru_cache(maxsize=None)(tree)

    @lru_cache(maxsize=256)  # noqa: B019 - a patient lives as long as its widget
    def traced(
        self, n_queries: int, swapped: tuple[int, ...], moved: tuple[tuple[int, float], ...]
    ) -> tuple[Grown, np.ndarray, list[float]]:
        """The tree as operated on, where each image is after 0 ... 12 questions, fidelities."""
        tree = self.tree(n_queries).changed(list(swapped), dict(moved))
        nodes = tree.trace(self.images, MOST_QUESTIONS)  # (13, n)
        return tree, nodes, (tree.label[nodes] == self.said).mean(1).tolist()


def stored_patient() -> Patient:
    """The chapter's network, as it answered when its trees were grown."""
    results = precomputed("06", "tree_surgeon")["networks"]
    images = as_rows(load("digits", split="test").inputs)
    said = np.array(list(map(int, results["answers"])))
    return Patient(images, said, lambda n: unpacked_tree(results["trees"][str(n)]))


def patient_of(model: nn.Module | Callable[[Tensor], Tensor]) -> Patient:
    """The reader's network; each tree is grown when it is first asked for."""
    train, test = load("digits"), load("digits", split="test")

    def tree(n_queries: int) -> Grown:
        return grown(
            surrogate_tree(
                model, train.inputs, max_depth=MOST_QUESTIONS, n_queries=n_queries,
                step=1 / GREY, generator=torch.Generator().manual_seed(0),
            )
        )  # fmt: skip

    return Patient(as_rows(test.inputs), answers(model, test.inputs).numpy(), tree)


def compute_tree_surgeon(
    patient: Patient,
    *,
    n_queries: int,
    depth: int,
    node: int,
    swapped: Sequence[int],
    moved: Sequence[Sequence[float]],
    axis: str,
    case: int,
) -> dict[str, Any]:
    """A tree of at most `depth` questions, one of its nodes, and how often it is the network's.

    `n_queries` is 0, 2,000 or 20,000; `node` is a node of the tree of twelve questions (where the
    tree stops above it, the end of its way is meant), or -1 for the leaf of the held-out digit
    `case`.  `swapped` are splits whose sides are exchanged, `moved` pairs of a split and its new
    threshold, in levels of ink 0 ... 16.  `axis`, "depth" or "leaves", is what the chart of
    fidelity runs along.

    Raises:
        ValueError: a setting is unknown or out of range, or a node is no split.
    """
    _check(n_queries, depth, axis, case)
    plain = patient.tree(n_queries)
    _check_nodes(plain, node, swapped, moved)
    turned = tuple(sorted(set(swapped)))
    shifted = tuple(sorted((int(at), float(level) / GREY) for at, level in moved))
    tree, nodes, fidelities = patient.traced(n_queries, turned, shifted)
    _, _, before = patient.traced(n_queries, (), ())
    ends = nodes[depth]  # (n,)
    way = tree.above(int(ends[case]) if node < 0 else node)[: depth + 1]
    here = way[-1]
    arrived = (nodes[: depth + 1] == here).any(0)  # (n,)
    is_split = bool(tree.feature[here] >= 0 and tree.depths[here] < depth)
    root = way[max(0, len(way) - N_DRAWN)] if node >= 0 else 0
    said = patient.said[arrived]
    data: dict[str, Any] = {
        "nodes": _drawn(tree, root, depth, set(way), turned, dict(shifted)),
        "root_depth": int(tree.depths[root]),
        "selected": here,
        "is_split": is_split,
        "threshold": round(GREY * float(tree.threshold[here]), 2) if is_split else None,
        "parent": int(tree.parent[here]),
        "children": [int(tree.left[here]), int(tree.right[here])] if is_split else [],
        "limits": _limits(tree, way),
        "image": (patient.images[case] * GREY).round().astype(int).tolist(),
        "mean": _mean(patient.images[arrived]),
        "n_arrived": int(arrived.sum()),
        "n_same": int((said == tree.label[here]).sum()),
        "label": int(tree.label[here]),
        "case_says": int(tree.label[ends[case]]),
        "network_says": int(patient.said[case]),
        "curves": {
            str(n): {
                "fidelity": [round(f, 4) for f in patient.traced(n, (), ())[2][1:]],
                "leaves": [patient.tree(n).n_leaves(d) for d in range(1, MOST_QUESTIONS + 1)],
            }
            for n in N_QUERIES
        },
        "fidelity": round(fidelities[depth], 4),
        "fidelity_before": round(before[depth], 4),
        "n_leaves": tree.n_leaves(depth),
        "n_operations": len(turned) + len(shifted),
        "settings": {"n_queries": n_queries, "depth": depth, "axis": axis, "case": case,
                     "n_held_out": len(patient.said)},
    }  # fmt: skip
    data["words"] = _words(data)
    data["text"] = _account(data)
    return data


def tree_surgeon(model: nn.Module | Callable[[Tensor], Tensor] | None = None) -> Explorable:
    """Trees that answer for a network of digits: depth, queries, paths, and a knife.

    Without `model` it is the network of chapter 06 with stored trees (`make precompute
    ONLY=06/tree_surgeon`); a `model` of the reader's maps images (n, 1, 8, 8) to logits (n, 10),
    and its trees are grown when first asked for.

    Raises:
        ValueError: `model` is no function, or does not give ten logits.
        FileNotFoundError: the stored trees are missing.
    """
    if model is not None and not callable(model):
        raise ValueError(f"model must be a network (n, 1, 8, 8) -> (n, 10), got {model!r}")
    patient = stored_patient() if model is None else patient_of(model)
    return _TreeSurgeon(
        lambda **state: compute_tree_surgeon(patient, **state),
        state=OPENING,
        setup={
            "question": "How deep must a story be, before it is true?",
            "n_queries": [[n, f"{n:,}"] for n in N_QUERIES],
            "most_questions": MOST_QUESTIONS,
            "n_drawn": N_DRAWN,
            "n_cases": N_CASES,
            "grey": GREY,
            "axes": [list(item) for item in AXES.items()],
            "presets": list(PRESETS),
        },
        picture=_draw_surgeon,
        describe=_describe_surgeon,
    )


class _TreeSurgeon(Explorable):
    _esm = front_end("tree_surgeon")


def _check(n_queries: int, depth: int, axis: str, case: int) -> None:
    for name, value, known in (("n_queries", n_queries, N_QUERIES), ("axis", axis, AXES)):
        if isinstance(value, bool) or value not in known:
            raise ValueError(f"no {name} {value!r}: expected one of {', '.join(map(str, known))}")
    for name, value, least, most in (
        ("depth", depth, 1, MOST_QUESTIONS), ("case", case, 0, N_CASES - 1),
    ):  # fmt: skip
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        if not is_integer or not least <= value <= most:
            raise ValueError(f"{name} must be an integer in {least} ... {most}, got {value!r}")


def _check_nodes(
    tree: Grown, node: int, swapped: Sequence[int], moved: Sequence[Sequence[float]]
) -> None:
    n = len(tree.feature)
    if not isinstance(node, int) or isinstance(node, bool) or not -1 <= node < n:
        raise ValueError(f"node must be an integer in -1 ... {n - 1}, got {node!r}")
    for at in [*swapped, *(pair[0] for pair in moved)]:
        is_node = isinstance(at, int) and not isinstance(at, bool) and 0 <= at < n
        if not is_node or tree.feature[at] < 0:
            raise ValueError(f"no split {at!r} in this tree: operations are on its questions")
    for pair in moved:
        if not 0 <= pair[1] <= GREY:
            raise ValueError(f"a threshold is a level of ink in 0 ... {GREY}, got {pair[1]!r}")


def _drawn(
    tree: Grown, root: int, depth: int, way: set[int], swapped: Sequence[int],
    moved: Mapping[int, float],
) -> list[dict[str, Any]]:  # fmt: skip
    """The top levels below `root`, places from left to right counted in ends."""
    found: list[dict[str, Any]] = []
    last = min(depth, int(tree.depths[root]) + N_DRAWN)
    n_placed = 0

    def visit(node: int) -> float:
        nonlocal n_placed
        is_split = bool(tree.feature[node] >= 0 and tree.depths[node] < depth)
        row: dict[str, Any] = {
            "id": node,
            "level": int(tree.depths[node] - tree.depths[root]),
            "label": int(tree.label[node]),
            "n": int(tree.n[node]),
            "n_right": int(tree.n_right[node]),
            "is_on_way": node in way,
            "pixel": None,
            "hidden": 0,
        }
        found.append(row)
        if is_split:
            row |= {"pixel": int(tree.feature[node]), "is_swapped": node in swapped,
                    "at": round(GREY * float(tree.threshold[node]), 2),
                    "is_moved": node in moved}  # fmt: skip
        if is_split and tree.depths[node] < last:
            row["children"] = [int(tree.left[node]), int(tree.right[node])]
            row["place"] = sum(visit(child) for child in row["children"]) / 2
        else:
            row["place"] = float(n_placed)
            row["hidden"] = tree.ends(node, depth) if is_split else 0
            n_placed += 1
        return row["place"]

    visit(root)
    return found


def _limits(tree: Grown, way: Sequence[int]) -> list[list[float | int | None]]:
    """What the way asks of each pixel: [pixel, above this level or None, at most or None]."""
    found: dict[int, list[float | None]] = {}
    for node, child in zip(way[:-1], way[1:], strict=True):
        pixel, at = int(tree.feature[node]), round(GREY * float(tree.threshold[node]), 2)
        low, high = found.get(pixel, [None, None])
        if child == tree.left[node]:
            high = at if high is None else min(at, high)
        else:
            low = at if low is None else max(at, low)
        found[pixel] = [low, high]
    return [[pixel, *limits] for pixel, limits in found.items()]


def _words(data: Mapping[str, Any]) -> str:
    parts = []
    for pixel, low, high in data["limits"]:
        sides = [f"above {low:g}"] if low is not None else []
        sides += [f"at most {high:g}"] if high is not None else []
        parts.append(f"{_named(pixel)} is {' and '.join(sides)}")
    then = f"{'rather ' if data['is_split'] else ''}a {data['label']}."
    condition = f"If {', '.join(parts)}, it is" if parts else "At the root it is"
    n, same = data["n_arrived"], data["n_same"]
    if not n:
        return f"{condition} {then} No held-out digit comes here."
    return (
        f"{condition} {then} {n} of {data['settings']['n_held_out']} held-out digits come here, "
        f"and the network says {data['label']} of {same}."
    )


def _mean(images: np.ndarray) -> list[float] | None:
    """The mean of images (n, 64) in levels of ink."""
    return (images.mean(0) * GREY).round(1).tolist() if len(images) else None


def _named(pixel: int) -> str:
    """Row and column of a pixel, counted from 1."""
    return f"r{pixel // SIDE + 1}c{pixel % SIDE + 1}"


def _account(data: Mapping[str, Any]) -> str:
    settings = data["settings"]
    queries = f"{settings['n_queries']:,} queries" if settings["n_queries"] else "no queries"
    n_questions = settings["depth"]
    start = (
        f"At most {n_questions} question{'s' * (n_questions > 1)}, {data['n_leaves']} leaves, "
        f"{queries}: fidelity on {settings['n_held_out']} held-out digits "
        f"{_percent(data['fidelity_before'])}"
    )
    if not data["n_operations"]:
        return f"{start}."
    n = data["n_operations"]
    return f"{start}, after {n} operation{'s' * (n > 1)} {_percent(data['fidelity'])}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


# ---- the stored picture -------------------------------------------------------------------------


def _describe_surgeon(data: dict[str, Any]) -> str:
    deepest = {n: row["fidelity"][-1] for n, row in data["curves"].items()}
    return (
        f"A tree of {data['settings']['depth']} levels of questions about pixels of a digit, the "
        "way of one digit drawn thick; the pixels that its way asks about; and a chart of the "
        f"fidelity against the number of questions. The tree drawn agrees with the network on "
        f"{_percent(data['fidelity'])} of held-out digits, with twelve questions "
        f"{_percent(deepest['0'])}, and after 20,000 queries {_percent(deepest['20000'])}."
    )


def _draw_surgeon(data: dict[str, Any]) -> Figure:
    from companion import plotting

    figure, (left, middle, right) = plotting.panels(
        1, 3, size=(3.2, 2.8),
        titles=["a tree of the network's answers", "what the thick way asks", "fidelity"],
    )  # fmt: skip
    by_id = {row["id"]: row for row in data["nodes"]}
    for row in data["nodes"]:
        for child in row.get("children", ()):
            is_thick = row["is_on_way"] and by_id[child]["is_on_way"]
            left.plot(
                [row["place"], by_id[child]["place"]], [-row["level"], -by_id[child]["level"]],
                color="black" if is_thick else "0.6", linewidth=2.5 if is_thick else 1, zorder=1,
            )  # fmt: skip
    for row in data["nodes"]:
        is_split = row["pixel"] is not None
        words = f"{_named(row['pixel'])}\n≤ {row['at']:g}" if is_split else f"{row['label']}"
        left.text(
            row["place"], -row["level"], words, ha="center", va="center",
            fontsize=6.5 if is_split else 9, fontweight="bold" if row["is_on_way"] else "normal",
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "0.4"},
        )  # fmt: skip
    left.set(xlim=(-0.7, max(row["place"] for row in data["nodes"]) + 0.7))
    left.margins(y=0.15)
    left.axis("off")
    middle.imshow(np.array(data["image"]).reshape(SIDE, SIDE), cmap="Greys", vmin=0, vmax=GREY)
    for pixel, low, _ in data["limits"]:
        middle.text(
            pixel % SIDE, pixel // SIDE, "+" if low is not None else "−", ha="center",
            va="center", fontsize=14, fontweight="bold", color=plotting.COLORS[1],
        )  # fmt: skip
    middle.set(xticks=[], yticks=[], xlabel="+ must have ink, − must not")
    depths = range(1, MOST_QUESTIONS + 1)
    for i, (n, row) in enumerate(data["curves"].items()):
        right.plot(
            depths, [100 * f for f in row["fidelity"]], plotting.LINES[i], marker="o", markersize=3,
            color=plotting.COLORS[i], label=f"{int(n):,} queries",
        )  # fmt: skip
    right.plot(
        data["settings"]["depth"], 100 * data["fidelity"], "o", color="black", fillstyle="none",
        markersize=9,
    )  # fmt: skip
    right.set(xlabel="questions at most", ylabel="% as the network says", ylim=(0, 100))
    right.legend(loc="lower right")
    return figure
