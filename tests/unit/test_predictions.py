"""Predictions are asked, kept in one file, and shown beside the result."""

from __future__ import annotations

import json

import ipywidgets as widgets
import pytest

from companion import predictions
from companion.predictions import ask, predictions_path, reveal

OPTIONS = ["it rises", "it falls", "no change"]


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(predictions, "_asked", {})
    monkeypatch.delenv("COMPANION_PREDICTIONS", raising=False)
    monkeypatch.setenv("COMPANION_PREDICTIONS_FILE", str(tmp_path / "kept" / "predictions.json"))
    return tmp_path / "kept" / "predictions.json"


@pytest.fixture
def shown(monkeypatch):
    """The widgets that `ask` displays: label, buttons, note."""
    boxes = []
    monkeypatch.setattr("IPython.display.display", lambda box: boxes.append(box.children))
    return boxes


def test_ask_shows_the_question_and_keeps_the_choice(path, shown):
    ask("loss", "What does the loss do?", OPTIONS)
    label, buttons, note = shown[0]
    assert "What does the loss do?" in label.value and "Choose before" in note.value
    assert isinstance(buttons, widgets.RadioButtons) and list(buttons.options) == OPTIONS
    assert buttons.value is None and not path.exists()  # nothing is chosen for the reader
    buttons.value = "it falls"
    kept = json.loads(path.read_text())
    assert kept["loss"]["choice"] == "it falls"
    assert kept["loss"]["question"] == "What does the loss do?" and kept["loss"]["when"]
    assert "stored" in note.value
    assert [p.name for p in path.parent.iterdir()] == ["predictions.json"]


def test_a_choice_is_remembered_and_can_be_changed(path, shown):
    ask("loss", "What?", OPTIONS)
    shown[0][1].value = "it falls"
    ask("width", "How wide?", ["wide", "narrow"])
    shown[1][1].value = "wide"
    ask("loss", "What?", OPTIONS)
    assert shown[2][1].value == "it falls" and "stored" in shown[2][2].value
    shown[2][1].value = "it rises"
    kept = json.loads(path.read_text())
    assert (kept["loss"]["choice"], kept["width"]["choice"]) == ("it rises", "wide")


def test_a_choice_that_is_no_longer_offered_is_forgotten(path, shown):
    ask("loss", "What?", OPTIONS)
    shown[0][1].value = "it falls"
    ask("loss", "What?", ["up", "down"])
    assert shown[1][1].value is None and "Choose" in shown[1][2].value


@pytest.mark.parametrize(
    ("choice", "measured", "says"),
    [
        ("it falls", "it falls", "What?: you said “it falls”, and so it is.\n"),
        ("it rises", "it falls", "What?: you said “it rises”. Measured: it falls.\n"),
        (None, "it falls", "What?: it falls. (You made no prediction.)\n"),
        ("it rises", None, "What?: you said “it rises”.\n"),
        (None, None, "What?: no prediction.\n"),
    ],
)
def test_reveal_puts_the_choice_beside_the_result(path, shown, capsys, choice, measured, says):
    ask("loss", "What?", OPTIONS)
    if choice:
        shown[0][1].value = choice
    reveal("loss", measured)
    assert capsys.readouterr().out == says


@pytest.mark.parametrize("value", ["off", "OFF"])
def test_both_are_silent_for_validation_but_still_check(path, shown, capsys, monkeypatch, value):
    monkeypatch.setenv("COMPANION_PREDICTIONS", value)
    ask("loss", "What?", OPTIONS)
    reveal("loss", "it falls")
    assert shown == [] and capsys.readouterr().out == "" and not path.exists()
    with pytest.raises(ValueError, match="is not an option"):
        reveal("loss", "it explodes")


@pytest.mark.parametrize(
    ("says", "function"),
    [
        ("'loss' needs at least two different options, got", lambda: ask("loss", "?", ["one"])),
        ("at least two different options", lambda: ask("loss", "?", ["one", "one"])),
        ("no prediction 'width' was asked: run the cell", lambda: reveal("width")),
        ("'up' is not an option of 'loss': it rises, it falls", lambda: reveal("loss", "up")),
    ],
)
def test_bad_input_says_what_to_do(path, shown, says, function):
    ask("loss", "What?", OPTIONS)
    with pytest.raises(ValueError, match=says):
        function()


def test_a_damaged_file_is_kept_aside(path, shown, capsys):
    path.parent.mkdir()
    path.write_text('{"loss":')
    ask("loss", "What?", OPTIONS)
    said = capsys.readouterr().out
    assert "could not be read" in said and "predictions.damaged.json" in said
    shown[0][1].value = "it falls"
    assert json.loads(path.read_text())["loss"]["choice"] == "it falls"
    assert path.with_suffix(".damaged.json").read_text() == '{"loss":'


def test_the_file_lies_beside_the_readers_course(tmp_path, monkeypatch):
    monkeypatch.delenv("COMPANION_PREDICTIONS_FILE")
    deep = tmp_path / "reader" / "course" / "figures"
    deep.mkdir(parents=True)
    (tmp_path / "reader" / ".companion").mkdir()
    monkeypatch.chdir(deep)
    assert predictions_path() == tmp_path / "reader" / ".companion" / "predictions.json"


def test_without_a_readers_folder_the_file_lies_here(tmp_path, monkeypatch):
    monkeypatch.delenv("COMPANION_PREDICTIONS_FILE")
    monkeypatch.chdir(tmp_path)
    assert predictions_path() == tmp_path / ".companion" / "predictions.json"
