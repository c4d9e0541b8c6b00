"""Dropout as a committee: thinned networks that vote, against the one scaled network."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from companion import regularization
from companion.data import Dataset, load
from companion.explorables.view import Explorable, front_end, number, one_line, preset
from companion.regularization import Dropout
from companion.storage import precomputed

DropoutFunction = Callable[..., Tensor]

NETWORKS = {"dropout": "with dropout", "plain": "without"}
WHERE = {"both": "both layers", "last": "last layer"}
AVERAGES = {"probabilities": "probabilities", "logits": "logits"}
SHOWN = {
    "accuracy": "accuracy",
    "agreement": "agreement",
    "variance": "variance",
}
N_MASKS = 50  # of the largest committee
N_COMMITTEES = 40  # drawn for one digit, to see by how much their means differ
N_HELD_OUT = 1000
N_HIDDEN = 64
N_DRAWS = 100
RATES = (0.05, 0.9)
# Places of the digits on offer among all held-out ones, from the clearest to the most doubtful.
PLACES = (0.0, 0.4, 0.7, 0.8, 0.86, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.999)

PRESETS = (
    preset(
        "a committee",
        "Each mask leaves another network of half the units. Alone they err more than the scaled "
        "network, which holds them all; their mean answers as well, once enough of them vote.",
        network="dropout", where="both", p=0.5, n_masks=25, average="probabilities",
        shown="accuracy",
    ),
    preset(
        "one mask",
        "A committee of one: what a network answers whose dropout was left on in evaluation. "
        "Draw other masks, and it answers otherwise.",
        network="dropout", where="both", p=0.5, n_masks=1, average="probabilities",
        shown="accuracy",
    ),
    preset(
        "variance",
        "The means of committees scatter, and the variance falls as one over their size: halving "
        "the scatter takes four times the masks. The scaled network does not scatter at all.",
        network="dropout", where="both", p=0.5, n_masks=50, average="logits", shown="variance",
    ),
    preset(
        "exact in the last layer",
        "Masks on the last hidden layer alone. Logits are linear in it, so their mean over all "
        "masks is exactly the scaled network's. After the layer below comes a ReLU, and there "
        "scaling is an approximation.",
        network="dropout", where="last", p=0.5, n_masks=50, average="logits", shown="agreement",
    ),
    preset(
        "never masked in training",
        "Trained without masks, units rely on each other: one mask alone now errs far more often. "
        "The mean of many wins most of that back, yet parts more often from the scaled network.",
        network="plain", where="both", p=0.5, n_masks=25, average="probabilities",
        shown="accuracy",
    ),
)  # fmt: skip
OPENING: dict[str, Any] = {**PRESETS[0]["state"], "digit": 8, "draw": 0}


def thinned_network() -> nn.Sequential:
    """The network of the committee: 14 x 14 pixels, two hidden layers with dropout 0.5."""
    return nn.Sequential(
        nn.Linear(14 * 14, N_HIDDEN), nn.ReLU(), Dropout(0.5),
        nn.Linear(N_HIDDEN, N_HIDDEN), nn.ReLU(), Dropout(0.5),
        nn.Linear(N_HIDDEN, 10),
    )  # fmt: skip


def split_mnist() -> tuple[Dataset, Dataset]:
    """3,000 digits to learn from and 1,000 held out; the test split is not touched."""
    return load("mnist").hold_out(N_HELD_OUT, torch.Generator().manual_seed(0))


def shrunk(images: Tensor) -> Tensor:
    """The means of 2 x 2 pixels as one row: (N, 1, 28, 28) -> (N, 196)."""
    return F.avg_pool2d(images, 2).flatten(1)


def compute_dropout_committee(
    *,
    network: str,
    where: str,
    p: float,
    n_masks: int,
    average: str,
    shown: str,
    digit: int,
    draw: int = 0,
    dropout: DropoutFunction | None = None,
) -> dict[str, Any]:
    """What `n_masks` thinned networks answer for 1,000 held-out digits, and what the scaled one.

    `network` is "dropout" or "plain" (how it was trained), `where` "both" or "last" (which hidden
    layers are masked, each unit dropped with probability `p`), `average` what is averaged over the
    committee, "probabilities" or "logits".  `shown` is the curve over the size of the committee,
    "accuracy", "agreement" (share of digits to which it gives the answer of the scaled network) or
    "variance" (of the committee's mean for the chosen digit, over 40 committees).  `digit` counts
    the digits on offer from the clearest on, `draw` chooses the masks, and `dropout` is the
    reader's own function (see `dropout_committee`).

    Raises:
        ValueError: a setting is unknown or out of range.
    """
    _check(network, where, p, n_masks, average, shown, digit, draw)
    engine, verdict = regularization.dropout, None
    if dropout is not None:
        verdict = _verdict(dropout, p, draw)
        engine = dropout if verdict["is_used"] else engine
    all_masks = _committee(engine, network, where, p, draw, average)
    chosen, k = _on_offer()[digit], n_masks - 1
    repeats = _repeats(engine, network, where, p, draw, chosen)  # (C, M, 10)
    if average == "probabilities":
        repeats = repeats.softmax(-1)
    spread = _running_mean(repeats.transpose(0, 1)).var(1).mean(-1)  # (M,)
    one_mask = repeats.flatten(0, 1).var(0).mean().item()  # of the answer of one mask alone
    gap = (repeats.mean((0, 1)) - all_masks.scaled[chosen]).square().mean().sqrt().item()
    alone = all_masks.is_right_alone[:n_masks]
    data: dict[str, Any] = {
        "curve": _curve(shown, all_masks, spread, one_mask),
        "digit": {"place": digit, "label": int(_held_out()[0].targets[chosen])},
        "votes": {
            "members": _plain(all_masks.members[:n_masks, chosen]),
            "mean": _plain(all_masks.means[k, chosen]),
            "scaled": _plain(all_masks.scaled[chosen]),
            "counts": torch.bincount(all_masks.votes[:n_masks, chosen], minlength=10).tolist(),
        },
        "accuracy": {
            "alone": alone.mean().item(),
            "range": [alone.min().item(), alone.max().item()],
            "committee": all_masks.is_right[k].item(),
            "scaled": all_masks.accuracy,
        },
        "agreement": all_masks.is_same[k].item(),
        "variance": spread[k].item(),
        "gap": gap,
        "noise": (one_mask / (N_COMMITTEES * N_MASKS)) ** 0.5,
        "settings": {"n_masks": n_masks, "average": average, "shown": shown, "p": p},
        "verdict": verdict,
    }
    data["text"] = _account(data)
    return data


def dropout_committee(dropout: DropoutFunction | None = None) -> Explorable:
    """1 to 50 masks of a trained network, their mean, and the one network that stands for all.

    `dropout(x, p, *, training, generator)`, of the signature of `companion.regularization.dropout`,
    is the reader's own function: it draws the masks (one row of a matrix of ones for each member)
    and, with `training=False`, makes the scaled network.  The widget says whether it drops the
    right share, scales the rest, and leaves the network alone in evaluation.

    Raises:
        ValueError: `dropout` is not a function.
        FileNotFoundError: the stored networks are missing.
    """
    if dropout is not None and not callable(dropout):
        raise ValueError(
            "dropout must be a function (x, p, *, training, generator) that returns a tensor of "
            f"x's shape; got {dropout!r}"
        )
    targets = _held_out()[0].targets
    return _DropoutCommittee(
        lambda **state: compute_dropout_committee(**state, dropout=dropout),
        state=OPENING,
        setup={
            "question": "Can one network answer for all the networks that dropout trained?",
            "networks": [list(item) for item in NETWORKS.items()],
            "where": [list(item) for item in WHERE.items()],
            "averages": [list(item) for item in AVERAGES.items()],
            "shown": [list(item) for item in SHOWN.items()],
            "rates": list(RATES),
            "most_masks": N_MASKS,
            "n_draws": N_DRAWS,
            "digits": [
                {"label": int(targets[i]), "pixels": _plain(_image(i))} for i in _on_offer()
            ],
            "presets": list(PRESETS),
        },
        picture=_draw_committee,
        describe=_describe_committee,
    )


class _DropoutCommittee(Explorable):
    _esm = front_end("dropout_committee")


def _check(
    network: str, where: str, p: float, n_masks: int, average: str, shown: str, digit: int,
    draw: int,
) -> None:  # fmt: skip
    for name, value, known in (
        ("network", network, NETWORKS), ("where", where, WHERE), ("average", average, AVERAGES),
        ("shown", shown, SHOWN),
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"no {name} {value!r}: expected one of {', '.join(known)}")
    if not RATES[0] <= p <= RATES[1]:
        raise ValueError(f"p must be a number in {RATES[0]} ... {RATES[1]}, got {p!r}")
    for name, value, least, most in (
        ("n_masks", n_masks, 1, N_MASKS), ("digit", digit, 0, len(PLACES) - 1),
        ("draw", draw, 0, N_DRAWS - 1),
    ):  # fmt: skip
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        if not is_integer or not least <= value <= most:
            raise ValueError(f"{name} must be an integer in {least} ... {most}, got {value!r}")


# ---- the networks and the digits ----------------------------------------------------------------


@cache
def _weights(network: str) -> tuple[Tensor, ...]:
    """Weights and biases of the three layers, as they are stored."""
    stored = precomputed("03", "committee")["networks"][network]
    with torch.device("meta"):  # shapes without numbers
        shapes = [value.shape for value in thinned_network().parameters()]
    return tuple(
        torch.from_numpy(
            np.frombuffer(base64.b64decode(text), dtype="<f2").astype(np.float32)
        ).view(shape)
        for text, shape in zip(stored, shapes, strict=True)
    )


@cache
def _held_out() -> tuple[Dataset, Tensor]:
    """The held-out digits, and what enters the network of each: (N, 196)."""
    held_out = split_mnist()[1]
    return held_out, shrunk(held_out.inputs)


@cache
def _first_layer(network: str) -> Tensor:
    """The first hidden layer of every held-out digit, before any mask: (N, H)."""
    weight, bias, *_ = _weights(network)
    return torch.relu(_held_out()[1] @ weight.T + bias)


@cache
def _on_offer() -> list[int]:
    """The digits that can be chosen, from one that the scaled network is sure of to doubtful."""
    ones = torch.ones(N_HIDDEN)
    sure = _thinned("dropout", _first_layer("dropout"), ones, ones).softmax(-1).amax(-1)  # (N,)
    order = sure.argsort(descending=True, stable=True)
    return [int(order[int(place * len(order))]) for place in PLACES]


def _image(index: int) -> Tensor:
    return _held_out()[0].inputs[index, 0]


def _thinned(network: str, hidden: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Logits (N, 10) of the network whose hidden units are multiplied by `first` and `second`.

    `hidden` (N, H) is the first hidden layer before any mask; the factors are (H,), one network
    for all rows, or (N, H), another one for each.
    """
    _, _, w2, b2, w3, b3 = _weights(network)
    h = torch.relu(hidden * first @ w2.T + b2)
    return h * second @ w3.T + b3


# ---- the committee ------------------------------------------------------------------------------


def _factors(
    dropout: DropoutFunction, where: str, p: float, n: int, draw: int, training: bool = True
) -> list[Tensor]:
    """What the hidden units of both layers are multiplied by in `n` networks: two (n, H)."""
    generator = torch.Generator().manual_seed(draw)
    second, first = (
        dropout(torch.ones(n, N_HIDDEN), p, training=training, generator=generator).detach().float()
        for _ in range(2)
    )
    return [first if where == "both" else torch.ones_like(first), second]


@lru_cache(maxsize=4)
def _answers(
    dropout: DropoutFunction, network: str, where: str, p: float, draw: int
) -> tuple[Tensor, Tensor]:
    """Logits of all members (M, N, 10) and of the scaled network (N, 10)."""
    hidden = _first_layer(network)
    masks = zip(*_factors(dropout, where, p, N_MASKS, draw), strict=True)
    members = [_thinned(network, hidden, first, second) for first, second in masks]
    scaled = _thinned(network, hidden, *_factors(dropout, where, p, 1, draw, training=False))
    return torch.stack(members), scaled


@dataclass(frozen=True)
class Committee:
    """All members' answers (M, N, 10), their running means, and what follows from these.

    `votes` (M, N) are the classes that members choose.  Shares of all digits, for each number of
    masks (M,): `is_right` and `is_same` (as the scaled network) of the committee's mean, and of
    each member alone.
    """

    members: Tensor
    means: Tensor
    scaled: Tensor
    votes: Tensor
    is_right: Tensor
    is_same: Tensor
    is_right_alone: Tensor
    is_same_alone: Tensor
    accuracy: float  # of the scaled network


@lru_cache(maxsize=4)
def _committee(
    dropout: DropoutFunction, network: str, where: str, p: float, draw: int, average: str
) -> Committee:
    members, scaled = _answers(dropout, network, where, p, draw)
    if average == "probabilities":
        members, scaled = members.softmax(-1), scaled.softmax(-1)
    means = _running_mean(members)
    targets, choice = _held_out()[0].targets, scaled.argmax(-1)  # (N,) each
    votes, choices = members.argmax(-1), means.argmax(-1)  # (M, N) each

    def share(is_so: Tensor) -> Tensor:
        return is_so.double().mean(-1)

    return Committee(
        members, means, scaled, votes,
        is_right=share(choices == targets), is_same=share(choices == choice),
        is_right_alone=share(votes == targets), is_same_alone=share(votes == choice),
        accuracy=share(choice == targets).item(),
    )  # fmt: skip


def _repeats(
    dropout: DropoutFunction, network: str, where: str, p: float, draw: int, chosen: int
) -> Tensor:
    """Logits of one digit from the members of other committees: (C, M, 10)."""
    factors = _factors(dropout, where, p, N_COMMITTEES * N_MASKS, N_DRAWS + draw)
    hidden = _first_layer(network)[chosen]
    return _thinned(network, hidden, *factors).view(N_COMMITTEES, N_MASKS, 10)


def _running_mean(values: Tensor) -> Tensor:
    """Means of the first 1, 2, ... rows: (M, ...) -> (M, ...)."""
    counts = torch.arange(1, len(values) + 1).view(-1, *[1] * (values.ndim - 1))
    return values.cumsum(0) / counts


def _curve(shown: str, committee: Committee, spread: Tensor, one_mask: float) -> dict[str, Any]:
    """One value for each size of the committee, beside it a level or a law to compare with."""
    if shown == "variance":
        law = one_mask / torch.arange(1, N_MASKS + 1)
        return {"y": _short(spread), "law": _short(law), "level": None, "alone": None}
    is_accuracy = shown == "accuracy"
    alone = committee.is_right_alone if is_accuracy else committee.is_same_alone
    return {
        "y": _short(committee.is_right if is_accuracy else committee.is_same),
        "law": None,
        "level": committee.accuracy if is_accuracy else None,
        "alone": _short(torch.stack([alone.min(), alone.mean(), alone.max()])),
    }


def _account(data: Mapping[str, Any]) -> str:
    settings, accuracy, votes = data["settings"], data["accuracy"], data["votes"]
    n, digit = settings["n_masks"], data["digit"]["label"]
    low, high = accuracy["range"]
    counts = sorted(((c, k) for k, c in enumerate(votes["counts"]) if c), reverse=True)
    said = ", ".join(f"{c} say {k}" if c > 1 else f"1 says {k}" for c, k in counts)
    members = (
        f"One mask: {_percent(low)} of 1,000 held-out digits right."
        if n == 1
        else f"One mask alone: {_percent(accuracy['alone'])} of 1,000 held-out digits right, from "
        f"{_percent(low)} to {_percent(high)}. Their mean: {_percent(accuracy['committee'])}."
    )
    unit = " logits" if settings["average"] == "logits" else ""
    return (
        f"{members} The scaled network: {_percent(accuracy['scaled'])}; it gives the same answer "
        f"to {_percent(data['agreement'])}. Of this {digit}, {said}. For it the mean over 2,000 "
        f"masks lies {number(data['gap'])}{unit} from the scaled network, where sampling alone "
        f"would make it {number(data['noise'])}."
    )


@lru_cache(maxsize=64)
def _verdict(dropout: DropoutFunction, p: float, draw: int) -> dict[str, Any]:
    """Whether the reader's function is dropout; `is_used` where the networks can be made of it."""

    def say(text: str, *, agrees: bool = False, is_used: bool = True) -> dict[str, Any]:
        text += "" if is_used else " Shown: the library's dropout."
        return {"agrees": agrees, "is_used": is_used, "text": f"Your dropout {text}"}

    n = N_COMMITTEES * N_MASKS
    calls = ((n, True), (n, True), (1, False))
    try:
        found = [
            dropout(
                torch.ones(rows, N_HIDDEN), p, training=training,
                generator=torch.Generator().manual_seed(draw),
            )
            for rows, training in calls
        ]  # fmt: skip
    except Exception as error:  # the reader's code may do anything; the widget says what it did
        text = f"raised {type(error).__name__}: {one_line(ValueError(error))}."
        return say(text, is_used=False)
    for answer, (rows, _) in zip(found, calls, strict=True):
        if not isinstance(answer, Tensor):
            return say(f"returned {type(answer).__name__}, expected a tensor.", is_used=False)
        if answer.shape != (rows, N_HIDDEN):
            text = f"made {tuple(answer.shape)} of shape {(rows, N_HIDDEN)}: it keeps the shape."
            return say(text, is_used=False)
        if not answer.is_floating_point() or not bool(torch.isfinite(answer).all()):
            return say("gives values that are no finite numbers.", is_used=False)
    train, again, evaluation = (answer.detach() for answer in found)
    is_dropped = train == 0
    share, mean = is_dropped.float().mean().item(), train.mean().item()
    if not bool((evaluation == 1).all()):
        return say(
            f"changes its input in evaluation: {number(evaluation.mean().item())} for a 1. In "
            "evaluation nothing is dropped, and nothing has to be scaled."
        )
    if not bool(is_dropped.any()):
        return say("drops nothing in training.")
    if bool((train == train[0]).all()):
        return say("draws one mask for the whole batch: all members are the same network.")
    if abs(share - p) > 0.02:
        hint = " p is the share that is dropped, not the share that is kept."
        swapped = abs(share - (1 - p)) <= 0.02
        text = f"drops {_percent(share)} of the units at p = {p:g}."
        return say(text + hint * swapped)
    if not torch.allclose(train[~is_dropped], torch.tensor(1 / (1 - p)), rtol=1e-3):
        return say(
            f"makes {mean:.2f} of a 1 on average over masks, expected 1: what is kept has to "
            f"be divided by 1 − p, which makes it {number(1 / (1 - p))}."
        )
    if not torch.equal(train, again):
        return say("does not use the generator: each change here draws other masks.")
    return say(
        f"drops {_percent(share)} of the units, divides the others by 1 − p, and does nothing in "
        "evaluation: as the library's.",
        agrees=True,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


def _plain(values: Tensor) -> Any:
    return (values.double() * 1e3).round().div(1e3).add(0.0).tolist()  # + 0.0: no negative zero


def _short(values: Tensor) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]


# ---- the stored picture -------------------------------------------------------------------------


def _describe_committee(data: dict[str, Any]) -> str:
    # In words: masks, and so the last digits, are those of the machine that draws them.
    n, accuracy = data["settings"]["n_masks"], data["accuracy"]

    def against(share: float) -> str:
        gap = share - accuracy["scaled"]
        if abs(gap) < 0.015:
            return "about as often as"
        return "more often than" if gap > 0 else "less often than"

    return (
        f"A handwritten {data['digit']['label']}, what {n} masked networks and the scaled one "
        f"answer to it, and the accuracy of committees of 1 to {N_MASKS} masks. One mask alone is "
        f"right {against(accuracy['alone'])} the scaled network, the mean of {n} "
        f"{against(accuracy['committee'])} it."
    )


def _draw_committee(data: dict[str, Any]) -> Figure:
    from companion import plotting

    votes, curve, n = data["votes"], data["curve"], data["settings"]["n_masks"]
    figure, (left, middle, right) = plotting.panels(
        1, 3, size=(2.9, 2.7),
        titles=["held-out digit", f"answers of {n} masks", "accuracy of the mean"],
    )  # fmt: skip
    left.imshow(_image(_on_offer()[data["digit"]["place"]]).numpy(), cmap="gray_r", vmin=0, vmax=1)
    left.set_xticks([])
    left.set_yticks([])
    members = torch.tensor(votes["members"])  # (n, 10)
    places = torch.arange(10) + torch.linspace(-0.25, 0.25, n)[:, None]  # (n, 10)
    middle.plot(places.flatten(), members.flatten(), ".", color=plotting.COLORS[0], alpha=0.5,
                markersize=4)  # fmt: skip
    middle.plot(votes["mean"], "_", color=plotting.COLORS[1], markersize=14, markeredgewidth=2.5,
                label="their mean")  # fmt: skip
    middle.plot(votes["scaled"], "D", color="black", fillstyle="none", label="scaled net")
    middle.set_xticks(range(10))
    middle.set(xlabel="class", ylabel="probability")
    middle.legend()
    sizes = range(1, N_MASKS + 1)
    low, mean, high = curve["alone"]
    right.axhspan(low, high, color=plotting.COLORS[0], alpha=0.15, linewidth=0)
    right.axhline(mean, color=plotting.COLORS[0], linestyle="-.", label="one mask alone")
    right.plot(sizes, curve["y"], color=plotting.COLORS[1], label="mean of the committee")
    right.axhline(curve["level"], color="black", linestyle=":", label="scaled net")
    right.plot(n, curve["y"][n - 1], "o", color=plotting.COLORS[1])
    right.set_xlabel("masks in the committee")
    right.legend(loc="lower right")
    return figure
