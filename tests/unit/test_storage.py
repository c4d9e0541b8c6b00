"""Where the ledger and the stored computations live, and how damage shows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import companion
from companion import storage


@pytest.fixture
def course(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPANION_COURSE", str(tmp_path))
    folder = tmp_path / "precomputed" / "02"
    folder.mkdir(parents=True)
    content = json.dumps({"bits": [1, 2.5]}).encode()
    (folder / "ladder.json").write_bytes(content)
    manifest = {"ladder": {"sha256": hashlib.sha256(content).hexdigest()}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def test_the_course_folder_is_beside_the_package():
    folder = storage.course_folder()
    assert folder == Path(companion.__file__).resolve().parent.parent / "course"
    assert storage.ledger_path() == folder / "ledger.json"


def test_the_environment_moves_it(course):
    assert storage.course_folder() == course and storage.ledger_path() == course / "ledger.json"


@pytest.mark.parametrize(("value", "may"), [("write", True), ("", False), ("read", False)])
def test_the_ledger_is_written_only_where_told(monkeypatch, value, may):
    monkeypatch.setenv("COMPANION_LEDGER", value)
    assert storage.may_write_ledger() is may


def test_precomputed_reads_a_stored_result(course):
    assert storage.precomputed("02", "ladder") == {"bits": [1, 2.5]}


@pytest.mark.parametrize("missing", ["ladder.json", "manifest.json"])
def test_a_missing_file_is_named(course, missing):
    (course / "precomputed" / "02" / missing).unlink()
    with pytest.raises(
        FileNotFoundError, match="no stored result 'ladder' for chapter 02.*run the"
    ):
        storage.precomputed("02", "ladder")


def test_a_result_without_a_manifest_entry_is_named(course):
    (course / "precomputed" / "02" / "other.json").write_text("{}")
    with pytest.raises((FileNotFoundError, ValueError), match="other.*manifest"):
        storage.precomputed("02", "other")


def test_a_changed_file_is_refused(course):
    (course / "precomputed" / "02" / "ladder.json").write_text('{"bits": [1, 2.6]}')
    with pytest.raises(ValueError, match=r"ladder\.json is not the file.*make precompute ONLY=02"):
        storage.precomputed("02", "ladder")
