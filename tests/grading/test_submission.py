"""What a student hands in is read, or refused in one friendly line; nothing else happens."""

from __future__ import annotations

import json
import os
import socket
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.grading import submission
from companion.grading.submission import Malformed, find_notebook, read_notebook

NAME = "02_architecture"


def notebook(*cells, **fields):
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)} | fields


def code(source="x = 1", **fields):
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": []} | fields


def marked(source, grade_id="task", **fields):
    return code(source, metadata={"nbgrader": {"grade_id": grade_id}}, **fields)


@pytest.fixture
def read(tmp_path):
    def read_content(content):
        path = tmp_path / "n.ipynb"
        if not isinstance(content, bytes):
            content = (content if isinstance(content, str) else json.dumps(content)).encode()
        path.write_bytes(content)
        return read_notebook(path)

    return read_content


def refusal(function, *args):
    with pytest.raises(Malformed) as caught:
        function(*args)
    message = str(caught.value)
    assert "\n" not in message and "expected" in message or "cannot be graded" in message
    assert "Usual reason: " in message and len(message) < 1000
    return message


# --- which file


@pytest.mark.parametrize(
    "files, chosen, note",
    [
        ([f"{NAME}.ipynb"], f"{NAME}.ipynb", ""),
        (["notes.txt", f"{NAME}.ipynb", f".~{NAME}.ipynb"], f"{NAME}.ipynb", ""),
        ([f"{NAME} (1).ipynb"], f"{NAME} (1).ipynb", "is named"),
        (["02_Architecture.IPYNB"], "02_Architecture.IPYNB", "is named"),
        ([f"{NAME}.ipynb", f"{NAME} (1).ipynb"], f"{NAME}.ipynb", "other notebooks were ignored"),
    ],
)
def test_the_notebook_is_found(tmp_path, files, chosen, note):
    for file in files:
        (tmp_path / file).write_text("")
    path, notes = find_notebook(tmp_path, NAME)
    assert path == tmp_path / chosen
    assert note in "".join(notes) and bool(notes) == bool(note)


@pytest.mark.parametrize(
    "files, said",
    [
        ([], "no notebook came"),
        (["answer.pdf", ".hidden.ipynb"], "no notebook came"),
        (["a.ipynb", "b.ipynb"], "2 notebooks came ('a.ipynb', 'b.ipynb')"),
        ([f"{n:03}.ipynb" for n in range(300)], "and 290 more"),
        (["a\nb\x1b[31m.ipynb", "c" * 200 + ".ipynb"], r"'a\nb\x1b[31m.ipynb'"),
    ],
)
def test_no_or_too_many_notebooks(tmp_path, files, said):
    for file in files:
        (tmp_path / file).write_text("")
    assert said in refusal(find_notebook, tmp_path, NAME)


def odd_entries(folder):
    (folder.parent / "secret.ipynb").write_text(json.dumps(notebook(code("secret"))))
    (folder / "link.ipynb").symlink_to(folder.parent / "secret.ipynb")
    (folder / "broken.ipynb").symlink_to(folder / "nothing")
    (folder / "folder.ipynb").mkdir()
    os.mkfifo(folder / "pipe.ipynb")
    here = os.getcwd()
    os.chdir(folder)  # the path of a socket is limited to about 100 bytes
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.ipynb")
    finally:
        os.chdir(here)
    return ["broken.ipynb", "folder.ipynb", "link.ipynb", "pipe.ipynb", "socket.ipynb"]


def test_links_pipes_sockets_and_folders_are_no_notebooks(tmp_path):
    folder = tmp_path / "submitted"
    folder.mkdir()
    odd = odd_entries(folder)
    message = refusal(find_notebook, folder, NAME)
    assert all(name in message for name in odd)
    (folder / f"{NAME}.ipynb").write_text("")
    path, notes = find_notebook(folder, NAME)
    assert path.name == f"{NAME}.ipynb" and all(name in notes[0] for name in odd)
    start = time.monotonic()
    for name in odd:
        refusal(read_notebook, folder / name)
    assert time.monotonic() - start < 1


def test_a_link_under_the_right_name_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text(json.dumps(notebook()))
    (tmp_path / f"{NAME}.ipynb").symlink_to(tmp_path / "elsewhere")
    assert "no ordinary file" in refusal(find_notebook, tmp_path, NAME)
    assert "it is a link" in refusal(read_notebook, tmp_path / f"{NAME}.ipynb")


def test_the_folder_itself_is_no_link_file_or_pipe(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "file", "pipe", "missing"):
        assert "cannot be opened" in refusal(find_notebook, tmp_path / name, NAME)


# --- what is in it


def test_cells_come_out_plain(read):
    cells = [
        marked(["def f():\r\n", "    pass"], id="abc"),
        {"cell_type": "markdown", "source": "Text", "metadata": "none"},
        code("y = 2", id=7, metadata={"nbgrader": ["grade_id"]}),
        code("z = 3", metadata={"nbgrader": {"grade_id": {"a": 1}}}),
    ]
    assert read(notebook(*cells)) == {
        "cells": [
            {"cell_type": "code", "source": "def f():\n    pass", "id": "abc", "grade_id": "task"},
            {"cell_type": "markdown", "source": "Text", "id": None, "grade_id": None},
            {"cell_type": "code", "source": "y = 2", "id": None, "grade_id": None},
            {"cell_type": "code", "source": "z = 3", "id": None, "grade_id": None},
        ],
        "notes": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + json.dumps(notebook(code())).encode(),
        json.dumps(notebook(code())).replace('"nbformat": 4,', '"nbformat": 3, "nbformat": 4,'),
        json.dumps(notebook(code(), extra=float("nan"))),
        notebook(code(), metadata=None),
        notebook(code(), metadata={"kernelspec": {"language": 5}, "language_info": []}),
        notebook(code(), metadata={"kernelspec": {"language": "Python"}}),
        notebook(code(), metadata={"language_info": {"name": "ipython"}}),
    ],
    ids=["bom", "duplicate key", "nan", "no metadata", "odd kernel", "python", "ipython"],
)
def test_harmless_oddities(read, content):
    (cell,) = read(content)["cells"]
    assert cell["source"] == "x = 1"


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"PK\x03\x04\xff\xfe", "is not UTF-8"),
        ("caf\u00e9".encode("latin-1"), "is not UTF-8"),
        (json.dumps(notebook()).encode("utf-16"), "is not UTF-8"),
        ("print('hello')", "is no JSON"),
        (json.dumps(notebook(code()))[:-9], "is no JSON"),
        ('{"nbformat": ' + "4" * 5000 + "}", "is no JSON"),
        ("[" * 100_000, "nested more than 100"),
        ('{"a":' * 500 + "1" + "}" * 500, "nested more than 100"),
        (notebook(extra=json.loads("[" * 150 + "]" * 150)), "nested more than 100"),
        ([], "holds a JSON list"),
        ("null", "holds a JSON null"),
        ("17", "holds a JSON number"),
        ({}, "no format number"),
        (notebook(nbformat="4"), "no format number"),
        (notebook(nbformat=True), "no format number"),
        ({"nbformat": 3, "worksheets": [{"cells": []}]}, "open it in JupyterLab"),
        (notebook(nbformat=5), "newer version"),
        (notebook(nbformat=10**400), "newer version"),
        (notebook(cells=None), "no list of cells"),
        (notebook(cells={"0": code()}), "no list of cells"),
        (notebook(metadata={"kernelspec": {"language": "R"}}), "a notebook in 'R'"),
        (notebook(metadata={"language_info": {"name": "julia"}}), "a notebook in 'julia'"),
        (notebook(*[code()] * 2001), "2,001 cells"),
        (notebook(code("#" * 200_001)), "200,001 bytes"),
        (notebook(*[code("#" * 190_000)] * 3), "570,000 bytes of code"),
        (notebook(code(), code("a\0b")), "cell 2"),
        (notebook(code("a\ud800b")), "binary"),
        (notebook(marked({"a": 1}, "conv1d")), "('conv1d') cannot be graded"),
        (notebook(marked("a\0", cell_type="markdown")), "binary"),
    ],
)
def test_malformed(read, content, said):
    assert said in refusal(read, content)


def test_a_large_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "n.ipynb"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    monkeypatch.setattr(submission.json, "loads", None)
    start = time.monotonic()
    assert "has 100 MB" in refusal(read_notebook, path)
    assert time.monotonic() - start < 0.5


def test_bad_cells_that_nothing_needs_are_left_out(read):
    cells = [
        3,
        None,
        code(5),
        code(["a", 5]),
        {"cell_type": "raw", "source": "\0"},
        {"cell_type": "markdown", "source": "m" * 300_000},
        {"cell_type": ["code"], "source": "x"},
        {},
        code("kept"),
    ]
    answer = read(notebook(*cells))
    assert [cell["source"] for cell in answer["cells"]] == ["x", "kept"]
    assert answer["cells"][0]["cell_type"] == "raw"
    (note,) = answer["notes"]
    assert all(f"{number} (" in note for number in (1, 2, 3, 4, 5, 6, 8)) and "9 (" not in note


def test_an_unreadable_file(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(submission.os, "open", refuse)
    assert "Permission denied" in refusal(read_notebook, tmp_path / "n.ipynb")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ODD_CELL = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw"]) | JSON,
        "source": st.text() | st.lists(st.text(), max_size=3) | JSON,
        "id": JSON,
        "metadata": JSON | st.fixed_dictionaries({"nbgrader": JSON})
        | st.fixed_dictionaries({"nbgrader": st.fixed_dictionaries({"grade_id": JSON})}),
    },
)  # fmt: skip
ODD_NOTEBOOK = st.fixed_dictionaries(
    {"nbformat": st.just(4) | JSON, "cells": st.lists(ODD_CELL | JSON, max_size=5) | JSON},
    optional={"metadata": JSON},
)


@given(content=JSON | ODD_NOTEBOOK)
@settings(max_examples=200, deadline=None)
def test_any_json_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.ipynb"
    path.write_text(json.dumps(content))
    try:
        answer = read_notebook(path)
    except Malformed as error:
        assert "Usual reason: " in str(error) and "\n" not in str(error)
    else:
        for cell in answer["cells"]:
            assert isinstance(cell["cell_type"], str) and isinstance(cell["source"], str)
            cell["source"].encode()


@given(content=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.ipynb"
    path.write_bytes(content)
    with pytest.raises(Malformed):
        read_notebook(path)
