"""Inductive bias in bits: what each belief about the data saves when labels are sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import nn

from companion import models
from companion.codelength import prequential_bits
from companion.data import Dataset, load
from companion.explorables.view import Explorable, front_end, one_line, preset
from companion.storage import precomputed
from companion.training import standard_fit

ORDERS = {"recorded": "as recorded", "shuffled": "shuffled"}
LABELS = {"true": "true", "random": "random"}
VIEWS = {"total": "bits so far", "rate": "bits per label"}
KNOWN: dict[str, Callable[[], nn.Module]] = {
    "logistic": models.logistic,
    "MLP": models.mlp,
    "CNN": models.cnn1d,
    "CNN+BN": lambda: models.cnn1d(batch_norm=True),
    "GRU": models.gru1d,
}


def compute_inductive_bias(
    results: Mapping[str, Any],
    *,
    model: str,
    order: str,
    labels: str,
    compare: str = "none",
    sent: int,
    view: str = "total",
) -> dict[str, Any]:
    """The code length of labels sent block by block, for one curve and one to compare it with.

    `results` has `ends` (labels sent after each block), `uniform` (bits of all labels without a
    model) and `curves`, `{"MLP|recorded|true": {"block_bits": [one list per seed]}}`; for models
    in its `measurable` a missing curve is an offer to measure it.  `sent` counts blocks, `compare`
    is "none" or the key of another curve, `view` is "total" (bits so far) or "rate" (bits per
    label in each block).

    Raises:
        ValueError: a setting is unknown, or this combination was not measured.
    """
    ends = results["ends"]
    for name, value, known in (
        ("order", order, ORDERS), ("labels", labels, LABELS), ("view", view, VIEWS),
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"no {name} {value!r}: expected one of {', '.join(known)}")
    if not isinstance(sent, int) or isinstance(sent, bool) or not 1 <= sent <= len(ends):
        raise ValueError(f"sent counts blocks, an integer in 1 ... {len(ends)}; got {sent!r}")
    rate = results["uniform"] / ends[-1]
    chosen = f"{model}|{order}|{labels}"
    is_offer = chosen not in results["curves"] and model in results.get("measurable", ())
    keys = [] if is_offer else [chosen]
    keys += [compare] if compare not in ("none", chosen) else []
    curves = [_curve(results, key, sent, view) for key in keys]
    return {
        "chosen": chosen,
        "curves": curves,
        "offer": chosen if is_offer else None,
        "rate": round(rate, 4),
        "n_sent": ends[sent - 1],
        "n_labels": ends[-1],
        "uniform": results["uniform"],
        "view": view,
        "text": _account(curves, ends[sent - 1], rate, sent == 1, is_offer),
        "measured": [[key, _curve_name(key)] for key in results["curves"]],
        "missing": _missing(results, model, order, labels),
    }


def inductive_bias(models: Mapping[str, Callable[[], nn.Module]] | None = None) -> Explorable:
    """How many bits the labels of MNIST-1D cost under different beliefs about the data.

    `models` names what is on the menu (default: all stored ones).  A network that the course knows
    shows its stored curves; any other function that makes one is measured when the reader presses
    the button, with the same recipe and one seed, while a progress bar runs.

    Raises:
        ValueError: `models` is empty, or one of its values is not a function.
        FileNotFoundError: the stored curves are missing.
    """
    makers = KNOWN if models is None else models
    if not isinstance(makers, Mapping) or not makers or not all(map(_makes, makers.values())):
        raise ValueError(
            "models must map names to functions that make a network, such as "
            f"{{'MLP': models.mlp}}; got {models!r}"
        )
    return _InductiveBias(precomputed("02", "prequential"), makers)


class _InductiveBias(Explorable):
    _esm = front_end("inductive_bias")

    def __init__(
        self, results: Mapping[str, Any], makers: Mapping[str, Callable[[], nn.Module]]
    ) -> None:
        self._makers = {name: make for name, make in makers.items() if not _is_known(name, make)}
        curves = {
            key: curve
            for key, curve in results["curves"].items()
            if (name := key.split("|")[0]) in makers and name not in self._makers
        }
        self._results = {**results, "curves": curves, "measurable": list(self._makers)}
        n_blocks = len(results["ends"])
        presets = _bias_presets(list(makers), curves, n_blocks)
        super().__init__(
            lambda **state: compute_inductive_bias(self._results, **state),
            state=presets[0]["state"],
            setup={
                "question": "How many labels does the right belief save?",
                "models": list(makers),
                "orders": [list(item) for item in ORDERS.items()],
                "labels": [list(item) for item in LABELS.items()],
                "views": [list(item) for item in VIEWS.items()],
                "ends": list(results["ends"]),
                "presets": presets,
            },
            picture=_draw_bias,
            describe=_describe_bias,
        )

    def respond(self, state: Mapping[str, Any], request: Any = None) -> dict[str, Any]:
        if request is not None and request not in self._results["curves"]:
            try:
                self._measure(request)
            except Exception as error:  # the reader's network may do anything; the widget says so
                return {"error": f"measuring stopped: {one_line(error)}"}
        return super().respond(state)

    def _measure(self, key: str) -> None:
        """Adds a curve of the reader's own network; the page hears of each network trained."""
        name, order, labels = key.split("|")
        ends = self._results["ends"]
        n_networks, done = 2 * (len(ends) - 1), 0  # per block one for the temperature, one to code

        def fit(network: nn.Module, data: Dataset, seed: int) -> None:
            nonlocal done
            standard_fit(network, data, seed)
            done += 1
            self.data = {"partial": True, "progress": [done, n_networks], "key": key}

        with torch.random.fork_rng(devices=[]):  # the reader's own random numbers stay as they were
            code = prequential_bits(
                self._makers[name], _bias_data(order, labels), blocks=ends, fit=fit, seed=0
            )
        curve = {"block_bits": [list(code.block_bits)]}
        self._results["curves"] = {**self._results["curves"], key: curve}


def _makes(value: Any) -> bool:
    return callable(value) and not isinstance(value, nn.Module)


def _is_known(name: str, make: Callable[[], nn.Module]) -> bool:
    """Whether this function makes the network whose curves are stored under its name."""
    if name not in KNOWN or make is KNOWN[name]:
        return name in KNOWN
    with torch.random.fork_rng(devices=[]):
        return repr(make()) == repr(KNOWN[name]())


def _bias_data(order: str, labels: str) -> Dataset:
    """MNIST-1D with the same permutation and the same random labels as the stored curves."""
    data = load("mnist1d")
    if order == "shuffled":
        places = torch.randperm(40, generator=torch.Generator().manual_seed(0))
        data = data.map(lambda x: x[:, places])
    if labels == "random":
        generator = torch.Generator().manual_seed(0)
        targets = torch.randint(0, 10, data.targets.shape, generator=generator)
        data = Dataset(data.inputs, targets, data.classes, data.name, data.split)
    return data


def _curve_name(key: str) -> str:
    model, order, labels = key.split("|")
    notes = [", shuffled"] * (order == "shuffled") + [", random labels"] * (labels == "random")
    return model + "".join(notes)


def _curve(results: Mapping[str, Any], key: str, sent: int, view: str) -> dict[str, Any]:
    if key not in results["curves"]:
        name = _curve_name(key) if key.count("|") == 2 else repr(key)
        raise ValueError(f"{name} was not measured")
    ends = results["ends"][:sent]
    bits = torch.tensor(results["curves"][key]["block_bits"], dtype=torch.float64)[:, :sent]
    if view == "total":
        x, y = [0, *ends], torch.cat([torch.zeros(len(bits), 1), bits.cumsum(1)], dim=1)
    else:
        x, y = ends, bits / torch.tensor([0, *ends]).diff()
    digits = 1 if view == "total" else 4
    columns = {"y": y.mean(0), "low": y.amin(0), "high": y.amax(0)}
    return {
        "key": key,
        "name": _curve_name(key),
        "x": list(x),
        **{name: [round(v, digits) for v in column.tolist()] for name, column in columns.items()},
        "total": round(bits.sum(1).mean().item(), 1),
        "n_seeds": len(bits),
    }


def _account(
    curves: list[dict[str, Any]], n_sent: int, rate: float, is_first: bool, is_offer: bool
) -> str:
    if is_offer:
        return "This network has not been measured yet."
    chosen, uniform = curves[0], rate * n_sent
    saved = uniform - chosen["total"]
    text = (
        f"{chosen['name']}: {n_sent:,} labels in {chosen['total']:,.0f} bits; "
        f"without a model {uniform:,.0f}. "
    )
    if is_first:
        text += "The first block is sent before anything is known."
    elif saved >= 0.01 * uniform:
        text += f"The belief saves {saved:,.0f} bits, which would send {saved / rate:,.0f} labels."
    elif saved > -0.01 * uniform:
        text += "Nothing is saved."
    else:
        text += f"It loses {-saved:,.0f} bits, the price of confident mistakes."
    if len(curves) > 1 and not is_first:
        gap = curves[1]["total"] - chosen["total"]
        text += f" {curves[1]['name']} needs {abs(gap):,.0f} {'more' if gap >= 0 else 'fewer'}."
    return text


def _missing(results: Mapping[str, Any], model: str, order: str, labels: str) -> dict[str, Any]:
    """What each menu cannot offer beside the other two choices, and the reason in words."""
    curves, measurable = results["curves"], results.get("measurable", ())
    names = dict.fromkeys([*(key.split("|")[0] for key in curves), *measurable])

    def is_there(m: str, o: str, t: str) -> bool:
        return m in measurable or f"{m}|{o}|{t}" in curves

    missing: dict[str, Any] = {
        "model": [name for name in names if not is_there(name, order, labels)],
        "order": [o for o in ORDERS if not is_there(model, o, labels)],
        "labels": [t for t in LABELS if not is_there(model, order, t)],
    }
    keys = [f"{name}|{order}|{labels}" for name in missing["model"]]
    keys += [f"{model}|{o}|{labels}" for o in missing["order"]]
    keys += [f"{model}|{order}|{t}" for t in missing["labels"]]
    listed = "; ".join(_curve_name(key) for key in dict.fromkeys(keys))
    missing["text"] = f"Not measured, so not on offer here: {listed}." if listed else ""
    return missing


def _bias_presets(
    names: list[str], curves: Mapping[str, Any], n_blocks: int
) -> list[dict[str, Any]]:
    """Three states that each make a point, as far as the menu has their curves."""
    model = "CNN" if "CNN" in names else names[0]

    def state(order: str, labels: str, compare: str) -> dict[str, Any]:
        other = compare if compare in curves and not compare.startswith(f"{model}|{order}|") else ""
        return {
            "model": model, "order": order, "labels": labels, "compare": other or "none",
            "sent": n_blocks, "view": "total",
        }  # fmt: skip

    presets = [
        preset(
            "recorded",
            "Neighbouring points belong together: a convolution assumes it, a fully connected "
            "network has to find it out. What it does not have to learn, it does not pay for.",
            **state("recorded", "true", "MLP|recorded|true"),
        ),
        preset(
            "shuffled",
            "The same values in another order, the same for every series. The belief in "
            "neighbours is now false, and the convolution pays for it.",
            **state("shuffled", "true", f"{model}|recorded|true"),
        ),
        preset(
            "random labels",
            "Labels drawn at random. There is nothing to find, so no belief is right: every label "
            "costs what it costs without a model, or a little more, however long it trains.",
            **state("recorded", "random", "none"),
        ),
    ]
    is_stored = any(key.startswith(f"{model}|") for key in curves)
    return [
        p for p in presets
        if not is_stored or "|".join(p["state"][k] for k in ("model", "order", "labels")) in curves
    ]  # fmt: skip


def _describe_bias(data: dict[str, Any]) -> str:
    lines = [f"{curve['name']} {curve['total']:,.0f}" for curve in data["curves"]]
    return (
        f"Bits needed for the first labels of MNIST-1D, growing with the number sent. After "
        f"{data['n_sent']:,} labels: {', '.join([*lines, ''])}"
        f"uniform code {data['rate'] * data['n_sent']:,.0f}."
    )


def _draw_bias(data: dict[str, Any]) -> Figure:
    from companion import plotting

    figure, ax = plotting.panels(
        size=(4.8, 3.0), titles=["code length of the labels"],
        xlabel="labels sent", ylabel="bits so far",
    )  # fmt: skip
    ax.plot([0, data["n_labels"]], [0, data["uniform"]], color="0.35", linestyle=":",
            label="uniform code")  # fmt: skip
    for i, curve in enumerate(data["curves"]):
        ax.plot(curve["x"], curve["y"], color=plotting.COLORS[i], linestyle=plotting.LINES[i],
                marker=".", label=curve["name"])  # fmt: skip
        ax.fill_between(curve["x"], curve["low"], curve["high"], color=plotting.COLORS[i],
                        alpha=0.2, linewidth=0)  # fmt: skip
    ax.set_xlim(0)
    ax.set_ylim(0)
    ax.legend()
    return figure
