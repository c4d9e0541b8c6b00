"""Predict first, then look: `ask` stores a choice, `reveal` puts it beside the result.

Answers live in one file, `.companion/predictions.json` beside the reader's `course/` folder, which
git ignores.  `COMPANION_PREDICTIONS=off` makes both verbs silent, for validation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_asked: dict[str, tuple[str, tuple[str, ...]]] = {}


def predictions_path() -> Path:
    """`COMPANION_PREDICTIONS_FILE`, else in the nearest `.companion/` folder, else here."""
    override = os.environ.get("COMPANION_PREDICTIONS_FILE")
    if override:
        return Path(override)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".companion").is_dir():
            return folder / ".companion" / "predictions.json"
    return here / ".companion" / "predictions.json"


def ask(id: str, question: str, options: Sequence[str]) -> None:
    """Shows the question with one radio button per option and stores the reader's choice.

    Raises:
        ValueError: fewer than two options, or the same option twice.
    """
    if len(options) < 2 or len(set(options)) != len(options):
        raise ValueError(
            f"prediction {id!r} needs at least two different options, got {list(options)}"
        )
    _asked[id] = (question, tuple(options))
    if _is_off():
        return
    import ipywidgets as widgets
    from IPython.display import display

    stored = _read().get(id, {}).get("choice")
    buttons = widgets.RadioButtons(
        options=list(options),
        value=stored if stored in options else None,
        layout=widgets.Layout(width="auto"),
    )
    note = widgets.HTML(_note(stored if stored in options else None))

    def remember(change: dict[str, Any]) -> None:
        answers = _read()
        answers[id] = {
            "question": question,
            "choice": change["new"],
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        _write(answers)
        note.value = _note(change["new"])

    buttons.observe(remember, names="value")
    label = widgets.HTML(f"<b>Your prediction.</b> {question}")
    display(widgets.VBox([label, buttons, note]))


def reveal(id: str, measured: str | None = None) -> None:
    """Prints the reader's choice, beside what was measured (one of the options) where given.

    Raises:
        ValueError: the question was never asked, or `measured` is none of its options.
    """
    if id not in _asked:
        raise ValueError(f"no prediction {id!r} was asked: run the cell with its ask(...) first")
    question, options = _asked[id]
    if measured is not None and measured not in options:
        raise ValueError(f"{measured!r} is not an option of {id!r}: {', '.join(options)}")
    if _is_off():
        return
    choice = _read().get(id, {}).get("choice")
    if measured is None:
        print(f"{question}: you said “{choice}”." if choice else f"{question}: no prediction.")
    elif choice is None:
        print(f"{question}: {measured}. (You made no prediction.)")
    elif choice == measured:
        print(f"{question}: you said “{choice}”, and so it is.")
    else:
        print(f"{question}: you said “{choice}”. Measured: {measured}.")


def _is_off() -> bool:
    return os.environ.get("COMPANION_PREDICTIONS", "").lower() == "off"


def _note(choice: str | None) -> str:
    return "<i>stored</i>" if choice else "<i>Choose before you run the next cell.</i>"


def _read() -> dict[str, Any]:
    path = predictions_path()
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        damaged = path.with_suffix(".damaged.json")
        path.replace(damaged)
        print(f"the file of predictions could not be read; it was kept as {damaged}")
        return {}


def _write(answers: dict[str, Any]) -> None:
    path = predictions_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(answers, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, path)
