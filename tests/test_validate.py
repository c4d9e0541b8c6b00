"""The chapters run as stored: `make validate` passes, without network and within their budgets."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from calibration import check_budget
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools import notebooks

ROOT, COURSE = notebooks.ROOT, notebooks.COURSE
CHAPTERS = notebooks.chapters()
TIMEOUT = 1500  # seconds
NO_NETWORK = ("unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


@dataclass(frozen=True)
class Validation:
    """What one run of `make validate` printed, and CPU seconds per notebook and cell."""

    returncode: int
    printed: str
    has_network: bool
    seconds: dict[str, dict[str, float]]


@pytest.fixture(scope="session")
def validation(tmp_path_factory: pytest.TempPathFactory) -> Validation:
    """One run of `make validate` for all tests here, in a namespace without network if allowed."""
    times = tmp_path_factory.mktemp("validate") / "seconds.json"
    environment = clean_environment() | {"COMPANION_CELL_SECONDS": str(times)}
    command = ["make", "validate"]
    if sys.prefix != sys.base_prefix:  # the environment that runs the tests, installed or not
        command += [f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.stamp-all"]
    else:
        command += ["VENV="]
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    has_network = not can_unshare()
    if has_network:
        warnings.warn("user namespaces are not allowed here: validated with network", stacklevel=1)
    else:
        command = [*NO_NETWORK, *command]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
    )
    seconds = json.loads(times.read_text()) if times.exists() else {}
    return Validation(done.returncode, done.stdout, has_network, seconds)


def can_unshare() -> bool:
    """Whether this machine lets us make a namespace of our own with nothing but loopback."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*NO_NETWORK, "true"], capture_output=True).returncode == 0


def clean_environment(**more: str) -> dict[str, str]:
    """This process's variables without those of a `make` or a `pytest` around it."""
    unwanted = ("MAKE", "MFLAGS", "PYTEST_", "COV_", "COMPANION_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return kept | more


def nbval(folder: Path, *notebooks_: Path, **environment: str) -> tuple[dict[str, set[int]], str]:
    """Runs strict validation as an instructor types it, in `folder`'s parent.

    Returns the code cells that failed, per notebook, and what was printed.
    """
    report = folder.parent / "report.xml"
    targets: Sequence[str] = [str(path) for path in notebooks_] or [f"{folder.name}/"]
    command = [sys.executable, "-m", "pytest", "--nbval", *targets, "--nbval-sanitize-with"]
    command += [f"{folder.name}/nbval.cfg", "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run(
        command,
        cwd=folder.parent,
        env=clean_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode in (0, 1), done.stdout
    failed: dict[str, set[int]] = {}
    cases = list(ElementTree.parse(report).iter("testcase"))
    assert cases
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            stem = case.attrib["classname"].removesuffix(".ipynb").rpartition(".")[2]
            number = int(re.search(r"\d+", case.attrib["name"])[0])
            failed.setdefault(stem, set()).add(number)
    return failed, done.stdout


def copied_course(folder: Path, altered: dict[str, NotebookNode]) -> Path:
    """A folder `course` that holds the configuration and the given notebooks."""
    course = folder / "course"
    course.mkdir()
    for name in ("conftest.py", "nbval.cfg"):
        shutil.copy(COURSE / name, course)
    for stem, notebook in altered.items():
        (course / f"{stem}.ipynb").write_text(notebooks.serialize(notebook), encoding="utf-8")
    return course


def texts(cell: NotebookNode) -> list[tuple[NotebookNode, str]]:
    """Where a cell stores text that is compared: `(container, key)`."""
    found = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            found.append((output, "text"))
        elif "data" in output and isinstance(output.data.get("text/plain"), str):
            found.append((output.data, "text/plain"))
    return found


def alter_digit(cell: NotebookNode) -> bool:
    """Changes one stored digit that is not part of a measured number; False if there is none."""
    for container, key in texts(cell):
        text = container[key]
        for match in re.finditer(r"\d", text):
            digit = str((int(match[0]) + 1) % 10)
            other = text[: match.start()] + digit + text[match.end() :]
            if notebooks.sanitize(other) != notebooks.sanitize(text):
                container[key] = other
                return True
    return False


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def is_compared(cell: NotebookNode) -> bool:
    return not {"nbval-skip", "nbval-ignore-output"} & set(cell.metadata.get("tags", []))


# ---- the chapters ---------------------------------------------------------------------------


@pytest.mark.slow
def test_make_validate_passes(validation: Validation) -> None:
    assert validation.returncode == 0, validation.printed[-8000:]
    assert set(validation.seconds) == {path.stem for path in CHAPTERS}


@pytest.mark.slow
def test_validation_needs_no_network(validation: Validation) -> None:
    if validation.has_network:
        pytest.skip("not run: user namespaces are not allowed here")
    assert validation.returncode == 0, validation.printed[-8000:]


@pytest.mark.slow
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_keep_their_budget(path: Path, validation: Validation) -> None:
    assert path.stem in validation.seconds, "the chapter did not run"
    cells = validation.seconds[path.stem]
    print(f"{path.stem}: {sum(cells.values()):.1f} CPU seconds on one thread")
    check_budget(path.stem, sum(cells.values()), notebooks.CHAPTER_SECONDS)


@pytest.mark.slow
def test_one_altered_digit_fails_its_cell_alone(tmp_path: Path) -> None:
    """The first unmarked digit of a chapter, another one each time; the full run alters all."""
    first = {path.stem: first_digit_altered(path) for path in CHAPTERS}
    missing = [stem for stem, found in first.items() if found is None]
    assert missing == [], "these store no unmarked digit"
    stem = random.choice(sorted(first))
    notebook, number = first[stem]
    failed, printed = nbval(copied_course(tmp_path, {stem: notebook}))
    assert failed == {stem: {number}}, printed[-8000:]


def first_digit_altered(path: Path) -> tuple[NotebookNode, int] | None:
    """The chapter up to the cell in which a digit was altered, and the number of that cell."""
    notebook = nbformat.read(path, as_version=4)
    for number, cell in enumerate(code_cells(notebook)):
        if is_compared(cell) and alter_digit(cell):
            notebook.cells = notebook.cells[: notebook.cells.index(cell) + 1]
            return notebook, number
    return None


@pytest.mark.full
def test_every_cell_with_an_altered_digit_fails(tmp_path: Path) -> None:
    altered, expected = {}, {}
    for path in CHAPTERS:
        notebook = nbformat.read(path, as_version=4)
        cells = enumerate(code_cells(notebook))
        expected[path.stem] = {n for n, cell in cells if is_compared(cell) and alter_digit(cell)}
        altered[path.stem] = notebook
    failed, printed = nbval(copied_course(tmp_path, altered))
    assert failed == {stem: cells for stem, cells in expected.items() if cells}, printed[-8000:]


@pytest.mark.full
@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads_and_order_change_nothing(n_threads: int, tmp_path: Path) -> None:
    stored = {path.stem: nbformat.read(path, as_version=4) for path in CHAPTERS}
    course = copied_course(tmp_path, stored)
    order = [course / f"{stem}.ipynb" for stem in reversed(stored)]
    random.Random(n_threads).shuffle(order)
    failed, printed = nbval(course, *order, OMP_NUM_THREADS=str(n_threads))
    assert failed == {}, printed[-8000:]


# ---- the machinery, on a notebook of four cells ---------------------------------------------


def tiny(*pairs: tuple[str, str]) -> NotebookNode:
    """A notebook of `(code, stored stdout)`."""
    cells = []
    for source, printed in pairs:
        outputs = [new_output("stream", name="stdout", text=printed)] if printed else []
        cells.append(new_code_cell(source, outputs=outputs))
        cells[-1].execution_count = len(cells)
    return notebooks.normalize(new_notebook(cells=cells))


@pytest.mark.slow
def test_validation_as_typed_by_an_instructor(tmp_path: Path) -> None:
    """Silent predictions, this Python even if another kernel is named python3, marked numbers."""
    kernel = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": ["false"], "display_name": "x", "language": "python"}))
    setting = "import os\nprint(os.environ.get({!r}))"
    notebook = tiny(
        (f"import sys\nprint(sys.prefix == {sys.prefix!r})", "True\n"),
        (setting.format("COMPANION_PREDICTIONS"), "off\n"),
        (setting.format("COMPANION_LEDGER"), "None\n"),
        ('print("accuracy: 0.93 [measured]")', "accuracy: 0.91 [measured]\n"),
        ('print("bits: 13288")', "bits: 13289\n"),
        ("import sys\nprint(1, file=sys.stderr)", ""),
    )
    course = copied_course(tmp_path, {"90_tiny": notebook})
    failed, printed = nbval(
        course, JUPYTER_DATA_DIR=str(tmp_path / "jupyter"), COMPANION_PREDICTIONS="on"
    )
    assert failed == {"90_tiny": {4, 5}}, printed
    assert "CPU seconds per notebook" in printed


def test_a_marked_number_is_not_altered() -> None:
    marked = tiny(("f()", "loss: 0.5 [measured]\n")).cells[0]
    assert not alter_digit(marked)
    unmarked = tiny(("f()", "epoch 9, loss: 0.5 [measured]\n")).cells[0]
    assert alter_digit(unmarked)
    assert unmarked.outputs[0].text == "epoch 0, loss: 0.5 [measured]\n"
