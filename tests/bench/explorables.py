"""From a control to its picture: the computation alone, and the whole way in JupyterLab."""

import importlib
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.bench import Entry, Row, Samples, Store

BAR = 150.0  # ms, what a reader still feels as immediate
N_ROUNDS = 20


def names_of(chapter: str) -> list[str]:
    """The explorables of a chapter."""
    module = importlib.import_module(f"companion.explorables.{chapter}")
    return [name for name in module.__all__ if not name.startswith("compute_")]


def answers(chapter: str) -> Callable[[], list[float]]:
    """Milliseconds of every answer of every explorable of a chapter, each preset in turn."""

    def measure() -> list[float]:
        module = importlib.import_module(f"companion.explorables.{chapter}")
        waits = []
        for name in names_of(chapter):
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


@dataclass(frozen=True, kw_only=True)
class ControlToPicture(Entry):
    """p95 of one explorable in headless Chromium, every control moved by mouse and keyboard.

    Beside it an echo widget in the same run; holds up to `bar`, or up to three times the echo.
    """

    explorable: str
    module: str

    def run(self, store: Store) -> Row:
        sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))
        try:
            import driver
        finally:
            sys.path.pop(0)
        cells = [
            f"from companion.explorables import {self.module} as explore\n"
            "from companion.explorables.echo import echo",
            "echo()",
            f"explore.{self.explorable}()",
        ]
        with tempfile.TemporaryDirectory() as folder:
            notebooks, settings = Path(folder, "notebooks"), Path(folder, "settings")
            notebooks.mkdir(), settings.mkdir()
            driver.write_notebook(notebooks / "bench.ipynb", cells)
            with driver.jupyter_lab(notebooks, settings) as address, driver.chromium() as browser:
                reader = driver.Reader(browser, address, "bench.ipynb")
                for cell in range(3):
                    reader.run_cell(cell)
                echo = driver.echo_p95(reader, 1)
                explorable = reader.explorable(2)
                explorable.move_everything()
                ours = driver.p95(explorable.latencies)
        judged = min(ours, BAR * ours / (3 * echo))
        return self.row(ours, judged=judged, peer=echo, peer_name="an echo", ratio=ours / echo)


CHAPTERS = {
    "01": "foundations",
    "02": "architecture",
    "03": "regularization",
    "04": "self_supervision",
    "05": "compression",
    "06": "explanation",
}
ENTRIES = [
    entry
    for chapter, module in CHAPTERS.items()
    for entry in (
        Samples(
            name=f"explorables-{chapter}",
            chapter=chapter,
            measure=answers(module),
            unit="ms",
            bar=BAR,
        ),
        *(
            ControlToPicture(
                name=f"picture-{chapter}-{name}",
                chapter=chapter,
                unit="ms",
                bar=BAR,
                explorable=name,
                module=module,
            )
            for name in names_of(module)
        ),
    )
]
