"""The clean notebook of a submission: that of `solutions/` with the student's answers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from companion.grading.rebuild import Cell, Plan, handed_out, read_source


def rebuilt_notebook(source_path: Path, plan: Plan) -> Any:
    """`rebuilt_json` as a valid NotebookNode."""
    import nbformat

    notebook = nbformat.from_dict(rebuilt_json(source_path, plan))
    nbformat.validate(notebook)
    return notebook


def rebuilt_json(source_path: Path, plan: Plan) -> dict[str, Any]:
    """The notebook in `solutions/` with the student's answers and extra cells.

    An answer's checksum is that of the stub, so that nbgrader recognizes an answer left as it was.
    It is made without nbformat, whose import and checks take longer than all of this.
    """
    notebook = read_source(source_path)
    answers = {answer.name: answer.source for answer in plan.written}
    for question in plan.questions:
        answers |= {c.name: c.typed or c.source for c in question.cells if c.kind == "solution"}
    before: dict[str, list[Cell]] = {}
    after: dict[str | None, list[Cell]] = {}
    for run in (*(question.cells for question in plan.questions), plan.trailing):
        waiting, last = [], None
        for cell in run:
            if cell.kind == "extra":
                waiting.append(cell)
            else:
                before[cell.name], waiting, last = waiting, [], cell.name
        after[last] = waiting

    ids = {cell["id"] for cell in notebook["cells"]}
    cells = []

    def add(extras: list[Cell]) -> None:
        for extra in extras:
            node = {"cell_type": "code", "id": _fresh(f"extra-{extra.position}", ids)}
            source = extra.typed or extra.source
            more = {"metadata": {}, "execution_count": None, "outputs": [], "source": source}
            cells.append(node | more)

    for node in notebook["cells"]:
        marks, kind = node["metadata"].get("nbgrader", {}), node["cell_type"]
        name, node["source"] = marks.get("grade_id") or node["id"], "".join(node["source"])
        if kind == "code":
            node["outputs"], node["execution_count"] = [], None
        if marks.get("solution"):
            node["source"] = handed_out(node["source"], kind)
        if marks.get("grade") or marks.get("solution") or marks.get("locked"):
            marks["checksum"] = checksum(node)
            marks["cell_type"] = kind
        node["source"] = answers.get(name, node["source"])
        add(before.get(name, []))
        cells.append(node)
        add(after.get(name, []))
    add(after.get(None, []))
    notebook["cells"] = cells
    return notebook


def checksum(node: dict[str, Any]) -> str:
    """What `compute_checksum` of nbgrader gives, whose import takes half as long as torch."""
    marks = node["metadata"]["nbgrader"]
    is_grade, is_solution = marks.get("grade", False), marks.get("solution", False)
    is_locked = not is_solution and (is_grade or marks.get("locked", False))
    parts = [node["source"], node["cell_type"], str(is_grade), str(is_solution), str(is_locked)]
    parts += [marks["grade_id"], *([str(float(marks["points"]))] if is_grade else [])]
    return hashlib.md5("".join(parts).encode()).hexdigest()


def _fresh(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "-x"
    taken.add(wanted)
    return wanted
