"""Hypothesis draws the same examples every time; no test sees the reader's own files."""

import pytest
from hypothesis import settings

settings.register_profile(
    "course", max_examples=40, deadline=None, derandomize=True, database=None, print_blob=False
)
settings.load_profile("course")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path_factory):
    for name in ("COMPANION_DEVICE", "COMPANION_COURSE", "COMPANION_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("COMPANION_PREDICTIONS_FILE", str(folder / "predictions.json"))
