"""The alarm desk: one score, one threshold, and what its mistakes cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from companion.explorables.alarm_costs import Draws, Stakes, cheapest, draw_tests, precision, rates
from companion.explorables.alarm_scores import METHODS, scores
from companion.explorables.view import Explorable, front_end, number, preset
from companion.metrics import auroc, roc_curve
from companion.self_supervision import choose_threshold

ANOMALIES = {"digits": "other digits", "garments": "garments"}
PEEKS = {"no": "no", "threshold": "the threshold", "method": "score as well"}
RATES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)  # of false alarms, for the rule
PRICES = (1, 2, 5, 10, 20, 50, 100)
SHARES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5)
SIZES = (10, 20, 50)  # normal pictures in a test set, and as many anomalies
N_DRAWS = 100
REACH = (-6.0, 12.0)  # log2 of a threshold set by hand
N_BINS = 32
N_PLACES = 97  # of the cost curve

PRESETS = (
    preset(
        "no anomaly seen",
        "The threshold was set on 50 normal pictures, so that one in twenty of them may raise "
        "an alarm; no anomaly was needed. Nobody chose anything on the test set, and what it "
        "promises is, on average, what fresh pictures cost.",
        normal=3, anomalies="digits", method="pca", rate=0.05, threshold=None, missed=5,
        false_alarm=1, share=0.1, n_test=50, peek="no",
    ),
    preset(
        "rare anomalies",
        "The same scores, the same threshold, the same ROC curve. But where three pictures in a "
        "thousand are anomalies, nearly every alarm is false, and a desk that never looks is "
        "cheaper.",
        normal=3, anomalies="digits", method="pca", rate=0.05, threshold=None, missed=5,
        false_alarm=1, share=0.003, n_test=50, peek="no",
    ),
    preset(
        "costly misses",
        "A miss costs as much as fifty false alarms: now a false alarm at one normal picture in "
        "five is the cheaper mistake. The scores know nothing of costs; the threshold has to.",
        normal=3, anomalies="digits", method="pca", rate=0.2, threshold=None, missed=50,
        false_alarm=1, share=0.1, n_test=50, peek="no",
    ),
    preset(
        "garments",
        "Deep SVDD lets hardly a garment pass, and at the same threshold more than half of the "
        "other digits. To tell one digit from shoes and shirts is no sign that a score tells it "
        "from a digit like it.",
        normal=3, anomalies="garments", method="svdd", rate=0.05, threshold=None, missed=5,
        false_alarm=1, share=0.1, n_test=50, peek="no",
    ),
    preset(
        "peeking",
        "All four scores and every threshold tried on twenty pictures, and the best kept. The "
        "test set promises a fraction of what fresh pictures cost: a test set that was chosen "
        "on is training data.",
        normal=3, anomalies="digits", method="pca", rate=0.05, threshold=None, missed=5,
        false_alarm=1, share=0.1, n_test=10, peek="method",
    ),
)  # fmt: skip
OPENING: dict[str, Any] = {**PRESETS[0]["state"], "draw": 0}


def compute_alarm_desk(
    *,
    normal: int,
    anomalies: str,
    method: str,
    rate: float,
    threshold: float | None,
    missed: float,
    false_alarm: float,
    share: float,
    n_test: int,
    peek: str,
    draw: int = 0,
) -> dict[str, Any]:
    """What one threshold on one score does on a test set, and on pictures kept fresh.

    `normal` is the digit that raises no alarm, `anomalies` "digits" or "garments", `method` the
    score.  The threshold comes from the rule, at most a share `rate` of false alarms among normal
    validation pictures, or is `threshold`, log2 of multiples of the median normal score.  `missed`
    and `false_alarm` are costs, `share` the share of anomalies where the desk stands.  A test set
    holds `n_test` normal pictures and as many anomalies; `draw` chooses it.  `peek` is "no",
    "threshold" (the cheapest on the test set) or "method" (the cheapest of all methods'), and then
    neither rule nor `threshold` counts.  What peeking promises and what it keeps is the mean over
    100 test sets, each against the pictures outside it.

    Raises:
        ValueError: a setting is unknown or out of range.
    """
    _check(
        normal, anomalies, method, rate, threshold, missed, false_alarm, share, n_test, peek, draw
    )
    stakes = Stakes(missed, false_alarm, share)
    settled = _settled(normal, anomalies, method, rate, threshold, stakes, n_test, peek)
    used = list(METHODS)[int(settled.methods[draw])]
    draws = _draws(normal, anomalies, used, n_test)
    chosen = float(settled.thresholds[draw])
    test, fresh = draws.normal[draw], draws.fresh_normal[draw]
    tested, kept = draws.anomalies[draw], draws.fresh_anomalies[draw]
    parts = {"test": (test, tested), "fresh": (fresh, kept)}
    axis = _axis(normal, anomalies, used)
    data: dict[str, Any] = {
        "method": used,
        "threshold": round(chosen, 4),
        "by": "peek" if peek != "no" else "rule" if threshold is None else "hand",
        "histogram": _histogram(parts, axis),
        "cost": _cost_curves(parts, axis, stakes, chosen),
        **{name: _part(*both, chosen, stakes) for name, both in parts.items()},
        "names": {"method": METHODS[used], "anomalies": ANOMALIES[anomalies]},
        "mean": {
            "test": _short(settled.test.mean()),
            "fresh": _short(settled.fresh.mean()),
            "error": _short((settled.fresh - settled.test).std() / N_DRAWS**0.5),
        },
        "settings": {
            "normal": normal, "anomalies": anomalies, "n_test": n_test, "peek": peek,
            "rate": rate, "share": share, "n_validation": len(scores(normal, used)["validation"]),
        },
    }  # fmt: skip
    data["text"], data["promise"] = _account(data), _promise(data)
    return data


def alarm_desk() -> Explorable:
    """Scores of normal pictures and of anomalies, a threshold between them, and what it costs.

    Four methods have seen one digit alone; the threshold needs no anomaly, unless somebody peeks
    at the test set, and then the desk says what the peeking promised and what it kept.  Scores of
    the two networks are computed beforehand (`make precompute ONLY=04/alarm`).

    Raises:
        FileNotFoundError: the stored scores are missing.
    """
    return _AlarmDesk(
        compute_alarm_desk,
        state=OPENING,
        setup={
            "question": "Where does an alarm begin, and who may choose that?",
            "anomalies": [list(item) for item in ANOMALIES.items()],
            "methods": [list(item) for item in METHODS.items()],
            "peeks": [list(item) for item in PEEKS.items()],
            "rates": list(RATES),
            "prices": list(PRICES),
            "shares": list(SHARES),
            "sizes": list(SIZES),
            "n_draws": N_DRAWS,
            "presets": list(PRESETS),
        },
        picture=_draw_desk,
        describe=_describe_desk,
    )


class _AlarmDesk(Explorable):
    _esm = front_end("alarm_desk")


def _check(
    normal: int, anomalies: str, method: str, rate: float, threshold: float | None,
    missed: float, false_alarm: float, share: float, n_test: int, peek: str, index: int,
) -> None:  # fmt: skip
    for name, value, known in (
        ("normal", normal, range(10)), ("anomalies", anomalies, ANOMALIES),
        ("method", method, METHODS), ("rate", rate, RATES), ("missed", missed, PRICES),
        ("false_alarm", false_alarm, PRICES), ("share", share, SHARES), ("n_test", n_test, SIZES),
        ("peek", peek, PEEKS), ("draw", index, range(N_DRAWS)),
    ):  # fmt: skip
        if isinstance(value, bool) or value not in known:
            listed = (
                f"0 ... {known[-1]}" if isinstance(known, range) else ", ".join(map(str, known))
            )
            raise ValueError(f"no {name} {value!r}: expected one of {listed}")
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if threshold is not None and not (is_number and REACH[0] <= threshold <= REACH[1]):
        raise ValueError(
            f"threshold must be None or a number in {REACH[0]:g} ... {REACH[1]:g}, log2 of "
            f"multiples of the median normal score, got {threshold!r}"
        )


# ---- test sets and thresholds -------------------------------------------------------------------


class Settled(NamedTuple):
    """For each of the 100 test sets: method, threshold, cost on it and on fresh pictures, (D,)."""

    methods: Tensor
    thresholds: Tensor
    test: Tensor
    fresh: Tensor


@lru_cache(maxsize=16)
def _draws(normal: int, anomalies: str, method: str, n_test: int) -> Draws:
    found = scores(normal, method)
    return draw_tests(found["normal"], found[anomalies], n_test, N_DRAWS)


@lru_cache(maxsize=16)
def _settled(
    normal: int, anomalies: str, method: str, rate: float, threshold: float | None,
    stakes: Stakes, n_test: int, peek: str,
) -> Settled:  # fmt: skip
    """Threshold and method for every test set, and what they cost."""
    names = list(METHODS) if peek == "method" else [method]
    rows = []
    for name in names:
        draws = _draws(normal, anomalies, name, n_test)
        if peek == "no":
            value = _by_rule(normal, name, rate) if threshold is None else threshold
            thresholds = torch.full((N_DRAWS,), value, dtype=torch.float64)
        else:
            thresholds, _ = cheapest(draws, stakes)
        test = stakes.cost(*rates(draws.normal, draws.anomalies, thresholds))
        fresh = stakes.cost(*rates(draws.fresh_normal, draws.fresh_anomalies, thresholds))
        rows.append((thresholds, test, fresh))
    thresholds, test, fresh = (torch.stack(column) for column in zip(*rows, strict=True))  # (M, D)
    best = test.argmin(0, keepdim=True)  # (1, D)
    place = torch.tensor([list(METHODS).index(name) for name in names])
    return Settled(place[best[0]], *(v.gather(0, best)[0] for v in (thresholds, test, fresh)))


@lru_cache(maxsize=128)
def _by_rule(normal: int, method: str, rate: float) -> float:
    return choose_threshold(scores(normal, method)["validation"], false_alarm_rate=rate)


# ---- what is drawn ------------------------------------------------------------------------------


@lru_cache(maxsize=128)
def _axis(normal: int, anomalies: str, method: str) -> Tensor:
    """Edges of the histogram: from just below the smallest score to just above the largest."""
    found = scores(normal, method)
    both = torch.cat([found["normal"], found[anomalies]])
    return torch.linspace(both.min() - 0.05, both.max() + 0.05, N_BINS + 1, dtype=torch.float64)


def _histogram(parts: Mapping[str, tuple[Tensor, Tensor]], edges: Tensor) -> dict[str, Any]:
    """Shares of the scores in each bin."""
    found: dict[str, Any] = {"edges": _rounded(edges)}
    for name, both in parts.items():
        for kind, values in zip(("normal", "anomalies"), both, strict=True):
            counts = torch.histogram(values, edges).hist
            found[f"{name}_{kind}"] = _rounded(counts / len(values))
    return found


def _cost_curves(
    parts: Mapping[str, tuple[Tensor, Tensor]], edges: Tensor, stakes: Stakes, chosen: float
) -> dict[str, Any]:
    """Cost against the threshold, on the test set and on fresh pictures."""
    places = torch.linspace(edges[0], edges[-1], N_PLACES, dtype=torch.float64)
    curves = {
        name: _rounded(
            stakes.cost(*rates(*(v.expand(N_PLACES, -1) for v in both), places))
        )
        for name, both in parts.items()
    }  # fmt: skip
    return {"places": _rounded(places), "without": _short(torch.tensor(stakes.without)), **curves}


def _part(normal: Tensor, anomalies: Tensor, threshold: float, stakes: Stakes) -> dict[str, Any]:
    """Curves, working point and cost on one set of pictures."""
    values = torch.cat([normal, anomalies])
    is_anomaly = torch.arange(len(values)) >= len(normal)
    false_alarms, hits, _ = roc_curve(values, is_anomaly)
    right = precision(stakes, hits[1:], false_alarms[1:])
    missed, alarms = (
        rate[0] for rate in rates(normal[None], anomalies[None], torch.tensor([threshold]))
    )
    point = precision(stakes, 1 - missed, alarms).item()
    return {
        "roc": [_rounded(false_alarms), _rounded(hits)],
        "pr": [_rounded(hits[1:]), _rounded(right)],
        "auroc": round(auroc(values, is_anomaly), 4),
        "miss_rate": round(missed.item(), 4),
        "false_alarm_rate": round(alarms.item(), 4),
        "precision": None if math.isnan(point) else round(point, 4),
        "n_normal": len(normal), "n_anomalies": len(anomalies),
        "n_missed": round(missed.item() * len(anomalies)),
        "n_false": round(alarms.item() * len(normal)),
        "cost": _short(stakes.cost(missed, alarms)),
    }  # fmt: skip


def _account(data: Mapping[str, Any]) -> str:
    settings, test, fresh = (data[name] for name in ("settings", "test", "fresh"))
    who = {
        "rule": f"set for {_percent(settings['rate'])} of false alarms among "
        f"{settings['n_validation']} normal validation pictures",
        "hand": "set by hand",
        "peek": ("score and threshold" if settings["peek"] == "method" else "threshold")
        + " the cheapest on this test set",
    }[data["by"]]
    right = "no alarm" if test["precision"] is None else f"{_percent(test['precision'])} right"
    return (
        f"{METHODS[data['method']]}, alarm above {number(2 ** data['threshold'])} times the median "
        f"normal score, {who}: {test['n_false']} false alarms of {test['n_normal']} normal "
        f"pictures, {test['n_missed']} of {test['n_anomalies']} anomalies missed, of the alarms "
        f"{right}. Area under the ROC curve {test['auroc']:.3f}, of fresh pictures "
        f"{fresh['auroc']:.3f}."
    )


def _promise(data: Mapping[str, Any]) -> str:
    test, fresh, mean = (data[name] for name in ("test", "fresh", "mean"))
    return (
        f"1,000 pictures: this test set promises a cost of {_money(test['cost'])}, fresh pictures "
        f"cost {_money(fresh['cost'])}. Mean of {N_DRAWS} such test sets: promised "
        f"{_money(mean['test'])}, kept {_money(mean['fresh'])}."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g}\u00a0%"


def _money(cost: float) -> str:
    return f"{cost:,.0f}" if cost >= 100 else number(cost)


def _short(value: Tensor) -> float:
    return float(f"{value.item():.4g}")


def _rounded(values: Tensor) -> list[float]:
    return (values.double() * 1e4).round().div(1e4).add(0.0).tolist()  # + 0.0: no negative zero


# ---- the stored picture -------------------------------------------------------------------------


def _describe_desk(data: dict[str, Any]) -> str:
    settings, test = data["settings"], data["test"]
    others = ANOMALIES[settings["anomalies"]]
    return (
        f"Histograms of the {METHODS[data['method']]} score of handwritten {settings['normal']}s "
        f"and of {others}, the cost of each threshold, and the ROC and precision-recall curves. "
        f"The threshold was set on normal pictures alone; of a test set of {test['n_normal']} and "
        f"{test['n_anomalies']} it calls {test['n_false']} normal pictures anomalies and misses "
        f"{test['n_missed']} anomalies."
    )


def _draw_desk(data: dict[str, Any]) -> Figure:
    from companion import plotting

    settings, histogram, cost = data["settings"], data["histogram"], data["cost"]
    figure, axes = plotting.panels(
        1, 4, size=(2.4, 2.5),
        titles=["scores of a test set", "cost of 1,000 pictures", "ROC", "precision and recall"],
    )  # fmt: skip
    names = (f"{settings['normal']}s", ANOMALIES[settings["anomalies"]])
    for i, kind in enumerate(("normal", "anomalies")):
        axes[0].stairs(histogram[f"test_{kind}"], histogram["edges"], fill=True, alpha=0.55,
                       color=plotting.COLORS[i], label=names[i])  # fmt: skip
    axes[1].plot(cost["places"], cost["test"], color=plotting.COLORS[2], label="test set")
    axes[1].plot(cost["places"], cost["fresh"], color="black", linestyle=":", label="fresh")
    axes[1].axhline(cost["without"], color="0.5", linestyle="--", label="no desk")
    for ax in axes[:2]:
        ax.axvline(data["threshold"], color="0.3", linewidth=1)
        ax.set_xlabel("log2 of score / median")
    for ax, key, x, y in (
        (axes[2], "roc", "false_alarm_rate", "miss_rate"), (axes[3], "pr", "", "precision"),
    ):  # fmt: skip
        ax.plot(*data["test"][key], color=plotting.COLORS[2])
        ax.plot(*data["fresh"][key], color="black", linestyle=":")
        test = data["test"]
        point = (test[x], 1 - test[y]) if x else (1 - test["miss_rate"], test[y])
        ax.plot(*point, "o", color=plotting.COLORS[1])
        ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.05))
    axes[0].set(ylabel="share", ylim=(0, 1.4 * max(histogram["test_normal"])))
    axes[0].legend(loc="upper left", ncols=2, columnspacing=1)
    axes[1].legend()
    axes[2].set(xlabel="false alarms", ylabel="anomalies found")
    axes[3].set(xlabel="anomalies found", ylabel="right alarms")
    return figure
