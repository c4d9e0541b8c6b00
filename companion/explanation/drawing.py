"""Trees drawn as SVG text: the same tree gives the same bytes on every machine."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from torch import Tensor

from companion.explanation.rules import names, share
from companion.explanation.tree import Tree, check_whole

LEVEL, LEAF_HEIGHT, MARGIN, LINE = 92, 66, 12, 14  # pixels
MAX_BYTES = 60_000


@dataclass(frozen=True)
class SVG:
    """A drawing as text that a notebook shows; `alt` says in words what it shows."""

    text: str
    alt: str

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        words = {"image/svg+xml": {"alt": self.alt}}
        return {"image/svg+xml": self.text, "text/plain": self.alt}, words

    def __repr__(self) -> str:
        return self.alt


def draw_tree(
    tree: Tree,
    *,
    alt: str,
    feature_names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    max_depth: int = 4,
    highlight: Tensor | None = None,
    width: int = 900,
) -> SVG:
    """The top `max_depth` levels of a tree: questions, and what each leaf says how surely.

    The left branch is "yes".  The bar in a leaf is the share of its examples that have its class,
    with the numbers below it (in whole percent, rounded down, where more than a dozen leaves stand
    in a row); classes are told by their names, never by colour.  The path of the example
    `highlight` (without batch dimension) is drawn thick.  What lies deeper is counted.

    Raises:
        ValueError: alt text of fewer than three words, names that do not fit, or a drawing of more
            than 60 kB.
    """
    alt = " ".join(alt.split())
    if len(alt.split()) < 3:
        raise ValueError(f"alt text says in a sentence what the tree shows; got {alt!r}")
    check_whole("max_depth", max_depth, 0)
    features, classes = names(tree, feature_names, class_names)
    top = tree.cut(max_depth=max_depth)
    path = set(top.path(highlight)) if highlight is not None else set()
    places = _places(top)
    width = max(width, 2 * MARGIN + 50 * top.n_leaves)
    column = (width - 2 * MARGIN) / top.n_leaves
    x = [MARGIN + column * (place + 0.5) for place in places]
    y = [MARGIN + LEVEL * int(depth) for depth in top.depths]
    height = 2 * MARGIN + LEVEL * top.depth + LEAF_HEIGHT
    hidden = _hidden_leaves(tree, top, max_depth)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" style="max-width:100%;height:auto" role="img" '
        f'aria-label="{escape(alt)}" font-family="DejaVu Sans, Verdana, sans-serif" '
        'font-size="12" text-anchor="middle">',
        f"<title>{escape(alt)}</title>",
        f"<desc>{escape(_outline(tree))}</desc>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    splits = [node for node in range(top.n_nodes) if top.feature[node] >= 0]
    for node in sorted(splits, key=lambda node: node in path):  # thick lines over thin ones
        for child, said in ((int(top.left[node]), "yes"), (int(top.right[node]), "no")):
            thick = node in path and child in path
            parts += _branch(x[node], y[node] + _height(), x[child], y[child], said, thick)
    for node in range(top.n_nodes):
        thick = node in path
        if top.feature[node] >= 0:
            name, at = features[int(top.feature[node])], top.threshold[node].item()
            room = 2 * column if top.depths[node] >= 3 else 190
            parts += _question(x[node], y[node], name, f"≤ {at:.4g} ?", max(room, 92), thick)
        else:
            said = classes[int(top.labels[node])]
            parts += _leaf(top, node, x[node], y[node], said, column - 4, thick, hidden[node])
    text = "\n".join([*parts, "</svg>"]) + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(
            f"the drawing takes {len(text.encode()):,} bytes, more than {MAX_BYTES:,}: nobody "
            f"reads {top.n_leaves} leaves, so lower max_depth"
        )
    return SVG(text, alt)


def _places(tree: Tree) -> list[float]:
    """Leaves at 0, 1, 2, ... from left to right, a split half-way between its children."""
    places, n_placed = [0.0] * tree.n_nodes, 0
    waiting = [0]
    while waiting:  # leaves, left to right
        node = waiting.pop()
        if tree.feature[node] < 0:
            places[node], n_placed = float(n_placed), n_placed + 1
        else:
            waiting += [int(tree.right[node]), int(tree.left[node])]
    for node in reversed(tree._downwards()):
        if tree.feature[node] >= 0:
            places[node] = (places[int(tree.left[node])] + places[int(tree.right[node])]) / 2
    return places


def _hidden_leaves(tree: Tree, top: Tree, max_depth: int) -> list[int]:
    """For each leaf of `top` how many leaves of `tree` lie below it; 0 where it is one itself."""
    below = [1] * tree.n_nodes
    order = tree._downwards()
    for node in reversed(order):
        if tree.feature[node] >= 0:
            below[node] = below[int(tree.left[node])] + below[int(tree.right[node])]
    kept = sorted(node for node in order if tree.depths[node] <= max_depth)
    return [0 if below[node] == 1 else below[node] for node in kept]


def _outline(tree: Tree) -> str:
    return f"Decision tree of depth {tree.depth} with {tree.n_leaves} leaves; yes goes left."


def _height() -> int:
    return 2 * LINE + 10  # of a question


def _text(x: float, y: float, words: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{style}>{escape(words)}</text>'


def _box(x: float, y: float, width: float, height: float, fill: str, thick: bool) -> str:
    return (
        f'<rect x="{x - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="4" fill="{fill}" stroke="#222" stroke-width="{3 if thick else 1}"/>'
    )


def _branch(x1: float, y1: float, x2: float, y2: float, said: str, thick: bool) -> list[str]:
    style = 'stroke="#000" stroke-width="4"' if thick else 'stroke="#666" stroke-width="1.2"'
    anchor, side = ("end", -6) if said == "yes" else ("start", 6)  # on the outer, upper side
    line = f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'
    how = f' text-anchor="{anchor}" font-size="11" fill="#222"'
    return [line, _text((x1 + x2) / 2 + side, (y1 + y2) / 2 - 4, said, how)]


def _question(x: float, y: float, name: str, limit: str, room: float, thick: bool) -> list[str]:
    letter = 8.4 if thick else 7.0  # pixels; bold is wider
    letters = int((room - 10) / letter)
    first = textwrap.shorten(name, letters, placeholder="…") if len(name) > letters else name
    first = first if len(first) > 1 else name[: letters - 1] + "…"
    width = max(letter * max(len(first), len(limit)) + 12, 60)
    bold = ' font-weight="bold"' if thick else ""
    whole = f"<g><title>{escape(name)}</title>"
    return [
        whole, _box(x, y, width, _height(), "#fff", thick), _text(x, y + LINE + 2, first, bold),
        _text(x, y + 2 * LINE + 3, limit, bold), "</g>",
    ]  # fmt: skip


def _leaf(
    tree: Tree, node: int, x: float, y: float, said: str, room: float, thick: bool, hidden: int
) -> list[str]:
    n, right = int(tree.counts[node].sum()), int(tree.counts[node][tree.labels[node]])
    width = min(room, 96)
    size = min(13.0, max(8.0, (width - 4) / (0.66 * max(len(said), 1))))
    bar = width - 12
    full = bar * right / n if n else 0.0
    counted = f"{right:,}/{n:,}" if width > 70 else f"{100 * right // max(n, 1)} %"
    parts = [
        f"<g><title>{escape(f'{said}: {share(tree, node)}')}</title>",
        _box(x, y, width, LEAF_HEIGHT - 16, "#eee", thick),
        _text(x, y + 16, said, f' font-weight="bold" font-size="{size:.1f}"'),
        f'<rect x="{x - bar / 2:.1f}" y="{y + 22:.1f}" width="{bar:.1f}" height="7" fill="#fff" '
        'stroke="#444" stroke-width="0.8"/>',
        f'<rect x="{x - bar / 2:.1f}" y="{y + 22:.1f}" width="{full:.1f}" height="7" fill="#444"/>',
        _text(x, y + 43, counted, ' font-size="10"'),
    ]
    if hidden:
        parts.append(_text(x, y + LEAF_HEIGHT - 3, f"+{hidden} leaves", ' font-size="9"'))
    return [*parts, "</g>"]
