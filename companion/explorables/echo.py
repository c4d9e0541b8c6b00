"""The smallest explorable, a slider and its number: what a round trip costs on this machine.

`make browser` measures it beside the others, so that a slow machine is not mistaken for a slow
explorable.
"""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from companion.explorables.view import Explorable, front_end


class _Echo(Explorable):
    _esm = front_end("echo")


def compute_echo(*, value: int) -> dict[str, Any]:
    """The number that came.

    Raises:
        ValueError: not an integer in 0 ... 100.
    """
    if not isinstance(value, int) or not 0 <= value <= 100:
        raise ValueError(f"value must be an integer in 0 ... 100, got {value!r}")
    return {"value": value}


def echo() -> Explorable:
    """A slider whose value goes to Python and comes back as a number."""
    return _Echo(
        compute_echo,
        state={"value": 20},
        setup={"question": "How long does a number take to Python and back?"},
        picture=_picture,
        describe=lambda data: f"A slider that stands at {data['value']}, and the same number.",
    )


def _picture(data: dict[str, Any]) -> Figure:
    from companion import plotting

    figure, ax = plotting.panels(size=(3.5, 0.8))
    ax.barh([0], [data["value"]], color=plotting.COLORS[0])
    ax.set_xlim(0, 100)
    ax.set_yticks([])
    ax.set_title(str(data["value"]))
    return figure
