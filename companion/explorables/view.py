"""What all explorables share: state comes from the page, `compute` answers, the page draws."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from matplotlib.figure import Figure

Compute = Callable[..., dict[str, Any]]

_FOLDER = Path(__file__).parent


def front_end(name: str) -> str:
    """The ES module of one explorable: the shared part, then its own file `NAME.js`."""
    parts = [(_FOLDER / file).read_text(encoding="utf-8") for file in ("view.js", f"{name}.js")]
    return "\n".join(parts)


def style_sheet() -> str:
    """The style sheet of all explorables; it takes its colours from JupyterLab's theme."""
    return (_FOLDER / "view.css").read_text(encoding="utf-8")


class Explorable(anywidget.AnyWidget):
    """A view on a pure function: `data = compute(**state)`, computed anew when `state` changes.

    `setup` holds what never changes (menus, presets, the question).  Displayed live it is the
    widget; its mime bundle also carries a PNG of the opening state with alt text, which is what a
    stored notebook keeps.
    """

    _css = style_sheet()

    setup = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        compute: Compute,
        *,
        state: Mapping[str, Any],
        setup: Mapping[str, Any],
        picture: Callable[[dict[str, Any]], Figure],
        describe: Callable[[dict[str, Any]], str],
    ) -> None:
        self._compute, self._picture, self._describe = compute, picture, describe
        self._opening = compute(**state)
        super().__init__(setup=dict(setup), state=dict(state), data=self._opening)
        self.observe(self._on_state, names="state")

    def respond(self, state: Mapping[str, Any], request: Any = None) -> dict[str, Any]:
        """The data for a state that the page sent, or `{"error": one line}`.

        `request` is something the page asked for once, beyond the state; here nothing uses it.
        """
        try:
            return self._compute(**state)
        except Exception as error:  # shown in the widget, which must stay usable
            return {"error": one_line(error)}

    def _on_state(self, change: Mapping[str, Any]) -> None:
        # `turn` numbers the page's requests, so that it can tell which one an answer belongs to.
        state = dict(change["new"])
        turn, request = state.pop("turn", None), state.pop("request", None)
        self.data = {**self.respond(state, request), "turn": turn}

    @cached_property
    def _still(self) -> tuple[dict[str, Any], dict[str, Any]]:
        from companion import plotting

        alt = self._describe(self._opening)
        return plotting.png_bundle(self._picture(self._opening), alt=alt)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle, metadata = self._still
        live = super()._repr_mimebundle_(**kwargs)
        widget_view = live[0] if isinstance(live, tuple) else live
        image = base64.b64encode(bundle["image/png"]).decode("ascii")
        return {**widget_view, **bundle, "image/png": image}, metadata


def preset(name: str, point: str, **state: Any) -> dict[str, Any]:
    """A named state and the one point it makes, in a sentence or two."""
    return {"name": name, "point": point, "state": state}


def one_line(error: BaseException) -> str:
    """`ValueError` by its message, anything else with its type in front; first line only."""
    lines = str(error).strip().splitlines()
    message = lines[0] if lines else "no message"
    return message if type(error) is ValueError else f"{type(error).__name__}: {message}"


def number(value: float) -> str:
    """Three significant digits, two of a small number, with a real minus sign: −0.123, 1.2e−5."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    size = abs(value)
    if not 1e-3 <= size < 1e4:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    rounded = float(f"{value:.{2 if size < 0.01 else 3}g}")
    return f"{rounded:g}".replace("-", "−")
