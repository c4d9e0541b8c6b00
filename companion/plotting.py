"""One style for every figure; `show` gives each an alt text, `report` marks measured numbers."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
import torch

if TYPE_CHECKING:  # the first figure pays for these, not the import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, safe for colour-blind readers; grey last.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), "-")
PANEL = (3.5, 2.5)  # inches
STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 150,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "image.cmap": "gray_r",
    "svg.hashsalt": "companion",
}

matplotlib.rcParams.update(STYLE)


def panels(
    n_rows: int = 1,
    n_columns: int = 1,
    *,
    size: tuple[float, float] = PANEL,
    titles: Sequence[str] = (),
    xlabel: str = "",
    ylabel: str = "",
    sharey: bool = False,
) -> tuple[Figure, Any]:
    """A figure of `n_rows` x `n_columns` panels of `size` inches in the course's style.

    Returns the figure and its axes: one `Axes` for a single panel, else a flat list.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size[0] * n_columns, size[1] * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, sharey=sharey, squeeze=False).ravel().tolist()
    for i, ax in enumerate(axes):
        if i < len(titles):
            ax.set_title(titles[i])
        ax.set_xlabel(xlabel)
        if not sharey or i % n_columns == 0:
            ax.set_ylabel(ylabel)
    return figure, axes[0] if len(axes) == 1 else axes


def show(fig: Figure, *, alt: str) -> None:
    """Displays a figure as PNG with `alt`, the finding in words, for readers who cannot see it.

    Raises:
        ValueError: the alt text is empty or only says that there is a figure.
    """
    from IPython.display import display

    bundle, metadata = png_bundle(fig, alt=alt)
    display(bundle, metadata=metadata, raw=True)


def png_bundle(fig: Figure, *, alt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The mime bundle of a figure: image/png with alt text, and the alt text as plain text."""
    words = alt.strip()
    if len(words.split()) < 3:
        raise ValueError(f"alt text says in a sentence what the figure shows; got {alt!r}")
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):  # a notebook's inline backend sets a resolution of its own
        fig.savefig(buffer, format="png", metadata={"Software": None})
    return (
        {"image/png": buffer.getvalue(), "text/plain": words},
        {"image/png": {"alt": words, "width": round(100 * fig.get_figwidth())}},
    )


def report(name: str, value: float, digits: int = 2, *, unit: str = "") -> None:
    """Prints a measured number, marked as one: `test accuracy: 0.92 [measured]`.

    The mark tells the notebook checks that this number may differ in its last digits from machine
    to machine; the cell that prints it also asserts the claim it stands for.
    """
    number = f"{float(value):,.{digits}f}"
    print(f"{name}: {number} [measured]{' ' + unit if unit else ''}")


def series(
    *values: torch.Tensor, titles: Sequence[str] = (), ylabel: str = "value", xlabel: str = "point"
) -> Figure:
    """One panel per series (L,)."""
    figure, axes = panels(
        1, len(values), titles=titles, xlabel=xlabel, ylabel=ylabel, sharey=True,
    )  # fmt: skip
    for ax, value in zip(axes if isinstance(axes, list) else [axes], values, strict=True):
        ax.plot(value.detach().cpu().numpy(), color=COLORS[0], marker=".", markersize=4)
    return figure


def images(
    values: torch.Tensor | Sequence[torch.Tensor],
    *,
    titles: Sequence[str] = (),
    size: float = 1.4,
    signed: bool = False,
) -> Figure:
    """A row of grey images (H, W); `signed` centres the scale at zero (blue minus, red plus)."""
    figure, axes = panels(1, len(values), size=(size, size + 0.2), titles=titles)
    for ax, value in zip(axes if isinstance(axes, list) else [axes], values, strict=True):
        picture = value.detach().cpu()
        picture = picture.reshape(picture.shape[-2:]).numpy()  # (1, H, W) -> (H, W)
        limit = float(abs(picture).max()) or 1.0
        scale = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if signed else {"cmap": "gray_r"}
        ax.imshow(picture, interpolation="nearest", **scale)
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_visible(True)
            spine.set_color("0.7")
    return figure


def lines(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    log_x: bool = False,
    log_y: bool = False,
    level: tuple[float, str] | None = None,
    size: tuple[float, float] = (4.6, 2.9),
    marker: str = "",
    xticks: Sequence[float] = (),
) -> Figure:
    """One labelled curve `(x, y)` per entry; `level` draws a named horizontal line.

    `xticks`: where the x axis is labelled, which a logarithmic one may otherwise do too densely.
    """
    figure, ax = panels(size=size, titles=[title], xlabel=xlabel, ylabel=ylabel)
    for i, (name, (x, y)) in enumerate(curves.items()):
        ax.plot(x, y, label=name, color=COLORS[i % 7], linestyle=LINES[i % 7], marker=marker,
                markersize=4)  # fmt: skip
    if log_x:
        ax.set_xscale("log")
    if log_y:
        ax.set_yscale("log")
    _draw_level(ax, level)
    if len(curves) > 1 or level is not None:
        ax.legend()
    if xticks:
        ax.set_xticks(xticks, [f"{x:g}" for x in xticks])
        ax.set_xticks([], minor=True)
    return figure


def paired_bars(
    scores: Mapping[tuple[str, str], Sequence[float] | torch.Tensor],
    *,
    ylabel: str,
    chance: float | None = None,
    title: str = "",
) -> Figure:
    """Bars in groups: keys are `(group, bar)`, values one score per seed, drawn as dots."""
    groups = list(dict.fromkeys(group for group, _ in scores))
    kinds = list(dict.fromkeys(kind for _, kind in scores))
    figure, ax = panels(size=(1.4 + 1.3 * len(groups), 2.7), titles=[title], ylabel=ylabel)
    width = 0.8 / len(kinds)
    for j, kind in enumerate(kinds):
        for i, group in enumerate(groups):
            if (group, kind) not in scores:
                continue
            values = torch.as_tensor(scores[group, kind], dtype=torch.float64).numpy()
            x = i + (j - (len(kinds) - 1) / 2) * width
            ax.bar(x, values.mean(), 0.9 * width, color=COLORS[j], alpha=0.55,
                   hatch=("", "///", "...", "xx")[j % 4], edgecolor="white",
                   label=kind if i == 0 else None)  # fmt: skip
            ax.plot([x] * len(values), values, "k.", markersize=5)
    ax.set_xticks(range(len(groups)), groups)
    _draw_level(ax, (chance, "chance") if chance is not None else None)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def bars(
    values: Mapping[str, float | Sequence[float]],
    *,
    xlabel: str,
    title: str = "",
    level: tuple[float, str] | None = None,
) -> Figure:
    """Horizontal bars, first entry on top; several values per entry are drawn as dots."""
    figure, ax = panels(size=(5.2, 0.9 + 0.28 * len(values)), titles=[title], xlabel=xlabel)
    for i, value in enumerate(values.values()):
        numbers = torch.as_tensor(value, dtype=torch.float64).reshape(-1).numpy()
        ax.barh(i, numbers.mean(), height=0.65, color=COLORS[0], alpha=0.55)
        if len(numbers) > 1:
            ax.plot(numbers, [i] * len(numbers), "k.", markersize=5)
        ax.text(numbers.max(), i, f"  {numbers.mean():.2f}" if abs(numbers.mean()) < 10
                else f"  {numbers.mean():,.0f}", va="center", fontsize=8)  # fmt: skip
    ax.set_yticks(range(len(values)), list(values))
    ax.invert_yaxis()
    ax.margins(x=0.12)
    if level is not None:
        ax.axvline(level[0], color="0.35", linestyle=":", linewidth=1.2)
        ax.text(level[0], 0.02, f"{level[1]}  ", transform=ax.get_xaxis_transform(), ha="right",
                va="bottom", fontsize=8, color="0.35")  # fmt: skip
    return figure


def ledger_bars(rows: Sequence[Mapping[str, Any]], *, uniform: float) -> Figure:
    """Stacked bars, model bits and data bits, longest code on top; the uniform code as a line."""
    rows = sorted(rows, key=lambda r: -(r["model_bits"] + r["data_bits"]))
    names = [f"{r['model']} ({r['chapter']})" for r in rows]
    width = max(5.6, 3.2 + 0.07 * max(map(len, names), default=0))  # long names leave room for bars
    figure, ax = panels(size=(width, 1.0 + 0.28 * len(rows)), xlabel="bits to send the labels")
    data = [r["data_bits"] for r in rows]
    model = [r["model_bits"] for r in rows]
    ax.barh(names, data, height=0.65, color=COLORS[0], alpha=0.6, label="data bits")
    if any(model):
        ax.barh(names, model, left=data, height=0.65, color=COLORS[1], alpha=0.6, hatch="///",
                edgecolor="white", label="model bits")  # fmt: skip
    for i, (d, m) in enumerate(zip(data, model, strict=True)):
        ax.annotate(f"{d + m:,.0f}", (d + m, i), xytext=(5, 0), textcoords="offset points",
                    va="center", fontsize=8,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
    ax.axvline(uniform, color="0.35", linestyle=":", zorder=0, label="uniform code")
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure


def matrix(
    values: torch.Tensor,
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    size: tuple[float, float] = (3.5, 2.7),
    write: Callable[[float], str] | None = None,
) -> Figure:
    """A matrix (R, C) as coloured cells, zero white; `write` formats the number in each cell."""
    from matplotlib.ticker import MaxNLocator

    figure, ax = panels(size=size, titles=[title], xlabel=xlabel, ylabel=ylabel)
    cells = values.detach().cpu().double().numpy()
    limit = float(abs(cells).max()) or 1.0
    ax.imshow(cells, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto",
              interpolation="nearest")  # fmt: skip
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    if write is not None:
        for i in range(cells.shape[0]):
            for j in range(cells.shape[1]):
                dark = abs(cells[i, j]) > 0.6 * limit
                ax.text(j, i, write(float(cells[i, j])), ha="center", va="center", fontsize=7,
                        color="white" if dark else "black")  # fmt: skip
    return figure


def _draw_level(ax: Axes, level: tuple[float, str] | None) -> None:
    if level is not None:
        ax.axhline(level[0], color="0.35", linestyle=":", linewidth=1.2, label=level[1])
