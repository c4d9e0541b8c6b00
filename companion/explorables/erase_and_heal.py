"""Erase and heal: rub out a part of a picture, and see who can tell what was there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from companion.explorables import healing
from companion.explorables.healing import (
    FILLS,
    MOST_COMPONENTS,
    MOST_NEIGHBOURS,
    N_COPIES,
    N_OTHERS,
    SIDE,
    as_mask,
    as_rows,
    healed,
)
from companion.explorables.view import Explorable, front_end, number, one_line, preset
from companion.self_supervision import hide, masked_mse, patch_mask, random_mask

FillFunction = Callable[[Tensor, Tensor], Tensor]

BRUSHES = {"rub out": "rubs out", "bring back": "brings back"}
SIZES = (1, 9)  # of the brush, pixels
SHOWN = {"filled": "what it fills in", "error": "where it errs", "true": "the whole picture"}
OWN = "yours"


def _hole(kind: str) -> list[str]:
    generator = torch.Generator().manual_seed(4)
    mask = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.bool)
    if kind == "tiles":
        mask = patch_mask(mask.shape, patch=4, share=0.5, generator=generator)
    elif kind == "stripe":
        mask[..., 11:17, :] = True
    elif kind == "lower half":
        mask[..., SIDE // 2 :, :] = True
    elif kind == "salt":
        mask = random_mask(mask.shape, 0.5, generator=generator)
    return as_rows(mask)


PRESETS = (
    preset(
        "half of the tiles",
        "Trained on holes, told where they are, graded on the hidden part alone: the masked "
        "autoencoder errs least. The plain one takes a hole for blank paper.",
        picture="digit 4", mask=_hole("tiles"), fill="masked", k=5, n_components=40,
        shown="filled",
    ),
    preset(
        "a stripe",
        "Over other digits the masked autoencoder is ahead here too, though by little; for this "
        "one the neighbours know better. One picture shows luck as much as skill.",
        picture="digit 2", mask=_hole("stripe"), fill="knn", k=5, n_components=40, shown="filled",
    ),
    preset(
        "the lower half",
        "Little beside the hole says how the digit goes on. k-NN remembers whole digits and is "
        "ahead; the masked autoencoder looks close by and leaves what is far from every visible "
        "pixel pale.",
        picture="digit 3", mask=_hole("lower half"), fill="masked", k=5, n_components=40,
        shown="filled",
    ),
    preset(
        "salt",
        "Each hole has visible neighbours, and the plane fills it nearly as well as the "
        "network. Shown is where the plain autoencoder errs. Blue is ink that it leaves out: to "
        "it, a pixel that cannot be seen and a blank one are the same.",
        picture="digit 9", mask=_hole("salt"), fill="autoencoder", k=5, n_components=40,
        shown="error",
    ),
    preset(
        "a garment",
        "No method has seen a garment. Mean, neighbours and plane can only fill in parts of "
        "digits; the masked autoencoder has learned how an edge goes on, from what is close by, "
        "and that carries over.",
        picture="ankle boot", mask=_hole("tiles"), fill="masked", k=5, n_components=40,
        shown="filled",
    ),
)  # fmt: skip
OPENING: dict[str, Any] = {**PRESETS[0]["state"], "copy": 0, "brush": "rub out", "size": 3}


def compute_erase_and_heal(
    *,
    picture: str,
    mask: Sequence[str],
    fill: str,
    k: int,
    n_components: int,
    shown: str,
    copy: int = 0,
    brush: str = "rub out",
    size: int = 3,
    own: FillFunction | None = None,
) -> dict[str, Any]:
    """One picture with a hole, filled by every method, and the error of each on the hidden pixels.

    `picture` is "digit 0" ... "digit 9" or the name of a garment, `copy` one of six of its kind;
    no method has learned from any of them, and none has seen a garment at all.  `mask` is 28
    strings of 28 signs, "#" hidden and "." visible.  `fill` is the method looked at, `k` the
    neighbours of k-NN, `n_components` those of PCA, `shown` what is drawn large: "filled", "error"
    or "true".  `brush` and `size` are the page's own.  `own(image, mask) -> image`, all (28, 28),
    is the reader's; its image has zeros where the mask is True.

    Raises:
        ValueError: a setting is unknown or out of range, or nothing is left to see.
    """
    methods = FILLS if own is None else {**FILLS, OWN: OWN}
    _check(picture, mask, fill, k, n_components, shown, copy, brush, size, methods)
    kind, place = healing.names()[picture]
    rows = tuple(mask)
    hidden = as_mask(rows)[0, 0]  # (28, 28)
    n_hidden = int(hidden.sum())
    if n_hidden == SIDE * SIDE:
        raise ValueError("every pixel is hidden: nothing is left to predict from")
    image = healing.pictures(kind)[0][place, copy, 0]
    found, verdict = [], None
    for name in FILLS if n_hidden else ():
        setting = {"knn": k, "pca": n_components}.get(name, 0)
        filled, error, others = healed(kind, place, copy, rows, name, setting)
        found.append(_row(name, FILLS[name], filled, error, others))
    if own is not None and n_hidden:
        filled, verdict = _own(own, kind, place, copy, rows, found)
        if filled is not None:
            error = masked_mse(filled, image, hidden).item()
            found.append(_row(OWN, OWN, filled, error, None))
    data: dict[str, Any] = {
        "image": _plain(image),
        "fills": found,
        "best": _least(found, "error"),
        "best_of_others": _least(found, "others"),
        "chosen": next((i for i, row in enumerate(found) if row["key"] == fill), 0),
        "n_hidden": n_hidden,
        "settings": {"picture": picture, "kind": kind, "k": k, "n_components": n_components},
        "verdict": verdict,
    }
    data["text"] = _account(data)
    return data


def erase_and_heal(fill: FillFunction | None = None) -> Explorable:
    """A picture, a rubber, and five ways to fill the hole, each with its error.

    `fill(image, mask) -> image`, all tensors (28, 28), is the reader's own way: `image` has zeros
    where `mask` is True, and what is visible must come back as it is.  The widget says whether it
    does and whether anything was learned.  The two networks were trained on 3,000 digits
    (`make precompute ONLY=04/erase`).

    Raises:
        ValueError: `fill` is not a function.
        FileNotFoundError: the stored networks are missing.
    """
    if fill is not None and not callable(fill):
        raise ValueError(
            "fill must be a function (image, mask) -> image of tensors (28, 28), mask True where "
            f"the image is hidden; got {fill!r}"
        )
    names = FILLS if fill is None else {**FILLS, OWN: OWN}
    return _EraseAndHeal(
        lambda **state: compute_erase_and_heal(**state, own=fill),
        state=OPENING,
        setup={
            "question": "What was there, where you rubbed it out?",
            "pictures": list(healing.names()),
            "fills": [list(item) for item in names.items()],
            "shown": [list(item) for item in SHOWN.items()],
            "brushes": [list(item) for item in BRUSHES.items()],
            "sizes": list(SIZES),
            "n_copies": N_COPIES,
            "n_others": N_OTHERS,
            "most_neighbours": MOST_NEIGHBOURS,
            "most_components": MOST_COMPONENTS,
            "presets": list(PRESETS),
        },
        picture=_draw_healing,
        describe=_describe_healing,
    )


class _EraseAndHeal(Explorable):
    _esm = front_end("erase_and_heal")


def _check(
    picture: str, mask: Sequence[str], fill: str, k: int, n_components: int, shown: str, copy: int,
    brush: str, size: int, methods: Mapping[str, str],
) -> None:  # fmt: skip
    for name, value, known in (
        ("picture", picture, healing.names()), ("fill", fill, methods), ("shown", shown, SHOWN),
        ("brush", brush, BRUSHES),
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"no {name} {value!r}: expected one of {', '.join(known)}")
    for name, value, least, most in (
        ("k", k, 1, MOST_NEIGHBOURS), ("n_components", n_components, 1, MOST_COMPONENTS),
        ("copy", copy, 0, N_COPIES - 1), ("size", size, *SIZES),
    ):  # fmt: skip
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        if not is_integer or not least <= value <= most:
            raise ValueError(f"{name} must be an integer in {least} ... {most}, got {value!r}")
    is_grid = not isinstance(mask, str) and len(mask) == SIDE
    if not is_grid or any(
        not isinstance(r, str) or len(r) != SIDE or set(r) - set("#.") for r in mask
    ):
        raise ValueError(
            f"mask must be {SIDE} strings of {SIDE} signs, '#' where a pixel is hidden and '.' "
            "where it is visible"
        )


def _row(key: str, name: str, filled: Tensor, error: float, others: float | None) -> dict[str, Any]:
    return {"key": key, "name": name, "pixels": _plain(filled), "error": _short(error),
            "others": None if others is None else _short(others)}  # fmt: skip


def _least(rows: Sequence[Mapping[str, Any]], score: str) -> int | None:
    """The place of the row with the smallest score."""
    known = [i for i, row in enumerate(rows) if row[score] is not None]
    return min(known, key=lambda i: rows[i][score]) if known else None


@cache
def _visible(kind: str, place: int, copy: int, rows: tuple[str, ...]) -> Tensor:
    """What a method gets to see: (28, 28), zeros in the hole."""
    return hide(healing.pictures(kind)[0][place, copy : copy + 1], as_mask(rows))[0, 0]


@lru_cache(maxsize=64)
def _answer(
    own: FillFunction, kind: str, place: int, copy: int, rows: tuple[str, ...]
) -> tuple[Tensor | None, str]:
    """What the reader's function gives back, or None and what is wrong with it."""
    image, mask = _visible(kind, place, copy, rows).clone(), as_mask(rows)[0, 0].clone()
    try:
        answer = own(image, mask)
    except Exception as error:  # the reader's code may do anything; the widget says what it did
        return None, f"raised {type(error).__name__}: {one_line(ValueError(error))}."
    if not isinstance(answer, Tensor):
        return None, f"returned {type(answer).__name__}, expected a tensor."
    if answer.shape != (SIDE, SIDE):
        return None, f"returned shape {tuple(answer.shape)}, expected {(SIDE, SIDE)}."
    answer = answer.detach().cpu()
    if not answer.is_floating_point() or not bool(torch.isfinite(answer).all()):
        return None, "gives values that are no finite numbers."
    return answer.float(), ""


def _own(
    own: FillFunction, kind: str, place: int, copy: int, rows: tuple[str, ...],
    found: Sequence[Mapping[str, Any]],
) -> tuple[Tensor | None, dict[str, Any]]:  # fmt: skip
    """The reader's picture, where there is one, and a verdict on it."""

    def say(text: str, *, agrees: bool = False) -> dict[str, Any]:
        return {"agrees": agrees, "text": f"Your fill {text}"}

    filled, trouble = _answer(own, kind, place, copy, rows)
    if filled is None:
        return None, say(trouble)
    seen, hidden = _visible(kind, place, copy, rows), as_mask(rows)[0, 0]
    changed = ((filled - seen).abs() * ~hidden).amax().item()
    if changed > 1e-4:
        text = f"changes what is visible, by up to {number(changed)}: "
        return filled, say(text + "keep the image where the mask is False.")
    if bool((filled[hidden] == 0).all()):
        return filled, say("leaves the hole as it came, zero: the mask is True where it is hidden.")
    image = healing.pictures(kind)[0][place, copy, 0]
    error = masked_mse(filled, image, hidden).item()
    worse = [row["name"] for row in found if row["error"] > error]
    text = f"keeps what is visible and errs by {number(error)} in the hole, "
    if not worse:
        return filled, say(text + "more than all five others.", agrees=True)
    least = min(found, key=lambda row: row["error"])
    rank = "less than all five others" if len(worse) == len(found) else (
        f"less than {', '.join(worse)}; the best has {number(least['error'])}"
    )  # fmt: skip
    return filled, say(f"{text}{rank}.", agrees=True)


def _account(data: Mapping[str, Any]) -> str:
    rows, settings, n = data["fills"], data["settings"], data["n_hidden"]
    if not n:
        return "Nothing is hidden. Rub out a part, or choose one of the holes above."
    what = settings["picture"].replace("digit ", "")
    things = "digits" if settings["kind"] == "digit" else "garments"
    return (
        f"{n} of 784 pixels are hidden. The mean squared error on them is least with "
        f"{_said(rows, data['best'], 'error')} for this {what}, and over {N_OTHERS} other "
        f"{things} with the same hole with {_said(rows, data['best_of_others'], 'others')}."
    )


def _said(rows: Sequence[Mapping[str, Any]], place: int, score: str) -> str:
    """The row at `place` with its score, and beside it what the mean digit has."""
    name, mean = rows[place]["name"], next(row for row in rows if row["key"] == "mean")
    if rows[place] is mean:
        return f"the mean digit ({number(mean[score])})"
    name = f"the {name}" if "autoencoder" in name else name
    return f"{name} ({number(rows[place][score])}; the mean digit has {number(mean[score])})"


def _plain(values: Tensor) -> Any:
    return (values.double() * 1e2).round().div(1e2).add(0.0).tolist()  # + 0.0: no negative zero


def _short(value: float) -> float:
    return float(f"{value:.3g}")


# ---- the stored picture -------------------------------------------------------------------------


def _describe_healing(data: dict[str, Any]) -> str:
    rows, settings = data["fills"], data["settings"]
    return (
        f"A handwritten {settings['picture'].replace('digit ', '')}, of which "
        f"{data['n_hidden']} pixels of 784 are hidden in square tiles, and what "
        f"{', '.join(row['name'] for row in rows[:-1])} and {rows[-1]['name']} fill in. The "
        f"{rows[data['best']]['name']} errs least on the hidden pixels."
    )


def _draw_healing(data: dict[str, Any]) -> Figure:
    from companion import plotting

    rows, hidden = data["fills"], as_mask(tuple(OPENING["mask"]))[0, 0]
    figure, axes = plotting.panels(
        1, len(rows) + 1, size=(1.6, 2.05),
        titles=["hidden: grey"] + [f"{row['name']}\n{number(row['error'])}" for row in rows],
    )  # fmt: skip
    pictures = [torch.tensor(data["image"]).masked_fill(hidden, 0.25)]
    pictures += [torch.tensor(row["pixels"]) for row in rows]
    for i, (ax, picture) in enumerate(zip(axes, pictures, strict=True)):
        ax.imshow(picture.numpy(), vmin=0, vmax=1, interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_visible(True)
            spine.set_color(plotting.COLORS[1] if i == data["best"] + 1 else "0.7")
            spine.set_linewidth(2 if i == data["best"] + 1 else 0.8)
    return figure
