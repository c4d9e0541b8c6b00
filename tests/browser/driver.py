"""Drives a real JupyterLab in headless Chromium: starts both, runs cells, moves explorables."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "browser"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
LOCAL = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "about:", "chrome")


class BrowserMissing(RuntimeError):
    """There is no Chromium to drive."""


def find_chromium() -> str:
    """The browser's executable; `COMPANION_CHROMIUM` names another one."""
    for name in (os.environ.get("COMPANION_CHROMIUM"), *BROWSERS):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise BrowserMissing(
        f"no browser to drive: none of {', '.join(BROWSERS)} is installed. On Debian or Ubuntu "
        "type `apt-get install chromium`; elsewhere set COMPANION_CHROMIUM to its executable"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def jupyter_lab(folder: Path, settings: Path) -> Iterator[str]:
    """JupyterLab on `folder` with its own empty settings; yields its address."""
    notifications = settings / "lab" / "@jupyterlab" / "apputils-extension"
    notifications.mkdir(parents=True)
    (notifications / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    environment = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(settings / "lab"),
        "JUPYTER_CONFIG_DIR": str(settings / "config"),
        "JUPYTER_RUNTIME_DIR": str(settings / "runtime"),
        "IPYTHONDIR": str(settings / "ipython"),
        "COMPANION_PREDICTIONS_FILE": str(settings / "predictions.json"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    port = free_port()
    command = [
        sys.executable, "-m", "jupyter", "lab", "--no-browser", f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", "--ServerApp.password=",
        f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    address = f"http://127.0.0.1:{port}"
    with (settings / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(address, server, settings / "server.log")
            yield address
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for(address: str, server: subprocess.Popen, log: Path, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab stopped with {server.returncode}:\n{log.read_text()}")
        try:
            urllib.request.urlopen(f"{address}/api", timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not answer within {seconds} s:\n{log.read_text()}")


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, path)


def write_store(folder: Path) -> None:
    """A made-up `precomputed/02/prequential.json`, so that the short walk depends on no result."""
    ends = [32, 64, 125, 250, 500, 1000, 2000, 4000]
    starts = [0, *ends[:-1]]
    speed = {"logistic": 0.05, "MLP": 0.12, "CNN": 0.25, "CNN+BN": 0.4, "GRU": 0.3}

    def bits(power: float) -> list[list[float]]:
        per_label = [3.3219 if s == 0 else 3.3219 * (s / 32) ** -power for s in starts]
        sizes = [end - start for start, end in zip(starts, ends, strict=True)]
        return [
            [round(n * b * (1 + 0.01 * seed), 1) for n, b in zip(sizes, per_label, strict=True)]
            for seed in range(3)
        ]

    curves = {}
    for model, power in speed.items():
        curves[f"{model}|recorded|true"] = {"block_bits": bits(power)}
        curves[f"{model}|shuffled|true"] = {"block_bits": bits(min(power, 0.12))}
        if model != "GRU":
            curves[f"{model}|recorded|random"] = {"block_bits": bits(0.0)}
    text = json.dumps({"seeds": [0, 1, 2], "ends": ends, "uniform": 13287.7, "curves": curves})
    store = folder / "precomputed" / "02"
    store.mkdir(parents=True)
    (store / "prequential.json").write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (store / "manifest.json").write_text(json.dumps({"prequential": {"sha256": digest}}))


class Reader:
    """Somebody at the keyboard: one page of JupyterLab with one notebook open."""

    def __init__(self, browser: Any, address: str, notebook: str, *, theme: str = "light") -> None:
        self.page = browser.new_page(viewport={"width": 1280, "height": 1000})
        self.errors: list[str] = []
        self.strangers: list[str] = []  # requests that left this machine
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on(
            "request",
            lambda r: None if r.url.startswith(LOCAL) else self.strangers.append(r.url),
        )
        self.page.goto(f"{address}/lab/tree/{notebook}?reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session"
            "?.kernel?.status === 'idle'",
            timeout=90_000,
        )
        self.use_theme(theme)

    def use_theme(self, theme: str) -> None:
        name = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[theme]
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})",
            name,
        )
        self.page.wait_for_function(
            "isLight => document.body.dataset.jpThemeLight === isLight",
            arg=str(theme == "light").lower(),
        )

    def hide_side_bar(self) -> None:
        self.page.evaluate(
            "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
        )

    def run_cell(self, index: int) -> None:
        """Selects a cell and runs it; returns when the kernel has finished."""
        self.page.evaluate(
            """async index => {
                const content = window.jupyterapp.shell.currentWidget.content;
                content.activeCellIndex = index;
                await content.scrollToItem(index);
                window.started = performance.now();
                await window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            index,
        )

    def run_all(self, seconds: float = 600) -> None:
        self.page.set_default_timeout(seconds * 1000)
        self.page.evaluate(
            "() => { window.ranAll = false; window.jupyterapp.commands"
            ".execute('notebook:run-all-cells').then(() => { window.ranAll = true; }); }"
        )
        self.page.wait_for_function("() => window.ranAll", timeout=seconds * 1000)
        self.page.set_default_timeout(30_000)

    def failed_cells(self) -> list[str]:
        """`ename: evalue` of each cell that ended in an error."""
        return self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
                .filter(cell => cell.model.type === 'code')
                .flatMap(cell => cell.model.outputs.toJSON())
                .filter(output => output.output_type === 'error')
                .map(output => `${output.ename}: ${output.evalue}`)"""
        )

    def show_cell(self, index: int) -> None:
        self.page.evaluate(
            """async index => {
                const content = window.jupyterapp.shell.currentWidget.content;
                content.activeCellIndex = index;
                await content.scrollToItem(index);
            }""",
            index,
        )

    def explorable_cells(self) -> list[int]:
        """Indices of the cells whose output is an explorable."""
        return self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
                .map((cell, index) => [cell, index])
                .filter(([cell]) => cell.model.type === 'code'
                    && cell.model.outputs.toJSON().some(output => output.data
                        && 'application/vnd.jupyter.widget-view+json' in output.data
                        && 'image/png' in output.data))
                .map(([, index]) => index)"""
        )

    def explorable(self, cell: int) -> Explorable:
        self.show_cell(cell)
        root = self.page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .ce-root")
        root.wait_for(timeout=30_000)
        return Explorable(self, root)

    def picture(self, name: str, root: Any = None) -> Path:
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}.png"
        size = self.page.viewport_size
        self.page.set_viewport_size({"width": size["width"], "height": 1600})
        (root or self.page).screenshot(path=path)
        self.page.set_viewport_size(size)
        return path


class Explorable:
    """One explorable in the page, and the times that it stamped."""

    def __init__(self, reader: Reader, root: Any) -> None:
        self.reader, self.page, self.root = reader, reader.page, root
        self._until("root => root.dataset.firstPaint !== undefined")
        self.name = root.get_attribute("class").split("ce-")[-1].split()[0]

    def _until(self, condition: str, seconds: float = 20) -> None:
        handle = self.root.element_handle()
        self.page.wait_for_function(condition, arg=handle, timeout=seconds * 1000)

    def settle(self) -> None:
        """Waits until Python has answered and the picture is painted and stamped."""
        self._until("root => root.dataset.busy === 'false'")
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 5)))"
        )

    @property
    def latencies(self) -> list[float]:
        """Milliseconds from each input event to its painted picture."""
        return json.loads(self.root.get_attribute("data-latencies"))

    @property
    def first_paint(self) -> float:
        """Milliseconds from the view's creation to its first picture."""
        return float(self.root.get_attribute("data-first-paint"))

    @property
    def error(self) -> str:
        """The one-line message of a setting that could not be computed, or nothing."""
        classes = self.root.get_attribute("class").split()
        message = self.root.locator(".ce-message")
        return message.inner_text() if "ce-failed" in classes else ""

    def must_answer(self, what: str, action: Callable[[], None]) -> None:
        """Does something that has to change the state, and waits for the picture."""
        before = len(self.latencies)
        action()
        try:
            self._until(f"root => JSON.parse(root.dataset.latencies).length > {before}", 10)
        except Exception as error:
            raise AssertionError(f"{self.name}: nothing happened after {what}") from error
        self.settle()
        assert not self.error, f"{self.name}: {what} led to the message {self.error!r}"

    def move_everything(self) -> dict[str, int]:
        """Moves every control by mouse and by keyboard; returns how many of each kind."""
        counts = {
            "presets": self._presets(),
            "sliders": self._sliders(),
            "menus": self._menus(),
            "numbers": self._numbers(),
            "folds": self._folds(),
            "pictures": self._pictures(),
            "knobs": self._knobs(),
        }
        self._presets()
        return counts

    def _each(self, selector: str) -> Iterator[tuple[str, Any]]:
        for i in range(self.root.locator(selector).count()):
            control = self.root.locator(selector).nth(i)
            if not control.is_visible() or control.is_disabled():
                continue
            control.scroll_into_view_if_needed()
            yield control.get_attribute("data-key") or control.inner_text() or selector, control

    def _presets(self) -> int:
        count = 0
        for name, button in self._each("button.ce-preset"):
            self.must_answer(f"a click on preset {name!r}", button.click)
            button.focus()
            self.must_answer(f"Enter on preset {name!r}", lambda: self.page.keyboard.press("Enter"))
            assert button.get_attribute("aria-pressed") == "true", f"preset {name!r} is not marked"
            count += 1
        return count

    def _sliders(self) -> int:
        count = 0
        for name, slider in self._each("input[type=range]"):
            box = slider.bounding_box()
            y = box["y"] + box["height"] / 2
            places = [box["x"] + share * box["width"] for share in (0.05, 0.95)]

            def click(x: float, y: float = y) -> None:
                self.page.mouse.click(x, y)

            for x in (*places, places[0]):
                if x != places[0] or slider.input_value() != slider.get_attribute("min"):
                    self.must_answer(f"a click on slider {name!r}", lambda x=x: click(x))

            def drag(y: float = y, places: list[float] = places) -> None:
                self.page.mouse.move(places[0], y)
                self.page.mouse.down()
                self.page.mouse.move(places[1], y, steps=12)
                self.page.mouse.up()

            self.must_answer(f"dragging slider {name!r}", drag)
            assert slider.input_value() == slider.get_attribute("max"), f"{name!r} was not dragged"
            slider.focus()
            for key in ("Home", "ArrowRight", "End", "ArrowLeft"):
                self.must_answer(
                    f"{key} on slider {name!r}", lambda key=key: self.page.keyboard.press(key)
                )
            count += 1
        return count

    def _menus(self) -> int:
        count = 0
        for name, menu in self._each("select"):
            values = menu.evaluate(
                "menu => [...menu.options].filter(o => !o.disabled).map(o => o.value)"
            )
            opening = menu.input_value()
            others = [value for value in values if value != opening]
            for value in [*others[:3], opening] if others else []:
                self.must_answer(
                    f"{value!r} in menu {name!r}", lambda m=menu, v=value: m.select_option(v)
                )
            if others:
                menu.focus()
                is_last = values.index(opening) == len(values) - 1
                keys = ("ArrowUp", "ArrowDown") if is_last else ("ArrowDown", "ArrowUp")
                for key in keys:
                    self.must_answer(
                        f"{key} on menu {name!r}", lambda k=key: self.page.keyboard.press(k)
                    )
            count += 1
        return count

    def _numbers(self) -> int:
        count = 0
        for name, cell in self._each("input[type=number]"):
            label = cell.get_attribute("aria-label") or name
            self.must_answer(f"typing into {label!r}", lambda c=cell: c.fill("0.5"))
            cell.focus()
            self.must_answer(f"ArrowUp on {label!r}", lambda: self.page.keyboard.press("ArrowUp"))
            count += 1
        return count

    def _folds(self) -> int:
        count = 0
        for name, fold in self._each("summary"):
            self.must_answer(f"a click on {name!r}", fold.click)
            fold.focus()
            self.must_answer(f"Enter on {name!r}", lambda: self.page.keyboard.press("Enter"))
            count += 1
        return count

    def _pictures(self) -> int:
        count = 0
        for _, canvas in self._each("canvas[tabindex]"):
            label = canvas.get_attribute("aria-label")
            box = canvas.bounding_box()

            def at(share: float, box: dict[str, float] = box) -> tuple[float, float]:
                return box["x"] + share * box["width"], box["y"] + share * box["height"]

            def stroke(at: Callable[[float], tuple[float, float]] = at) -> None:
                self.page.mouse.move(*at(0.3))
                self.page.mouse.down()
                self.page.mouse.move(*at(0.7), steps=10)
                self.page.mouse.up()

            self.must_answer(f"the mouse on {label!r}", stroke)
            canvas.focus()

            def keys() -> None:
                for key in ("ArrowUp", "ArrowLeft", "Space"):
                    self.page.keyboard.press(key)

            self.must_answer(f"the keyboard on {label!r}", keys)
            count += 1
        return count

    def _knobs(self) -> int:
        """Numbers on a drawing that are dragged up and down: SVG elements with a slider's role."""
        count = 0
        for _, knob in self._each("svg [role=slider]"):
            label = knob.get_attribute("aria-label")
            box = knob.bounding_box()
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            before = float(knob.get_attribute("aria-valuenow"))

            def drag(x: float = x, y: float = y) -> None:
                self.page.mouse.move(x, y)
                self.page.mouse.down()
                self.page.mouse.move(x, y - 40, steps=8)
                self.page.mouse.up()

            self.must_answer(f"dragging {label!r}", drag)
            assert float(knob.get_attribute("aria-valuenow")) > before, f"{label!r} did not follow"
            knob.focus()
            for key in ("ArrowDown", "Home", "ArrowRight"):
                self.must_answer(
                    f"{key} on {label!r}", lambda key=key: self.page.keyboard.press(key)
                )
            count += 1
        return count


def p95(milliseconds: Sequence[float]) -> float:
    return quantiles(milliseconds, n=20, method="inclusive")[-1]


def echo_p95(reader: Reader, cell: int) -> float:
    """The same round trip with nothing to compute or to draw."""
    echo = reader.explorable(cell)
    echo.root.locator("input[type=range]").focus()
    for key in ("ArrowRight", "ArrowLeft") * 20:
        echo.must_answer(f"{key} on the echo", lambda key=key: reader.page.keyboard.press(key))
    return p95(echo.latencies)


@contextmanager
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    executable = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()
