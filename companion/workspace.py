"""A reader's copies in `work/`: handed out, refreshed and put back, never overwritten."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COURSE_ID = "learning-is-compression"

Cell = dict[str, Any]


class CourseError(Exception):
    """Something that the reader can put right; shown as one line."""


class Course:
    """The folders of one checkout.

    `root` holds `course/`, `assignments/` and (for authors) `solutions/`; the reader's copies lie
    in `root/work`, with the course's own notes about them in `root/work/.companion`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.chapters = root / "course"
        self.assignments = root / "assignments"
        self.solutions = root / "solutions"
        self.work = root / "work"
        self.state = self.work / ".companion"
        self.exchange = self.state / "exchange"

    @classmethod
    def find(cls, start: Path | None = None) -> Course:
        """The checkout around `start` (default: the current folder), else the installed one.

        Raises:
            CourseError: neither of them holds the course.
        """
        here = (start or Path.cwd()).resolve()
        installed = Path(__file__).resolve().parents[1]
        for folder in (here, *here.parents, installed):
            if (folder / "course").is_dir() and (folder / "companion").is_dir():
                return cls(folder)
        raise CourseError(
            f"no course around {here}: change into the folder that you cloned and try again"
        )

    def assignment(self, name: str) -> str:
        """The full name of an assignment that `name` begins, such as "02" for "02_architecture".

        Raises:
            CourseError: no assignment, or more than one, begins so.
        """
        return _complete(name, self._assignment_names(), "assignment")

    def chapter(self, name: str) -> str:
        """The full name of a chapter that `name` begins.

        Raises:
            CourseError: no chapter, or more than one, begins so.
        """
        return _complete(name, [p.stem for p in self.chapters.glob("*.ipynb")], "chapter")

    def released(self, name: str) -> Path:
        """The assignment's notebook as it was handed out."""
        return self.assignments / name / f"{name}.ipynb"

    def copy(self, name: str) -> Path:
        """The reader's copy of an assignment's notebook.

        Raises:
            CourseError: there is none yet.
        """
        path = self.work / "assignments" / name / f"{name}.ipynb"
        if not path.is_file():
            raise CourseError(
                f"{_short(path, self.root)} is not there: run `companion start` first"
            )
        return path

    def originals(self) -> Iterator[tuple[Path, Path]]:
        """Pairs (original, the reader's copy) of everything that is handed out."""
        for original in sorted(self.chapters.glob("*.ipynb")):
            yield original, self.work / "course" / original.name
        for name in self._assignment_names():
            for original in sorted((self.assignments / name).rglob("*")):
                if original.is_file() and ".ipynb_checkpoints" not in original.parts:
                    inside = original.relative_to(self.assignments)
                    yield original, self.work / "assignments" / inside

    def _assignment_names(self) -> list[str]:
        return sorted(p.parent.name for p in self.assignments.glob("*/*.ipynb"))


def start(course: Course) -> list[str]:
    """Copies chapters and assignments that are missing in `work/`; returns a line per copy."""
    manifest = _read_manifest(course)
    lines = []
    for original, copy in course.originals():
        if not copy.exists():
            _hand_out(course, original, copy, manifest)
            lines.append(f"new  {_short(copy, course.root)}")
    _write_manifest(course, manifest)
    return lines


def update(course: Course) -> list[str]:
    """Refreshes copies that nobody edited, puts new versions beside edited ones.

    A notebook that was only run counts as unedited: its cells' text decides.  A new version that
    was edited itself is kept under another name before a newer one takes its place.
    """
    manifest = _read_manifest(course)
    lines = []
    for original, copy in course.originals():
        key, newest = _short(copy, course.work), fingerprint(original)
        given = manifest.get(key)
        if not copy.exists():
            _hand_out(course, original, copy, manifest)
            lines.append(f"new        {_short(copy, course.root)}")
        elif newest in (fingerprint(copy), given):
            manifest[key] = newest
        elif fingerprint(copy) == given:
            _hand_out(course, original, copy, manifest)
            lines.append(f"refreshed  {_short(copy, course.root)}")
        else:
            beside = copy.with_name(f"{copy.stem}.new{copy.suffix}")
            # What was last offered is `given`, so anything else beside it is the reader's own.
            kept = _keep_edited(beside, given, newest)
            _copy_file(original, beside)
            manifest[key] = newest
            lines.append(
                f"kept       {_short(copy, course.root)} (you edited it); "
                f"the new version is {beside.name} beside it"
                + (f", and what you wrote into an earlier one is in {kept.name}" if kept else "")
            )
    _write_manifest(course, manifest)
    return lines


def stale_copies(course: Course) -> list[str]:
    """Copies whose original changed since it was handed out."""
    manifest = _read_manifest(course)
    return [
        _short(copy, course.work)
        for original, copy in course.originals()
        if copy.exists() and fingerprint(original) not in (
            fingerprint(copy), manifest.get(_short(copy, course.work))
        )
    ]  # fmt: skip


def reset(course: Course, original: Path, copy: Path, *, task: str | None = None) -> Path | None:
    """Puts the original back, whole or one task; returns where the reader's version was kept.

    None where the reader has not edited it.

    Raises:
        CourseError: the notebook has no such task.
    """
    if task is not None:
        notebook = read_notebook(copy)
        cells = {grade_id(cell): cell for cell in notebook["cells"] if grade_id(cell)}
        released = solution_cells(read_notebook(original))
        if task not in released:
            raise CourseError(f"no task {task!r}: expected one of {', '.join(released)}")
        if task not in cells:
            raise CourseError(
                f"your notebook has lost the cell of {task!r}: reset the whole notebook instead"
            )
        if source(cells[task]) == source(released[task]):
            return None
        kept = _keep(copy)
        cells[task]["source"] = released[task]["source"]
        if cells[task]["cell_type"] == "code":
            cells[task].update(outputs=[], execution_count=None)
        _write_json(copy, notebook)
        return kept
    manifest = _read_manifest(course)
    kept = _keep_edited(copy, manifest.get(_short(copy, course.work)), fingerprint(original))
    _hand_out(course, original, copy, manifest)
    _write_manifest(course, manifest)
    return kept


def fingerprint(path: Path) -> str:
    """SHA-256 of a file; of a notebook, only what its author typed, not the outputs."""
    content = path.read_bytes()
    if path.suffix == ".ipynb":
        try:
            cells = json.loads(content)["cells"]
            typed = [[c["cell_type"], source(c), c["metadata"].get("nbgrader")] for c in cells]
            content = json.dumps(typed, sort_keys=True).encode()
        except (ValueError, KeyError, TypeError):
            pass  # not a notebook: its bytes identify it as well
    return hashlib.sha256(content).hexdigest()


def read_notebook(path: Path) -> dict[str, Any]:
    """The JSON of a notebook.

    Raises:
        CourseError: the file is missing or not a notebook.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if notebook.get("nbformat") != 4 or not isinstance(notebook["cells"], list):
            raise ValueError("not a notebook of format 4")
    except FileNotFoundError:
        raise CourseError(f"{path} is not there") from None
    except (ValueError, AttributeError, KeyError) as error:
        raise CourseError(
            f"{path.name} cannot be read as a notebook ({error}): "
            f"`companion reset {path.stem}` puts the original back and keeps your file"
        ) from None
    return notebook


def source(cell: Cell) -> str:
    """The text of a cell, which the format stores as a string or as a list of lines."""
    return "".join(cell["source"])


def grade_id(cell: Cell) -> str | None:
    """nbgrader's identifier of a cell; None for a cell that nbgrader does not know."""
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def solution_cells(notebook: dict[str, Any]) -> dict[str, Cell]:
    """The cells that a student fills in, by grade id, written answers included."""
    return {
        grade_id(cell): cell
        for cell in notebook["cells"]
        if cell["metadata"].get("nbgrader", {}).get("solution")
    }


def is_attempted(answer: str, released: str) -> bool:
    """Whether an answer differs from the text handed out by more than spaces and comments."""
    try:
        return ast.dump(ast.parse(answer)) != _dumped(released)
    except SyntaxError:
        return answer.split() != released.split()


@functools.lru_cache(maxsize=64)
def _dumped(source: str) -> str:
    return ast.dump(ast.parse(source))


def _complete(name: str, names: list[str], kind: str) -> str:
    if name in names:
        return name
    found = [full for full in names if full.startswith(name)]
    if len(found) == 1:
        return found[0]
    choice = ", ".join(found or sorted(names)) or f"none, this copy of the course has no {kind}s"
    raise CourseError(f"{name!r} is no {kind}: expected one of {choice}")


def _hand_out(course: Course, original: Path, copy: Path, manifest: dict[str, str]) -> None:
    _copy_file(original, copy)
    manifest[_short(copy, course.work)] = fingerprint(original)


def _copy_file(original: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(original, copy)


def _keep(copy: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    kept = copy.with_name(f"{copy.stem}.kept-{stamp}{copy.suffix}")
    n = 1
    while kept.exists():
        n += 1
        kept = copy.with_name(f"{copy.stem}.kept-{stamp}-{n}{copy.suffix}")
    shutil.copyfile(copy, kept)
    return kept


def _keep_edited(copy: Path, *handed_out: str | None) -> Path | None:
    """Keeps `copy` unless it is missing or has one of these fingerprints."""
    return _keep(copy) if copy.exists() and fingerprint(copy) not in handed_out else None


def _read_manifest(course: Course) -> dict[str, str]:
    path = course.state / "manifest.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError):
        raise CourseError(
            f"{_short(path, course.root)} is damaged: delete it; every copy in work/ then counts "
            "as edited and stays as it is"
        ) from None


def _write_manifest(course: Course, manifest: dict[str, str]) -> None:
    _write_json(course.state / "manifest.json", dict(sorted(manifest.items())))


def _write_json(path: Path, value: Any) -> None:
    """Writes beside and renames, so that an interruption leaves the old file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    beside.write_text(text, encoding="utf-8", newline="\n")
    beside.replace(path)


def _short(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
