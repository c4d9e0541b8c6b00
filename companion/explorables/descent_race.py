"""The descent race: SGD, momentum and Adam from one start on the loss of real data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from companion import foundations
from companion.data import load
from companion.explorables.view import Explorable, front_end, number, one_line, preset

RACERS = ("SGD", "momentum", "Adam")
OWN = "yours"
MOST_STEPS = 60
BATCHES = {"all": "all", "32": "32", "8": "8", "2": "2"}
MANTISSAS = (1.0, 1.1, 1.2, 1.3, 1.5, 1.7, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
RATES = (
    0.003, 0.004, 0.005, 0.006, 0.007, 0.008,
    *(round(m * power, 3) for power in (0.01, 0.1, 1.0) for m in MANTISSAS), 10.0,
)  # fmt: skip
MOMENTA = (0.0, 0.98)
N_LINEAR = 1000  # series for the linear model
N_SERIES = 200  # for the network
GRID = 41  # heights per side of the picture
FAR = 50.0  # who is that far out is not followed any more
SURFACES = {
    "valley": "linear model",
    "network": "MLP, a slice",
}

Optimizer = Callable[[float], Any]
Rows = np.ndarray | slice  # which examples
Gradient = Callable[[np.ndarray, Rows], np.ndarray]
EVERYTHING = slice(None)


@dataclass(frozen=True)
class Surface:
    """A loss over two coordinates: `bits(points)` and `gradient(points, rows)` take points (R, 2).

    The loss is a mean over `n_examples`; `gradient` is that of the loss in nats over the examples
    in `rows`, in NumPy, because a call of torch costs more than so small a step computes.  `span`
    holds the limits of the picture, `lowest` its lowest place and `sharpest` the largest curvature
    there, in nats.
    """

    bits: Callable[[Tensor], Tensor]
    gradient: Gradient
    n_examples: int
    span: tuple[tuple[float, float], tuple[float, float]]
    unit: str
    axes: tuple[str, str]
    note: str
    heights: list[list[float]]
    lowest: tuple[float, float, float]
    sharpest: float


STARTS = {"valley": [2.0, -0.4], "network": [-0.2, 0.15]}

PRESETS = (
    preset(
        "a narrow valley",
        "Across the valley SGD's steps are almost too long, along it they are short: it rattles "
        "from wall to wall. Momentum swings wide, and Adam runs at first in steps of equal length.",
        surface="valley", start=STARTS["valley"], learning_rate=1.0, momentum=0.8, batch="all",
        n_steps=40,
    ),
    preset(
        "too careful",
        "A thirtieth of that. SGD crawls along the floor; momentum, which adds up steps that "
        "agree, gets several times as far; Adam first moves each weight by the learning rate.",
        surface="valley", start=STARTS["valley"], learning_rate=0.03, momentum=0.8, batch="all",
        n_steps=40,
    ),
    preset(
        "past the limit",
        "A third more, and each step of SGD overshoots by more than it corrects: it is thrown out. "
        "Momentum bears almost twice the rate before the same happens to it.",
        surface="valley", start=STARTS["valley"], learning_rate=1.3, momentum=0.8, batch="all",
        n_steps=40,
    ),
    preset(
        "two examples at a time",
        "Each gradient is that of two examples. It points downhill on average, so all three get "
        "down, but no path is smooth: at a constant learning rate the noise stays.",
        surface="network", start=STARTS["network"], learning_rate=0.01, momentum=0.8, batch="2",
        n_steps=60,
    ),
    preset(
        "start at zero",
        "All weights zero: every label costs log2(10) = 3.32 bits, and the gradient is exactly "
        "zero. No optimizer moves. One press of an arrow key on the picture is enough to start.",
        surface="network", start=[0.0, 0.0], learning_rate=0.03, momentum=0.8, batch="all",
        n_steps=60,
    ),
)  # fmt: skip
OPENING: dict[str, Any] = dict(PRESETS[0]["state"])


def compute_descent_race(
    *,
    surface: str,
    start: Sequence[float],
    learning_rate: float,
    momentum: float,
    batch: str,
    n_steps: int,
    optimizer: Optimizer | None = None,
) -> dict[str, Any]:
    """The paths of SGD, momentum and Adam from `start`, and the loss in bits at each step.

    `surface` is "valley" or "network", `batch` "all" or the number of examples drawn for each
    gradient (the same ones for all racers), `optimizer` the reader's own (see `descent_race`).
    A racer that leaves the picture is followed while its position is a number of reasonable size.

    Raises:
        ValueError: a setting is unknown or out of range.
    """
    _check(surface, start, learning_rate, momentum, batch, n_steps)
    ground = _surface(surface)
    origin = (float(start[0]), float(start[1]))
    runs = _race(surface, origin, float(learning_rate), float(momentum), batch, n_steps)
    racers = [_account(name, run, ground, n_steps) for name, run in zip(RACERS, runs, strict=True)]
    verdict = None
    if optimizer is not None:
        own, problem = _run_own(optimizer, surface, origin, learning_rate, batch, n_steps)
        if own is not None:
            racers.append(_account(OWN, own, ground, n_steps))
        verdict = _verdict(own, problem, runs)
    return {
        "racers": racers,
        "start": list(origin),
        "text": _limit_in_words(ground, learning_rate, momentum),
        "settings": {"surface": surface, "n_steps": n_steps, "learning_rate": learning_rate},
        "verdict": verdict,
    }


def descent_race(optimizer: Optimizer | None = None) -> Explorable:
    """Three optimizers, one start, one learning rate: who gets down, and who leaves the picture.

    `optimizer(learning_rate)` makes the reader's own optimizer, an object with
    `step(parameters, gradients)` that changes a list of tensors in place, as those of
    `companion.foundations` have.  It runs as a fourth, and the widget says whether its path is
    that of one of the three.

    Raises:
        ValueError: `optimizer` is not a function of the learning rate.
    """
    if optimizer is not None and not callable(optimizer):
        raise ValueError(
            "optimizer must be a function of the learning rate that makes an optimizer, such as "
            f"`lambda lr: SGD(lr)`; got {optimizer!r}"
        )
    grounds = {name: _surface(name) for name in SURFACES}
    return _DescentRace(
        lambda **state: compute_descent_race(**state, optimizer=optimizer),
        state=OPENING,
        setup={
            "question": "Which learning rate gets all three down, and which throws them out?",
            "starts": STARTS,
            "surfaces": [list(item) for item in SURFACES.items()],
            "batches": [list(item) for item in BATCHES.items()],
            "rates": list(RATES),
            "momenta": list(MOMENTA),
            "most_steps": MOST_STEPS,
            "grounds": {
                name: {
                    "span": ground.span,
                    "unit": ground.unit,
                    "axes": ground.axes,
                    "note": ground.note,
                    "heights": ground.heights,
                    "lowest": ground.lowest,
                }
                for name, ground in grounds.items()
            },
            "presets": list(PRESETS),
        },
        picture=_draw_race,
        describe=_describe_race,
    )


class _DescentRace(Explorable):
    _esm = front_end("descent_race")


def _check(
    surface: str,
    start: Sequence[float],
    learning_rate: float,
    momentum: float,
    batch: str,
    n_steps: int,
) -> None:
    for name, value, known in (("surface", surface, SURFACES), ("batch", batch, BATCHES)):
        if value not in known:
            raise ValueError(f"no {name} {value!r}: expected one of {', '.join(known)}")
    for name, value, (least, most) in (
        ("learning_rate", learning_rate, (RATES[0], RATES[-1])), ("momentum", momentum, MOMENTA),
    ):  # fmt: skip
        if not least <= value <= most:
            raise ValueError(f"{name} must be a number in {least} ... {most}, got {value!r}")
    if not isinstance(n_steps, int) or isinstance(n_steps, bool) or not 1 <= n_steps <= MOST_STEPS:
        raise ValueError(f"n_steps must be an integer in 1 ... {MOST_STEPS}, got {n_steps!r}")
    span = _surface(surface).span
    inside = len(start) == 2 and all(
        low <= value <= high for value, (low, high) in zip(start, span, strict=True)
    )
    if not inside:
        raise ValueError(f"start must be a point of the picture, {span}; got {start!r}")


# ---- the race -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """Where an optimizer stood, start included, and the loss there; it ends when out of sight."""

    path: list[tuple[float, float]]
    bits: list[float]


def _race(
    surface: str,
    start: tuple[float, float],
    learning_rate: float,
    momentum: float,
    batch: str,
    n_steps: int,
) -> list[Run]:
    optimizers = [
        foundations.SGD(learning_rate),
        foundations.Momentum(learning_rate, momentum),
        foundations.Adam(learning_rate),
    ]
    return _run(optimizers, surface, start, batch, n_steps)


def _run(
    optimizers: Sequence[Any], surface: str, start: tuple[float, float], batch: str, n_steps: int
) -> list[Run]:
    ground = _surface(surface)
    places = torch.tensor([start] * len(optimizers))  # (R, 2)
    parameters = [[place] for place in places]  # views, which the optimizers change in place
    paths = [[start] for _ in optimizers]
    running = set(range(len(optimizers)))
    generator = torch.Generator().manual_seed(0)
    rows: Rows = EVERYTHING
    for _ in range(n_steps):
        if batch != "all":
            rows = torch.randint(0, ground.n_examples, (int(batch),), generator=generator).numpy()
        gradients = torch.from_numpy(ground.gradient(places.numpy(), rows)).unbind()
        for i in running:
            optimizers[i].step(parameters[i], [gradients[i]])
        for i, (a, b) in enumerate(places.tolist()):
            if i not in running:
                continue
            if abs(a) < FAR and abs(b) < FAR:
                paths[i].append((a, b))
            else:  # out of sight, or not a number
                running.remove(i)
                places[i] = 0.0
    bits = ground.bits(torch.tensor([place for path in paths for place in path]))
    return [
        Run(path, part.tolist())
        for path, part in zip(paths, bits.split([len(path) for path in paths]), strict=True)
    ]


def _run_own(
    optimizer: Optimizer,
    surface: str,
    start: tuple[float, float],
    learning_rate: float,
    batch: str,
    n_steps: int,
) -> tuple[Run | None, str]:
    """The reader's run, or what kept it from being one."""
    try:
        return _run([optimizer(learning_rate)], surface, start, batch, n_steps)[0], ""
    except Exception as error:  # the reader's code may do anything; the widget says what it did
        return None, f"{type(error).__name__}: {one_line(ValueError(error))}"


def _verdict(own: Run | None, problem: str, runs: Sequence[Run]) -> dict[str, Any]:
    if own is None:
        return {"agrees": False, "text": f"Your optimizer raised {problem}"}
    mine = torch.tensor(own.path)
    for name, run in zip(RACERS, runs, strict=True):
        theirs = torch.tensor(run.path)
        if mine.shape == theirs.shape and torch.allclose(mine, theirs, rtol=1e-3, atol=1e-4):
            return {"agrees": True, "text": f"Your optimizer takes the path of {name}."}
    if bool((mine == mine[0]).all()):
        text = "Your optimizer did not move: step must change the parameters in place."
        return {"agrees": False, "text": text}
    return {"agrees": False, "text": "Your optimizer takes a path of its own."}


def _is_outside(place: tuple[float, float], ground: Surface) -> bool:
    return not all(
        low <= value <= high for value, (low, high) in zip(place, ground.span, strict=True)
    )


def _account(name: str, run: Run, ground: Surface, n_steps: int) -> dict[str, Any]:
    """One racer's path, its loss and how it ended, in words."""
    path, bits = run.path, run.bits
    since = len(path)  # the first step from which on it stayed outside
    while since > 0 and _is_outside(path[since - 1], ground):
        since -= 1
    is_lost = len(path) <= n_steps
    is_out = is_lost or since < len(path)
    above = bits[-1] - ground.lowest[2]
    height = f"{bits[-1]:.2f}" if bits[-1] < 100 else f"{bits[-1]:,.0f}"
    if is_lost:
        words = f"diverges: out of the picture since step {since}, out of sight at {len(path)}"
    elif is_out:
        words = f"out of the picture since step {since}, now at {height} bits"
    elif above <= 0.01:
        words = f"{height} bits, at the bottom"
    else:
        words = f"{height} bits, {above:.2f} above the lowest place"
    return {
        "name": name,
        "path": [[round(a, 4) + 0.0, round(b, 4) + 0.0] for a, b in path],
        "bits": [round(value, 4) for value in bits],
        "is_out": is_out,
        "words": words,
    }


def _limit_in_words(ground: Surface, learning_rate: float, momentum: float) -> str:
    """The learning rates at which a quadratic of the lowest place's curvature would diverge."""
    plain = 2 / ground.sharpest
    heavy = plain * (1 + momentum)
    return (
        f"At the lowest place the sharpest curvature is λ = {number(ground.sharpest)} nats: SGD "
        f"settles there only below a learning rate of 2/λ = {number(plain)}, momentum below "
        f"2(1+{number(momentum)})/λ = {number(heavy)}. Here it is {number(learning_rate)}."
    )


# ---- the surfaces -------------------------------------------------------------------------------


@cache
def _surface(name: str) -> Surface:
    return {"valley": _valley, "network": _network}[name]()


def _valley() -> Surface:
    """Least squares, so exactly a quadratic: each series' point 20 from the two before it.

    The loss is the code length of a Gaussian of variance 1 around the prediction, above that of
    a perfect one.
    """
    series = load("mnist1d").inputs[:N_LINEAR]
    inputs, targets = series[:, 18:20].contiguous(), series[:, 20].contiguous()  # (N, 2), (N,)

    def bits(points: Tensor) -> Tensor:
        error = points @ inputs.T - targets  # (R, N)
        return (error * error).mean(1) / (2 * math.log(2))

    def gradient(points: np.ndarray, rows: Rows) -> np.ndarray:
        chosen = inputs.numpy()[rows]
        return (points @ chosen.T - targets.numpy()[rows]) @ chosen / len(chosen)

    return _survey(
        bits, gradient, len(targets), ((-2.5, 2.5), (-2.5, 2.5)), "bits per prediction",
        axes=("weight of the point before the last", "weight of the last point"),
        note="A linear model predicts the next point of a series from two; squared error, as bits.",
    )  # fmt: skip


def _network() -> Surface:
    """An MLP's loss in the plane of all-zero weights, network A at (1, 0) and B at (0, 1)."""
    data = load("mnist1d").subset(slice(0, N_SERIES))
    labels, series = data.targets, torch.arange(N_SERIES)
    one_hot = torch.nn.functional.one_hot(labels, 10).float()
    trained = [_trained(data.inputs, one_hot, seed) for seed in (0, 1)]
    # Weights are a mixture of two networks, so what enters the hidden units is one too.
    entering = torch.stack([data.inputs @ hidden.T for hidden, _ in trained]).numpy()  # (2, N, H)
    leaving = torch.stack([out for _, out in trained]).numpy()  # (2, 10, H)
    expected = one_hot.numpy().T  # (10, N)

    def mixed(points: np.ndarray, parts: np.ndarray) -> np.ndarray:
        return (points @ parts.reshape(2, -1)).reshape(-1, *parts.shape[1:])  # (R, 2) -> (R, ...)

    def bits(points: Tensor) -> Tensor:
        places = points.numpy()
        h = np.tanh(mixed(places, entering))  # (R, N, H)
        logits = torch.from_numpy(mixed(places, leaving) @ h.swapaxes(1, 2))  # (R, 10, N)
        nats = logits.logsumexp(1) - logits[:, labels, series]
        return nats.mean(1) / math.log(2)

    def gradient(points: np.ndarray, rows: Rows) -> np.ndarray:
        parts = entering[:, rows]
        h = np.tanh(mixed(points, parts))  # (R, n, H)
        out = mixed(points, leaving)  # (R, 10, H)
        logits = out @ h.swapaxes(1, 2)  # (R, 10, n)
        odds = np.exp(logits - logits.max(1, keepdims=True))
        error = (odds / odds.sum(1, keepdims=True) - expected[:, rows]) / h.shape[1]
        for_leaving = error @ h  # (R, 10, H)
        for_entering = (error.swapaxes(1, 2) @ out) * (1 - h * h)  # (R, n, H)
        along = for_leaving.reshape(len(points), -1) @ leaving.reshape(2, -1).T
        along += for_entering.reshape(len(points), -1) @ parts.reshape(2, -1).T
        return along  # (R, 2)

    return _survey(
        bits, gradient, len(labels), ((-1.6, 1.6), (-1.6, 1.6)), "bits per label",
        axes=("share of trained network A", "share of trained network B"),
        note="A small MLP whose weights are a mixture of two trained ones, A and B; cross-entropy.",
    )  # fmt: skip


def _trained(inputs: Tensor, one_hot: Tensor, seed: int) -> list[Tensor]:
    """Weights (H, 40) and (10, H) of a tanh network without biases after 120 steps of Adam."""
    generator = torch.Generator().manual_seed(seed)
    n_hidden = 6
    weights = [
        torch.randn(n_hidden, inputs.shape[1], generator=generator) * (2 / inputs.shape[1]) ** 0.5,
        torch.randn(10, n_hidden, generator=generator) * (1 / n_hidden) ** 0.5,
    ]
    adam = foundations.Adam(0.05)
    for _ in range(120):
        h = torch.tanh(inputs @ weights[0].T)  # (N, H)
        error = (torch.softmax(h @ weights[1].T, 1) - one_hot) / len(inputs)  # (N, 10)
        into_hidden = (error @ weights[1]) * (1 - h * h)  # (N, H)
        adam.step(weights, [into_hidden.T @ inputs, error.T @ h])
    return weights


def _survey(
    bits: Callable[[Tensor], Tensor],
    gradient: Gradient,
    n_examples: int,
    span: tuple[tuple[float, float], tuple[float, float]],
    unit: str,
    *,
    axes: tuple[str, str],
    note: str,
) -> Surface:
    """Heights on a grid, the lowest place by Newton's method from there, its curvature."""
    across, up = (torch.linspace(low, high, GRID) for low, high in span)
    points = torch.stack(torch.meshgrid(across, up, indexing="xy"), 2)  # (row = y, column = x, 2)
    heights = torch.stack([bits(row) for row in points])
    place = points.flatten(0, 1)[heights.argmin()]
    shift = 1e-2 * torch.eye(2)
    for _ in range(6):
        around = torch.from_numpy(
            gradient(torch.cat([place + shift, place - shift, place[None]]).numpy(), EVERYTHING)
        )
        curvature = (around[:2] - around[2:4]) / 2e-2
        curvature = (curvature + curvature.T) / 2
        place = place - torch.linalg.solve(curvature, around[4])
    return Surface(
        bits, gradient, n_examples, span, unit, axes, note,
        heights=[[round(value, 3) for value in row] for row in heights.tolist()],
        lowest=(round(place[0].item(), 4), round(place[1].item(), 4),
                round(bits(place[None]).item(), 4)),
        sharpest=torch.linalg.eigvalsh(curvature).max().item(),
    )  # fmt: skip


# ---- the stored picture -------------------------------------------------------------------------


def _describe_race(data: dict[str, Any]) -> str:
    ends = "; ".join(f"{racer['name']}: {racer['words']}" for racer in data["racers"])
    return (
        f"Contour lines of a loss over two weights with the paths of three optimizers from one "
        f"start, and the loss against the step. After {data['settings']['n_steps']} steps {ends}."
    )


def _draw_race(data: dict[str, Any]) -> Figure:
    from companion import plotting

    ground = _surface(data["settings"]["surface"])
    figure, (left, right) = plotting.panels(
        1, 2, size=(3.9, 3.3), titles=["paths over the loss", "loss against step"]
    )
    across, up = (torch.linspace(low, high, GRID) for low, high in ground.span)
    left.contour(across, up, torch.tensor(ground.heights), levels=range(1, 21), colors="0.75",
                 linewidths=0.7)  # fmt: skip
    for i, racer in enumerate(data["racers"]):
        style = {"color": plotting.COLORS[i], "linestyle": plotting.LINES[i]}
        path = torch.tensor(racer["path"])
        left.plot(path[:, 0], path[:, 1], label=racer["name"], **style)
        left.plot(*path[-1], "os^D"[i], color=plotting.COLORS[i], markersize=5)
        right.plot(racer["bits"], label=racer["name"], **style)
    left.plot(*data["start"], "kx")
    left.set(xlim=ground.span[0], ylim=ground.span[1], xlabel=ground.axes[0], ylabel=ground.axes[1])
    right.set(xlabel="step", ylabel=ground.unit)
    right.set_ylim(0, 1.1 * max(racer["bits"][0] for racer in data["racers"]))
    right.legend()
    return figure
