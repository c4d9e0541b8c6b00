"""A class of 40 in this grader and in stock nbgrader, in the same run, with the same grades.

Stock nbgrader is one `nbgrader autograde` of the whole class.  "Net" leaves out, on both sides, the
processor time that the cells of the submissions take by themselves in a warm interpreter.
"""

import contextlib
import dataclasses
import hashlib
import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import types
from dataclasses import dataclass
from pathlib import Path

import nbformat
import torch
import yaml

from companion.grading.runtime import warm
from tools import classroom
from tools._assignment import ROOT, Assignment, find, load
from tools._runner import ONE_THREAD
from tools.bench import Entry, Row, Store

NAME, TRAINS = "02_architecture", "design_network"
N_STUDENTS, N_TRAINING = 40, 6
SEED = 0  # stock nbgrader takes the numbers that are written in the tests
OWN_SETTINGS = ("c.Autograde.", "c.GenerateFeedback.", "c.HTMLExporter.")


def course(root: Path, *, with_training: bool) -> Assignment:
    """A course below `root` that holds this assignment, without the task that trains or with it."""
    source = ROOT / "solutions" / NAME / f"{NAME}.ipynb"
    notebook = nbformat.read(source, as_version=4)
    if not with_training:
        (whole,) = [a for a in find() if a.name == NAME]
        left_out = {c.position for c in whole.cells if whole.owner(c) == TRAINS}
        notebook.cells = [c for i, c in enumerate(notebook.cells) if i not in left_out]
    path = root / "solutions" / NAME / source.name
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    shutil.copytree(ROOT / "tests" / "variants" / NAME, root / "tests" / "variants" / NAME)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    return load(path, variants=root / "tests" / "variants" / NAME)


def class_of(assignment: Assignment, root: Path, n: int) -> list[classroom.Student]:
    """`n` students drawn from the variants: right ones, partly right ones, misconceptions."""
    kinds = {f"sample_right_{i}": {"right": i} for i in range(1, 7)}
    kinds |= {f"sample_partly_{i}": {"attempted": i} for i in range(1, 5)}
    kinds["sample_wrong"] = {"misconceptions": True}
    path = root / "class.yml"
    path.write_text(yaml.safe_dump({"assignment": NAME, "students": kinds}))
    _, students = classroom.read_class(path, [assignment])
    again = [dataclasses.replace(s, name=f"{s.name}_again") for s in students]
    chosen = [*students, *again][:n]
    if len(chosen) < n:
        raise RuntimeError(f"the variants make {len(chosen)} students, expected {n}")
    return chosen


def grades(root: Path) -> list[tuple[str, str, float]]:
    """Student, test cell and points of every grade in the gradebook."""
    book = sqlite3.connect(root / "build" / "grading" / "gradebook.db")
    query = (
        "select a.student_id, b.name, g.auto_score from grade g "
        "join submitted_notebook n on g.notebook_id = n.id "
        "join submitted_assignment a on n.assignment_id = a.id "
        "join base_cell b on g.cell_id = b.id where b.type = 'GradeCells'"
    )
    rows = sorted(book.execute(query))
    book.close()
    return rows


def seconds_of(command: list[str], root: Path) -> float:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": path, "COMPANION_PREDICTIONS": "off"}
    start = time.perf_counter()
    subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def ours(root: Path, n_workers: int) -> float:
    """Seconds of the whole command, from its start; nothing is left from an earlier one."""
    for name in ("autograded", "results", "rebuilt"):
        shutil.rmtree(root / "build" / "grading" / name, ignore_errors=True)
    for path in (root / "build" / "grading").glob("reference/*.json"):
        path.unlink()
    code = (
        "import sys; from pathlib import Path; from companion.grading.run import grade_class\n"
        f"done = grade_class(Path('.').resolve(), {NAME!r}, workers={n_workers}, seed={SEED})\n"
        "sys.exit(not done.is_complete)"
    )
    return seconds_of([sys.executable, "-c", code], root)


def stock(root: Path) -> float:
    lines = (root / "nbgrader_config.py").read_text().splitlines()
    kept, inside = [], False
    for line in lines:
        inside = line.startswith(OWN_SETTINGS) or (inside and line[:1] in (" ", "]"))
        if not inside:
            kept.append(line)
    (root / "nbgrader_config.py").write_text("\n".join(kept) + "\n")
    shutil.rmtree(root / "build" / "grading" / "autograded", ignore_errors=True)
    return seconds_of([sys.executable, "-m", "nbgrader", "autograde", NAME], root)


def seconds_of_cells(root: Path) -> float:
    """Processor time of all cells of all submissions, each in a fork of a warm interpreter."""
    torch.set_num_threads(1)
    warm()
    total = 0.0
    for path in sorted((root / "build" / "grading" / "autograded").glob(f"*/{NAME}/{NAME}.ipynb")):
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(write_end, repr(seconds_of_one(path)).encode())
            os._exit(0)
        os.close(write_end)
        with open(read_end) as pipe:
            total += float(pipe.read())
        os.waitpid(pid, 0)
    return total


def seconds_of_one(path: Path) -> float:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    start = time.process_time()
    for cell in cells:
        with (
            contextlib.suppress(BaseException),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            exec(cell.source, module.__dict__)
    return time.process_time() - start


def measured(store: Store, *, with_training: bool) -> dict[str, float]:
    """Seconds of both graders and of the cells; raises where their grades differ.

    What was measured before a stop is kept.
    """
    n = N_TRAINING if with_training else N_STUDENTS
    kept = "grade_class_training" if with_training else "grade_class"
    found = {step: store.get(kept, number) for number, step in enumerate(STEPS)}
    if None not in found.values():
        return {**found, "n": n}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        assignment = course(root, with_training=with_training)
        classroom.prepare(root, assignment, class_of(assignment, root, n))
        stamp = root / "build" / "grading" / "reference" / f"{NAME}.entered"
        stamp.parent.mkdir(parents=True)
        stamp.write_text(hashlib.sha256(assignment.path.read_bytes()).hexdigest())
        for number, step in enumerate(STEPS):
            found[step] = MEASURES[step](root)
            store.put(kept, number, found[step])
            print(f"{kept}: {step} {found[step]:.1f} s", flush=True)
            if step == "workers_2":
                points = grades(root)
        if grades(root) != points:
            store.forget(kept)
            raise RuntimeError("stock nbgrader gave other grades")
    return {**found, "n": n}


MEASURES = {
    "workers_1": lambda root: ours(root, 1),
    "workers_2": lambda root: ours(root, 2),
    "cells": seconds_of_cells,
    "stock": stock,
}
STEPS = tuple(MEASURES)


@dataclass(frozen=True, kw_only=True)
class GradeClass(Entry):
    """Submissions a minute beside stock nbgrader; the bar is on how many times as many."""

    n_workers: int
    is_net: bool = False
    with_training: bool = False

    def run(self, store: Store) -> Row:
        seconds = measured(store, with_training=self.with_training)
        left_out = seconds["cells"] if self.is_net else 0.0
        a, b = (seconds[key] - left_out for key in (f"workers_{self.n_workers}", "stock"))
        pace = 60 * seconds["n"]
        return self.row(pace / a, judged=b / a, peer=pace / b, peer_name="nbgrader autograde",
                        ratio=b / a)  # fmt: skip


common = {"chapter": "02", "unit": "a minute", "better": "higher", "is_long": True}
ENTRIES = [
    GradeClass(name="grade_class_gross", n_workers=1, bar=8.0, **common),
    GradeClass(name="grade_class_net", n_workers=1, is_net=True, bar=12.0, **common),
    GradeClass(name="grade_class_gross_2_workers", n_workers=2, bar=8.0, **common),
    GradeClass(name="grade_class_training", n_workers=1, with_training=True, **common),
    GradeClass(name="grade_class_training_2_workers", n_workers=2, with_training=True, **common),
]
