"""Figures carry an alt text and a style; measured numbers carry a mark."""

from __future__ import annotations

import base64
import io

import matplotlib
import matplotlib.image
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.figure import Figure

from companion import plotting

ALT = "Three bars, the last one shortest."


def simple_figure():
    figure, ax = plotting.panels(titles=["loss"], xlabel="epoch", ylabel="nats")
    ax.plot([1, 2, 3])
    return figure


def texts(ax):
    return [t.get_text() for t in ax.texts]


def legend(ax):
    return [t.get_text() for t in ax.get_legend().get_texts()] if ax.get_legend() else []


# ---- show and report ---------------------------------------------------------------------------


def test_show_displays_a_png_with_its_alt_text():
    InteractiveShell.instance()
    try:
        with capture_output() as output:
            plotting.show(simple_figure(), alt=f"  {ALT}\n")
    finally:
        InteractiveShell.clear_instance()
    (shown,) = output.outputs
    png = shown.data["image/png"]
    png = base64.b64decode(png) if isinstance(png, str) else png
    assert matplotlib.image.imread(io.BytesIO(png), format="png").ndim == 3
    assert shown.data["text/plain"] == ALT
    assert shown.metadata["image/png"]["alt"] == ALT
    assert output.stdout == ""


def test_the_same_figure_gives_the_same_bytes():
    a, _ = plotting.png_bundle(simple_figure(), alt=ALT)
    b, _ = plotting.png_bundle(simple_figure(), alt=ALT)
    assert a["image/png"] == b["image/png"] and b"Software" not in a["image/png"]


def test_a_figure_is_shown_at_its_size_with_sharp_pixels():
    bundle, metadata = plotting.png_bundle(simple_figure(), alt=ALT)
    picture = matplotlib.image.imread(io.BytesIO(bundle["image/png"]), format="png")
    width = metadata["image/png"]["width"]
    assert width == 350 and picture.shape[1] >= 1.5 * width


def test_png_bundle_drops_what_hides_nothing():
    """No figure is registered with pyplot, so that none stays open."""
    import matplotlib.pyplot as plt

    plt.close("all")
    simple_figure()
    assert plt.get_fignums() == []


@pytest.mark.parametrize("alt", ["", "   ", "figure", "a plot"])
def test_an_alt_text_that_says_nothing_is_refused(alt):
    with pytest.raises(ValueError, match="in a sentence what the figure shows; got"):
        plotting.show(simple_figure(), alt=alt)


@pytest.mark.parametrize(
    ("value", "digits", "unit", "line"),
    [
        (0.9249, 2, "", "accuracy: 0.92 [measured]"),
        (13287.7, 0, "bits", "accuracy: 13,288 [measured] bits"),
        (torch.tensor(1.5), 1, "", "accuracy: 1.5 [measured]"),
    ],
)
def test_report_marks_a_measured_number(capsys, value, digits, unit, line):
    plotting.report("accuracy", value, digits, unit=unit)
    assert capsys.readouterr().out == line + "\n"


# ---- the drawings ------------------------------------------------------------------------------


def test_panels_are_labelled_and_sized():
    figure, ax = plotting.panels(titles=["one"], xlabel="x", ylabel="y")
    assert ax.get_title() == "one" and (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")
    assert tuple(figure.get_size_inches()) == plotting.PANEL == (3.5, 2.5)
    figure, axes = plotting.panels(2, 3, titles=["a", "b"], ylabel="y", sharey=True)
    assert len(axes) == 6 and [ax.get_title() for ax in axes[:3]] == ["a", "b", ""]
    assert [ax.get_ylabel() for ax in axes] == ["y", "", "", "y", "", ""]
    assert tuple(figure.get_size_inches()) == (10.5, 5.0)


def test_the_style_stays_inside_the_course():
    before = dict(matplotlib.rcParams)
    plotting.png_bundle(simple_figure(), alt=ALT)
    assert dict(matplotlib.rcParams) == before
    assert not simple_figure().axes[0].spines["top"].get_visible()


def test_curves_differ_in_colour_and_in_line_style():
    assert len(set(plotting.COLORS)) == 7 and len(set(plotting.LINES[:6])) == 6


def test_series_draws_one_panel_each():
    a, b = torch.randn(40, requires_grad=True), torch.randn(40)
    figure = plotting.series(a, b, titles=["a", "b"])
    assert [ax.get_title() for ax in figure.axes] == ["a", "b"]
    for ax, values in zip(figure.axes, (a, b), strict=True):
        assert np.allclose(ax.lines[0].get_ydata(), values.detach())
    assert len(plotting.series(b).axes) == 1


def test_images_draw_one_panel_each():
    pictures = torch.rand(3, 1, 28, 28)
    figure = plotting.images(pictures, titles=list("abc"))
    assert len(figure.axes) == 3
    for ax, picture in zip(figure.axes, pictures, strict=True):
        assert np.allclose(ax.images[0].get_array(), picture[0])
    signed = plotting.images([torch.tensor([[-2.0, 1.0]])], signed=True).axes[0].images[0]
    assert signed.get_clim() == (-2, 2)
    zero = plotting.images([torch.zeros(2, 2)], signed=True).axes[0].images[0]
    assert zero.get_clim() == (-1, 1)


def test_lines_name_their_curves():
    curves = {"cnn": ([1, 10], [5, 3]), "mlp": ([1, 10], [6, 6])}
    figure = plotting.lines(
        curves, xlabel="width", ylabel="bits", title="scaling", log_x=True, log_y=True,
        level=(9, "uniform"),
    )  # fmt: skip
    (ax,) = figure.axes
    assert legend(ax) == ["cnn", "mlp", "uniform"] and ax.get_title() == "scaling"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert [list(line.get_ydata()) for line in ax.lines[:2]] == [[5, 3], [6, 6]]
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines[:2]}) == 2
    (ax,) = plotting.lines({"one": ([1], [1])}, xlabel="x", ylabel="y").axes
    assert ax.get_legend() is None and ax.get_xscale() == "linear"


def test_paired_bars_show_the_mean_and_every_seed():
    scores = {
        ("MLP", "in order"): [0.6, 0.7], ("MLP", "shuffled"): [0.65, 0.65],
        ("CNN", "in order"): torch.tensor([0.9, 1.0]),
    }  # fmt: skip
    (ax,) = plotting.paired_bars(scores, ylabel="accuracy", chance=0.1).axes
    assert sorted(bar.get_height() for bar in ax.patches) == pytest.approx([0.65, 0.65, 0.95])
    dots = sorted(y for line in ax.lines[:-1] for y in line.get_ydata())
    assert dots == pytest.approx([0.6, 0.65, 0.65, 0.7, 0.9, 1.0])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["MLP", "CNN"]
    assert legend(ax) == ["in order", "shuffled", "chance"] or set(legend(ax)) == {
        "in order", "shuffled", "chance",
    }  # fmt: skip


def test_bars_read_from_the_top():
    (ax,) = plotting.bars(
        {"first": 12.5, "second": [2000.0, 3000.0]}, xlabel="bits", level=(4000, "uniform")
    ).axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["first", "second"]
    assert [bar.get_width() for bar in ax.patches] == [12.5, 2500]
    assert ax.yaxis_inverted() and any("2,500" in t for t in texts(ax))
    (line,) = ax.lines[-1:]
    assert line.get_xdata()[0] == 4000 and "uniform" in [t.strip() for t in texts(ax)]


def test_ledger_bars_stack_model_bits_on_data_bits_longest_first():
    rows = [
        {"chapter": "02", "model": "cnn", "model_bits": 0, "data_bits": 5000},
        {"chapter": "05", "model": "file", "model_bits": 1000, "data_bits": 6000},
    ]
    (ax,) = plotting.ledger_bars(rows, uniform=13288).axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["file (05)", "cnn (02)"]
    assert [bar.get_width() for bar in ax.patches] == [6000, 5000, 1000, 0]
    assert [t.strip() for t in texts(ax)] == ["7,000", "5,000"]
    assert legend(ax) == ["data bits", "model bits", "uniform code"] or len(legend(ax)) == 3
    (ax,) = plotting.ledger_bars(rows[:1], uniform=13288).axes
    assert "model bits" not in legend(ax)


def test_matrix_writes_its_numbers():
    values = torch.tensor([[0.0, -1.0], [0.5, 0.25]])
    (ax,) = plotting.matrix(values, title="as a matrix", write=lambda v: f"{v:g}").axes
    assert texts(ax) == ["0", "-1", "0.5", "0.25"] and ax.get_title() == "as a matrix"
    assert ax.images[0].get_clim() == (-1, 1)
    assert [t.get_color() for t in ax.texts][:2] == ["black", "white"]
    assert texts(plotting.matrix(torch.zeros(2, 3)).axes[0]) == []


def test_every_drawing_is_a_figure_that_can_be_shown():
    for figure in (
        plotting.series(torch.randn(5)),
        plotting.images(torch.rand(2, 4, 4)),
        plotting.lines({"a": ([1], [1])}, xlabel="x", ylabel="y"),
        plotting.paired_bars({("a", "b"): [1.0]}, ylabel="y"),
        plotting.bars({"a": 1.0}, xlabel="x"),
        plotting.matrix(torch.randn(2, 2)),
    ):
        assert isinstance(figure, Figure)
        assert plotting.png_bundle(figure, alt=ALT)[0]["image/png"].startswith(b"\x89PNG")
