"""The conv microscope: one kernel on one image, and everything that follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from companion import architecture
from companion.data import load
from companion.explorables.view import Explorable, front_end, one_line, preset

Conv2d = Callable[..., Tensor]

SYNTHETIC = ("edge", "dot", "checkerboard")
INPUTS = (*SYNTHETIC, *(f"digit {k}" for k in range(10)), "drawing")
SIDES = (1, 3, 5)
LIMITS = {"stride": (1, 4), "padding": (0, 4), "dilation": (1, 3)}
MAX_MATRIX_ROWS = 36

EDGE = [[-1.0, 0.0, 1.0]] * 3
BLUR = [[round(1 / 9, 3)] * 3] * 3
IDENTITY = [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
OPENING: dict[str, Any] = {
    "input": "digit 7", "pixels": None, "kernel": EDGE,
    "stride": 1, "padding": 0, "dilation": 1, "cell": [14, 15], "show_matrix": False,
}  # fmt: skip


PRESETS = (
    preset(
        "edge",
        "The right column minus the left one: orange where ink begins, blue where it ends, "
        "and nothing where neighbours are equal, however dark they are.",
        input="digit 7", kernel=EDGE, stride=1, padding=0, dilation=1,
    ),
    preset(
        "blur",
        "Nine equal numbers that add up to 1: each output is the mean of its window. "
        "Fine detail is gone and cannot be brought back.",
        input="digit 7", kernel=BLUR, stride=1, padding=0, dilation=1,
    ),
    preset(
        "padding keeps the size",
        "A single 1 in the middle copies the input, and one ring of zeros around the image gives "
        "every pixel a window. Move the 1, and the picture moves the other way.",
        input="digit 7", kernel=IDENTITY, stride=1, padding=1, dilation=1,
    ),
    preset(
        "stride halves",
        "The window takes two steps at a time. Half the places per side leave a quarter of the "
        "values, and a quarter of the work.",
        input="digit 7", kernel=EDGE, stride=2, padding=1, dilation=1,
    ),
    preset(
        "dilation sees farther",
        "The same nine numbers, three pixels apart: the window spans seven pixels at the price of "
        "three. One dot now answers in nine places that do not touch.",
        input="dot", kernel=BLUR, stride=1, padding=3, dilation=3,
    ),
)  # fmt: skip


def arithmetic(n: int, *, kernel_size: int, stride: int, padding: int, dilation: int) -> str:
    """The output size, typed out: `⌊(28 + 2·1 − 1·(3 − 1) − 1) / 2⌋ + 1 = ⌊27 / 2⌋ + 1 = 14`."""
    room = n + 2 * padding - dilation * (kernel_size - 1) - 1
    steps = f"({n} + 2·{padding} − {dilation}·({kernel_size} − 1) − 1)"
    size = architecture.output_size(
        n, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation
    )
    return f"⌊{steps} / {stride}⌋ + 1 = ⌊{room} / {stride}⌋ + 1 = {size}"


def compute_conv_microscope(
    *,
    input: str,
    kernel: Sequence[Sequence[float]],
    stride: int,
    padding: int,
    dilation: int,
    cell: Sequence[int] = (0, 0),
    pixels: Sequence[float] | None = None,
    show_matrix: bool = False,
    conv2d: Conv2d | None = None,
) -> dict[str, Any]:
    """One kernel on one image, and everything the microscope shows of it.

    `kernel` is K x K, `cell` the output pixel that is looked at (moved to the nearest one that
    exists), `pixels` (row by row, in [0, 1]) the image where `input` is "drawing", `conv2d` the
    reader's own layer.  Returns plain lists and numbers; not-finite values are None.

    Raises:
        ValueError: a setting is out of range, or the window does not fit on the image.
    """
    image = _image(input, pixels)  # (H, H)
    weight = _kernel(kernel)  # (K, K)
    for name, value in (("stride", stride), ("padding", padding), ("dilation", dilation)):
        least, most = LIMITS[name]
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"{name} must be an integer in {least} ... {most}, got {value!r}")
    n, side = len(image), len(weight)
    where = {"kernel_size": side, "stride": stride, "padding": padding, "dilation": dilation}
    size = architecture.output_size(n, **where)
    steps = {"stride": stride, "padding": padding, "dilation": dilation}
    output = architecture.conv2d(image[None, None], weight[None, None], **steps)[0, 0]
    verdict = None
    if conv2d is not None:
        output, verdict = _compare(conv2d, image, weight, steps, output)

    row, column = (min(max(int(index), 0), size - 1) for index in cell)
    data: dict[str, Any] = {
        "image": _plain(image),
        "output": _plain(output),
        "arithmetic": arithmetic(n, **where),
        "window": _window(image, weight, row, column, steps, output),
        "facts": _facts(n, size, side),
        "verdict": verdict,
        "settings": {**where, "n": n, "size": size, "span": dilation * (side - 1) + 1},
    }
    if show_matrix:
        data["matrix"] = _matrix(weight, steps)
    return data


def conv_microscope(conv2d: Conv2d | None = None) -> Explorable:
    """What a kernel sees: edit it, move it, and read the arithmetic of its output.

    With `conv2d`, a function of the signature of `companion.architecture.conv2d`, the reader's own
    layer draws the output, and the widget says whether and where it differs from the library's.

    Raises:
        ValueError: `conv2d` is not a function.
    """
    if conv2d is not None and not callable(conv2d):
        raise ValueError(
            "conv2d must be a function (x, weight, bias, stride, padding, dilation), "
            f"got {conv2d!r}"
        )
    return _ConvMicroscope(
        lambda **state: compute_conv_microscope(**state, conv2d=conv2d),
        state=OPENING,
        setup={
            "question": "What does this kernel see, and how many places does it have?",
            "inputs": list(INPUTS),
            "sides": list(SIDES),
            "limits": {name: list(limits) for name, limits in LIMITS.items()},
            "presets": list(PRESETS),
        },
        picture=_draw_microscope,
        describe=_describe_microscope,
    )


class _ConvMicroscope(Explorable):
    _esm = front_end("conv_microscope")


@lru_cache(maxsize=1)
def _digits() -> Tensor:
    """The third, cleanly written example of each digit in the embedded MNIST: (10, 28, 28)."""
    mnist = load("mnist")
    third = [int((mnist.targets == k).nonzero()[2, 0]) for k in range(10)]
    return mnist.inputs[third, 0]


def _image(name: str, pixels: Sequence[float] | None) -> Tensor:
    if name not in INPUTS:
        raise ValueError(f"no input {name!r}: expected one of {', '.join(INPUTS)}")
    if name == "drawing":
        values = torch.as_tensor(pixels if pixels is not None else [0.0] * 784).float()
        n = math.isqrt(values.numel())
        is_square = values.ndim == 1 and n * n == values.numel() and 1 <= n <= 28
        if not is_square or not bool(((values >= 0) & (values <= 1)).all()):
            raise ValueError(
                "a drawing is a square image of at most 28 x 28 pixels in [0, 1], row by row; "
                f"got {values.numel()} values"
            )
        return values.view(n, n)
    if name.startswith("digit"):
        return _digits()[int(name.removeprefix("digit "))]
    image = torch.zeros(14, 14)
    if name == "edge":
        image[:, 7:] = 1.0
    elif name == "dot":
        image[7, 7] = 1.0
    else:
        image[:] = (torch.arange(14)[:, None] + torch.arange(14)) % 2
    return image


def _kernel(values: Sequence[Sequence[float]]) -> Tensor:
    side = len(values)
    if side not in SIDES or any(len(row) != side for row in values):
        raise ValueError(
            f"the kernel must be 1 x 1, 3 x 3 or 5 x 5, got rows of {[len(row) for row in values]}"
        )
    weight = torch.tensor(values, dtype=torch.float32)
    if not bool((weight.abs() <= 99).all()):
        raise ValueError("kernel values must be numbers in -99 ... 99")
    return weight


def _compare(
    conv2d: Conv2d, image: Tensor, weight: Tensor, steps: dict[str, int], expected: Tensor
) -> tuple[Tensor, dict[str, Any]]:
    """The reader's output where it can be drawn, and one line about it."""
    try:
        answer = conv2d(image[None, None].clone(), weight[None, None].clone(), **steps)
    except Exception as error:  # the reader's code may do anything; the widget says what it did
        text = f"Your conv2d raised {type(error).__name__}: {one_line(ValueError(error))}"
        return expected, {"agrees": False, "text": f"{text}. Shown: the library's output."}
    if not isinstance(answer, Tensor):
        text = f"Your conv2d returned {type(answer).__name__}, expected a tensor."
        return expected, {"agrees": False, "text": f"{text} Shown: the library's output."}
    wanted = (1, 1, *expected.shape)
    if answer.shape != wanted:
        text = f"Your conv2d gives shape {tuple(answer.shape)}, the library {wanted}."
        return expected, {"agrees": False, "text": f"{text} Shown: the library's output."}
    mine = answer[0, 0].detach().float()
    difference = (mine - expected).abs()
    difference[~mine.isfinite()] = torch.inf
    largest = difference.max().item()
    if largest <= 1e-4 * max(1.0, expected.abs().max().item()):
        how = f"largest difference {largest:.0e}" if largest else "to the last digit"
        text = f"Your conv2d agrees with the library ({how})."
        return mine, {"agrees": True, "text": text}
    row, column = divmod(int(difference.argmax()), expected.shape[1])
    text = (
        f"Your conv2d differs in {int((difference > 1e-4).sum())} of {expected.numel()} places, "
        f"most at row {row}, column {column}: yours {_number(mine[row, column].item())}, "
        f"the library's {_number(expected[row, column].item())}."
    )
    return mine, {"agrees": False, "text": text, "cell": [row, column]}


def _window(
    image: Tensor, weight: Tensor, row: int, column: int, steps: dict[str, int], output: Tensor
) -> dict[str, Any]:
    """The input pixels that one output pixel sees; positions count from the padded corner."""
    stride, padding, dilation = steps["stride"], steps["padding"], steps["dilation"]
    side, n = len(weight), len(image)
    rows = [row * stride + i * dilation for i in range(side)]
    columns = [column * stride + j * dilation for j in range(side)]
    inside = [
        [0 <= r - padding < n and 0 <= c - padding < n for c in columns] for r in rows
    ]  # fmt: skip
    values = [
        [image[r - padding, c - padding].item() if inside[i][j] else 0.0
         for j, c in enumerate(columns)]
        for i, r in enumerate(rows)
    ]  # fmt: skip
    total = (torch.tensor(values) * weight).sum().item()
    return {
        "cell": [row, column],
        "rows": rows,
        "columns": columns,
        "inside": inside,
        "values": [[round(v, 2) for v in line] for line in values],
        "sum": round(total, 3) + 0.0,
        "output": _finite(output[row, column].item()),
    }


def _facts(n: int, size: int, side: int) -> str:
    """How little the layer has to be told, against a fully connected one."""
    return (
        f"{n} × {n} in, {size} × {size} out: {size * size * side * side:,} multiplications with "
        f"{side * side} number{'s' if side > 1 else ''}. A fully connected layer between the same "
        f"images has {n * n * size * size:,}."
    )


def _matrix(weight: Tensor, steps: dict[str, int]) -> dict[str, Any]:
    """The layer as one matrix, on the smallest image (at least 6 x 6) that shows its bands."""
    side = len(weight)
    span = steps["dilation"] * (side - 1) + 1
    n = max(6, span + 1 - 2 * steps["padding"])
    lit = torch.eye(n * n).view(n * n, 1, n, n)  # one lit pixel each
    columns = architecture.conv2d(lit, weight[None, None], **steps)  # (n*n, 1, size, size)
    matrix = columns.flatten(1).T  # (size*size, n*n)
    present = architecture.conv2d(lit, torch.ones_like(weight)[None, None], **steps) > 0
    n_places, n_inputs = matrix.shape
    return {
        "n": n,
        "size": math.isqrt(n_places),
        "shape": [n_places, n_inputs],
        "values": _plain(matrix[:MAX_MATRIX_ROWS]),
        "text": (
            f"On a {n} × {n} image the same layer is a matrix of {n_places} × {n_inputs}: "
            f"{int(present.sum()):,} of its {matrix.numel():,} entries can differ from zero, and "
            f"they are copies of {side * side} number{'s' if side > 1 else ''}."
            + (f" First {MAX_MATRIX_ROWS} rows." if n_places > MAX_MATRIX_ROWS else "")
        ),
    }


def _plain(values: Tensor) -> list[list[float | None]]:
    rounded = (values.double() * 1e4).round() / 1e4 + 0.0  # + 0.0: no negative zero
    return [[_finite(v) for v in row] for row in rounded.tolist()]


def _finite(value: float) -> float | None:
    return round(value, 4) + 0.0 if math.isfinite(value) else None


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _describe_microscope(data: dict[str, Any]) -> str:
    at = data["settings"]
    return (
        f"A handwritten digit of {at['n']} by {at['n']} pixels, a kernel of {at['kernel_size']} by "
        f"{at['kernel_size']} numbers with one of its windows marked, and the {at['size']} by "
        f"{at['size']} output: orange along left edges of the strokes, blue along right edges."
    )


def _draw_microscope(data: dict[str, Any]) -> Figure:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    from companion import plotting

    at, window = data["settings"], data["window"]
    signed = LinearSegmentedColormap.from_list(
        "signed", [plotting.COLORS[0], "white", plotting.COLORS[1]]
    )
    titles = [f"input, {at['n']} × {at['n']}", "kernel", f"output, {at['size']} × {at['size']}"]
    figure, (left, middle, right) = plotting.panels(1, 3, size=(2.5, 2.6), titles=titles)
    left.imshow(data["image"], cmap="gray_r", vmin=0, vmax=1)
    kernel = torch.tensor(OPENING["kernel"])
    for ax, values in ((middle, kernel), (right, torch.tensor(data["output"]))):
        limit = values.abs().max().item() or 1.0
        ax.imshow(values.numpy(), cmap=signed, vmin=-limit, vmax=limit)
    for i, row in enumerate(kernel.tolist()):
        for j, value in enumerate(row):
            middle.text(j, i, f"{value:g}".replace("-", "−"), ha="center", va="center")
    top, start = (window[name][0] - at["padding"] for name in ("rows", "columns"))
    row, column = window["cell"]
    for ax, corner, span in ((left, (start, top), at["span"]), (right, (column, row), 1)):
        ax.add_patch(
            Rectangle((corner[0] - 0.5, corner[1] - 0.5), span, span, fill=False,
                      edgecolor=plotting.COLORS[2], linewidth=1.8)
        )  # fmt: skip
    for ax in (left, middle, right):
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set(visible=True, color="0.7")
    figure.suptitle(data["arithmetic"], fontsize=9)
    return figure
