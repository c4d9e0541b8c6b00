"""Runs the chapters in place and stores their outputs: `python -m tools.notebooks [NAME ...]`.

Each chapter runs in a fresh kernel with the environment of validation (course/conftest.py), so
that `make validate` finds the same outputs.  What is stored holds no widget (a widget without its
state shows as an error; its picture stays), no timestamps and no machine names.  A cell that
measures time carries the tag `timing`: its stored outputs are kept while only measured numbers and
pictures in it differ.

`--check` runs the chapters and writes nothing; it exits with 1 where outputs would change.
"""

from __future__ import annotations

import argparse
import base64
import copy
import hashlib
import io
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from PIL import Image  # which comes with matplotlib

from tools.calibration import slowdown

ROOT = Path(__file__).resolve().parent.parent
COURSE = ROOT / "course"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
CELL_METADATA = ("companion", "nbgrader", "tags")
MAX_BYTES = 1_500_000
LARGE_PICTURE = 27_000  # characters of base64, 20 kB
CHAPTER_SECONDS = 60
CELL_TIMEOUT = 600  # seconds of waiting for one cell
TIMING_TAG = "timing"


class ChapterError(Exception):
    """A chapter that did not run cleanly, or whose outputs cannot be stored."""


@dataclass
class Run:
    """An executed and normalized notebook, with CPU seconds of each of its code cells."""

    notebook: NotebookNode
    cell_seconds: dict[int, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return sum(self.cell_seconds.values())


def environment(*, writes_ledger: bool = False) -> dict[str, str]:
    """The variables a chapter's kernel sees: this process's own with those of validation."""
    saved = dict(os.environ)
    try:
        wanted = runpy.run_path(str(COURSE / "conftest.py"))["ENVIRONMENT"]
    finally:
        os.environ.clear()
        os.environ.update(saved)
    variables = {name: value for name, value in saved.items() if name not in wanted}
    variables |= {name: value for name, value in wanted.items() if value is not None}
    if writes_ledger:
        variables["COMPANION_LEDGER"] = "write"
    return variables


def execute(
    notebook: NotebookNode,
    folder: Path,
    *,
    writes_ledger: bool = False,
    timeout: int = CELL_TIMEOUT,
) -> Run:
    """Runs a copy of `notebook` in `folder` in a fresh kernel of this Python and normalizes it.

    Raises:
        ChapterError: a cell raised, wrote to stderr, or showed a widget without a picture.
    """
    import psutil
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    run, used = Run(notebook), 0.0

    def count(cell: NotebookNode, cell_index: int, **_: Any) -> None:
        nonlocal used
        process = psutil.Process(client.km.provisioner.pid)
        times = process.cpu_times()
        total = times.user + times.system + times.children_user + times.children_system
        run.cell_seconds[cell_index], used = total - used, total

    client = NotebookClient(
        notebook,
        km=_kernel_manager(),
        timeout=timeout,
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        record_timing=False,
        on_cell_executed=count,
    )
    try:
        client.execute(
            env=environment(writes_ledger=writes_ledger),
            # ipykernel writes a note about its transport here; Python's stderr is not this one
            stderr=subprocess.DEVNULL,
            cleanup_kc=True,
        )
    except CellExecutionError as error:
        raise ChapterError(_strip_colors(str(error))) from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise ChapterError(f"{type(error).__name__}: {error}") from error
    run.notebook = normalize(notebook)
    check_outputs(run.notebook)
    shrink_pictures(run.notebook)
    return run


def normalize(notebook: NotebookNode) -> NotebookNode:
    """A copy in the one form in which notebooks are stored; normalizing twice changes nothing."""
    clean = copy.deepcopy(notebook)
    clean.nbformat, clean.nbformat_minor = 4, 5
    extra = {"companion": clean.metadata["companion"]} if "companion" in clean.metadata else {}
    clean.metadata = nbformat.from_dict(
        {"kernelspec": dict(KERNELSPEC), "language_info": {"name": "python"}, **extra}
    )
    seen: set[str] = set()
    n_run = 0
    for cell in clean.cells:
        cell.metadata = nbformat.from_dict(
            {
                name: cell.metadata[name]
                for name in CELL_METADATA
                if cell.metadata.get(name) not in (None, [], {})
            }
        )
        cell.id = _unique_id(cell, seen)
        cell.source = "\n".join(line.rstrip() for line in cell.source.split("\n")).strip("\n")
        if cell.cell_type != "code":
            continue
        has_run = cell.execution_count is not None or bool(cell.outputs)
        n_run += has_run
        cell.execution_count = n_run if has_run else None
        cell.outputs = _merge_streams([_clean_output(out, n_run) for out in cell.outputs])
    return clean


def shrink_pictures(notebook: NotebookNode) -> None:
    """Pictures of more than 20 kB keep 256 colours, without dither; done once, it stays so."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            picture = output.get("data", {}).get("image/png", "")
            if isinstance(picture, str) and len(picture) > LARGE_PICTURE:
                output.data["image/png"] = _with_palette(picture)


def _with_palette(picture: str) -> str:
    image = Image.open(io.BytesIO(base64.b64decode(picture)))
    if image.mode == "P":
        return picture
    few = image.convert("RGB").quantize(
        256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    buffer = io.BytesIO()
    few.save(buffer, "png", optimize=True)
    return min(picture, base64.b64encode(buffer.getvalue()).decode("ascii"), key=len)


def check_outputs(notebook: NotebookNode) -> None:
    """Raises ChapterError where a stored output would be an accident: stderr, or nothing to see."""
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                raise ChapterError(f"cell {index} writes to stderr:\n{output.text}")
            if output.output_type in ("display_data", "execute_result") and not output.data:
                raise ChapterError(
                    f"cell {index} shows a widget and no picture: a stored notebook would show "
                    "nothing; display image/png and text/plain with it"
                )


def kept_timings(new: NotebookNode, old: NotebookNode) -> NotebookNode:
    """`new`, with the stored outputs of unchanged `timing` cells that differ only in measurements.

    Without this every run of `make notebooks` would change the file.
    """
    stored = {cell.source: cell for cell in old.cells if cell.cell_type == "code"}
    for cell in new.cells:
        before = stored.get(cell.source)
        if before is None or TIMING_TAG not in cell.metadata.get("tags", []):
            continue
        if _comparable(cell.outputs) == _comparable(before.outputs):
            count = cell.execution_count
            cell.outputs = copy.deepcopy(before.outputs)
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = count
    return new


def changed_cells(new: NotebookNode, old: NotebookNode) -> list[int]:
    """Indices of cells whose outputs strict validation would call different."""
    if len(new.cells) != len(old.cells):
        return list(range(len(new.cells)))
    return [
        index
        for index, (a, b) in enumerate(zip(new.cells, old.cells, strict=True))
        if _comparable(a.get("outputs", [])) != _comparable(b.get("outputs", []))
    ]


def serialize(notebook: NotebookNode) -> str:
    """The text of the file: one-space indent, sorted keys, one newline at the end."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def write(notebook: NotebookNode, path: Path) -> int:
    """Replaces `path` in one step and returns its size in bytes.

    Raises:
        ChapterError: the file would be larger than 1.5 MB.
    """
    content = serialize(notebook).encode("utf-8")
    if len(content) > MAX_BYTES:
        raise ChapterError(
            f"{path.name} would hold {len(content):,} bytes, more than {MAX_BYTES:,}: "
            "draw fewer or smaller figures"
        )
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    os.replace(partial, path)
    return len(content)


def sanitizers() -> list[tuple[str, str]]:
    """The pairs (regular expression, replacement) of course/nbval.cfg, read as nbval reads them."""
    text = (COURSE / "nbval.cfg").read_text(encoding="utf-8")
    return re.findall("^regex: (.*)$\n^replace: (.*)$", text, flags=re.MULTILINE)


def sanitize(text: str) -> str:
    """`text` as strict validation compares it: measured numbers replaced."""
    for pattern, replacement in sanitizers():
        text = re.sub(pattern, replacement, text)
    return text


def chapters(names: Sequence[str] = ()) -> list[Path]:
    """Paths of the chapters in order; `names` select by stem or its beginning ("02").

    Raises:
        SystemExit: a name fits no chapter.
    """
    paths = sorted(COURSE.glob("*.ipynb"))
    if not names:
        return paths
    chosen = []
    for name in names:
        found = [path for path in paths if path.stem.startswith(Path(name).stem)]
        if not found:
            known = ", ".join(path.stem for path in paths) or "none yet"
            raise SystemExit(f"no chapter {name!r} in course/; there are: {known}")
        chosen += found
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="chapters, e.g. 02; default: all")
    parser.add_argument("--check", action="store_true", help="write nothing, report differences")
    options = parser.parse_args(arguments)
    has_failed = False
    for path in chapters(options.names):
        try:
            has_failed |= not _process(path, is_check=options.check)
        except ChapterError as error:
            print(f"{path.relative_to(ROOT)}: {error}", file=sys.stderr)
            has_failed = True
    return int(has_failed)


def _process(path: Path, *, is_check: bool) -> bool:
    old = nbformat.read(path, as_version=4)
    name = path.relative_to(ROOT)
    if is_check:
        run = execute(old, path.parent)
        changed = changed_cells(run.notebook, old)
        _print_times(path.stem, run)
        for index in changed:
            print(f"{name}: cell {index}: a new run gives another output")
        return not changed
    with _FreshLedgerRows(path.stem):
        run = execute(old, path.parent, writes_ledger=True)
        n_bytes = write(kept_timings(run.notebook, normalize(old)), path)
    _print_times(path.stem, run)
    print(f"{name}: {n_bytes / 1e6:.2f} MB stored")
    return True


def _print_times(name: str, run: Run) -> None:
    normal = run.seconds / slowdown()
    note = "" if normal <= CHAPTER_SECONDS else f"  OVER the {CHAPTER_SECONDS} s of a chapter"
    print(f"{name}: {run.seconds:.1f} CPU seconds, {normal:.1f} on the reference machine{note}")
    slowest = sorted(run.cell_seconds.items(), key=lambda entry: -entry[1])[:8]
    for index, seconds in slowest:
        first_line = run.notebook.cells[index].source.partition("\n")[0]
        print(f"  {seconds:6.1f} s  cell {index:3d}  {first_line[:60]}")


class _FreshLedgerRows:
    """Removes a chapter's rows before it writes them anew; puts them back if it fails."""

    def __init__(self, stem: str, path: Path = COURSE / "ledger.json") -> None:
        self.stem, self.path = stem, path

    def __enter__(self) -> None:
        self.text = self.path.read_text(encoding="utf-8") if self.path.exists() else None
        if self.text is not None:
            rows = [r for r in json.loads(self.text) if not self._is_own(str(r["chapter"]))]
            text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
            self.path.write_text(text, encoding="utf-8")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self.text is not None:
            self.path.write_text(self.text, encoding="utf-8")

    def _is_own(self, chapter: str) -> bool:
        return self.stem == chapter or self.stem.startswith(chapter + "_")


def _kernel_manager() -> Any:
    """Starts kernels of this Python, whatever "python3" names in the user's Jupyter folder."""
    import ipykernel.kernelspec
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisPython(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(
                resource_dir=ipykernel.kernelspec.RESOURCES,
                **ipykernel.kernelspec.get_kernel_dict(),
            )

    return AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())


def _unique_id(cell: NotebookNode, seen: set[str]) -> str:
    given = cell.get("id", "")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", given) or given in seen:
        given = hashlib.sha256(cell.source.encode("utf-8")).hexdigest()[:8]
    base, n = given, 2
    while given in seen:
        given, n = f"{base}-{n}", n + 1
    seen.add(given)
    return given


def _clean_output(output: NotebookNode, execution_count: int) -> NotebookNode:
    clean = copy.deepcopy(output)
    clean.pop("transient", None)
    if clean.output_type == "execute_result":
        clean.execution_count = execution_count
    if clean.output_type in ("display_data", "execute_result"):
        if WIDGET_VIEW in clean.data:
            del clean.data[WIDGET_VIEW]
            if "image/png" not in clean.data:
                clean.data = nbformat.from_dict({})
        if isinstance(clean.data.get("image/png"), str):
            clean.data["image/png"] = clean.data["image/png"].replace("\n", "")
        clean.metadata = nbformat.from_dict(
            {mime: value for mime, value in clean.metadata.items() if mime in clean.data}
        )
    if clean.output_type == "error":
        clean.traceback = [_strip_colors(line) for line in clean.traceback]
    return clean


def _merge_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Joins neighbouring pieces of one stream: how a kernel cuts them depends on its timing."""
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        is_same = (
            last is not None
            and output.output_type == last.output_type == "stream"
            and output.name == last.name
        )
        if is_same:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def _comparable(outputs: Sequence[NotebookNode]) -> list[Any]:
    """What nbval compares: no pictures, no metadata, measured numbers replaced."""
    result: list[Any] = []
    for output in outputs:
        if output.output_type == "stream":
            result.append((output.name, sanitize(output.text)))
        elif output.output_type == "error":
            result.append((output.ename, sanitize(output.evalue)))
        else:
            result.append(
                {
                    mime: sanitize(value) if isinstance(value, str) else value
                    for mime, value in output.data.items()
                    if mime not in ("image/png", "image/jpeg")
                }
                | {"mimes": sorted(output.data)}
            )
    return result


def _strip_colors(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


if __name__ == "__main__":
    raise SystemExit(main())
