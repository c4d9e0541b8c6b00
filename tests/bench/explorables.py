"""How long an explorable computes before its picture can change, over all presets."""

import importlib
import time
from collections.abc import Callable

from tools.bench import Samples

BAR = 150.0  # ms, what a reader still feels as immediate
N_ROUNDS = 20


def answers(chapter: str) -> Callable[[], list[float]]:
    """Milliseconds of every answer of every explorable of a chapter, each preset in turn."""

    def measure() -> list[float]:
        module = importlib.import_module(f"companion.explorables.{chapter}")
        names = [name for name in module.__all__ if not name.startswith("compute_")]
        waits = []
        for name in names:
            widget = getattr(module, name)()
            opening = dict(widget.state)
            for _ in range(N_ROUNDS):
                for preset in widget.setup["presets"]:
                    start = time.perf_counter()
                    answer = widget.respond({**opening, **preset["state"]})
                    waits.append(1000 * (time.perf_counter() - start))
                    if "error" in answer:
                        raise RuntimeError(f"{name}, {preset['name']}: {answer['error']}")
        return waits

    return measure


ENTRIES = [
    Samples(
        name="explorables-02",
        chapter="02",
        measure=answers("architecture"),
        unit="ms",
        bar=BAR,
    )
]
