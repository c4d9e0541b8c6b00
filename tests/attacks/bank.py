"""What a case is, and how it becomes the folder that a student hands in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TARGET = HERE / "target" / "target.ipynb"
QUESTIONS = ("softmax", "scaling", "moving_sum", "runs")
TESTS = {name: (f"test_{name}", f"hidden_{name}") for name in QUESTIONS}
HIDDEN_TEXT = "hidden-text-5e1f0c"  # stands in a hidden test of the target

WRONG = {
    "softmax": "def softmax(scores, temperature):\n    return scores\n",
    "scaling": "def make_scaling(n_features):\n    return nn.Identity()\n",
    "moving_sum": "def moving_sum(series, width):\n    return series[: len(series) - width + 1]\n",
    "runs": "def runs(text):\n    return []\n",
}


@dataclass(frozen=True)
class Case:
    """One attack.

    `answers` replaces solution cells by grade id, `extra` adds code cells before the cell of that
    grade id ("end": after the last).  `attacked` are the questions that must gain nothing.  In all
    text, `{course}` stands for the folder with solutions/, the gradebook and the submissions.

    `takes` says what success is: "points" (a wrong answer scores), "secret" (a canary comes out),
    "harm" (something happens outside, or other questions or students suffer).  `shown_by` says how
    a test proves that the attack works where its defence is missing: "stock" runs the notebook in
    one interpreter as nbgrader does, any other value names an entry of `weakened.py`.
    """

    name: str
    tries: str
    aims: str
    takes: str
    answers: dict[str, str] = field(default_factory=dict)
    extra: tuple[tuple[str, str], ...] = ()
    attacked: tuple[str, ...] = ()
    shown_by: str = "stock"
    statuses: tuple[str, ...] = ()  # of the attacked hidden tests; any but ok where empty
    visible_statuses: tuple[str, ...] = ()
    spares_others: bool = True  # whether the questions that were not attacked get full points
    visible_counts: bool = False  # whether the answer is right for the inputs of visible tests
    test_seconds: float = 10.0
    submission_seconds: float = 1800.0
    edit: Callable[[dict[str, Any]], Any] | None = None
    files: dict[str, str] = field(default_factory=dict)
    secret: str = ""  # what must not come out, where it is no canary of the lab
    twice: bool = False  # whether two students hand it in, one after the other
    seed: int = 0
    known: dict[str, str] = field(default_factory=dict)  # tiers in which it works, with the reason
    group: str = ""

    @property
    def questions(self) -> tuple[str, ...]:
        return self.attacked or tuple(self.answers)


def source() -> dict[str, Any]:
    return json.loads(TARGET.read_text(encoding="utf-8"))


def grade_id(cell: dict[str, Any]) -> str:
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def code_cell(text: str, name: str) -> dict[str, Any]:
    return {"cell_type": "code", "id": name, "metadata": {}, "source": text,
            "execution_count": None, "outputs": []}  # fmt: skip


def notebook(
    answers: dict[str, str],
    extra: tuple[tuple[str, str], ...] = (),
    fill_in: Callable[[str], str] = str,
) -> dict[str, Any]:
    """The reference notebook with other answers and further cells."""
    made = source()
    for cell in made["cells"]:
        if grade_id(cell) in answers:
            cell["source"] = fill_in(answers[grade_id(cell)])
    for number, (before, text) in enumerate(extra):
        names = [grade_id(cell) for cell in made["cells"]]
        place = len(names) if before == "end" else names.index(before)
        made["cells"].insert(place, code_cell(fill_in(text), f"extra{number}"))
    return made


def hand_in(case: Case, folder: Path, fill_in: Callable[[str], str] = str) -> Path:
    """Writes the case into the folder of a submission, and returns it."""
    made = notebook(case.answers, case.extra, fill_in)
    if case.edit is not None:
        made = case.edit(made)
    (folder / "target.ipynb").write_text(json.dumps(made), encoding="utf-8")
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fill_in(text), encoding="utf-8")
    return folder
