"""The command `companion`: copies, self-checks, hand-in, and a doctor with a case per problem."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from companion import cli, doctor, selfcheck, workspace
from companion.workspace import Course, CourseError

ROOT = Path(__file__).resolve().parents[1]
NAME = "90_small"


def code(source, grade_id=None, *, solution=False, points=None):
    return cell("code", source, grade_id, solution=solution, points=points)


def cell(kind, source, grade_id=None, *, solution=False, points=None):
    made = {
        "cell_type": kind,
        "id": grade_id or f"cell-{abs(hash(source)) % 10**8}",
        "metadata": {},
    }
    made["source"] = source
    if kind == "code":
        made.update(outputs=[], execution_count=None)
    if grade_id:
        made["metadata"]["nbgrader"] = {
            "grade_id": grade_id,
            "schema_version": 3,
            "solution": solution,
            "grade": points is not None,
            "locked": not solution,
            "task": False,
        }
        if points is not None:
            made["metadata"]["nbgrader"]["points"] = points
    return made


def notebook(*cells):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    # As Jupyter does: on disk a source is a list of lines.
    path.write_text(nbformat.writes(nbformat.from_dict(content)) + "\n", encoding="utf-8")


STUB = "raise NotAttempted()"
FIRST = code("class NotAttempted(NotImplementedError):\n    pass")
BODIES = {
    "double": "return 2 * x",
    "square": "return x * x",
    "negate": "return -x",
    "halve": "return x / 2",
    "keep": "return x",
}


def define(name, body):
    return f"def {name}(x):\n    {body}"


def small_assignment(*, worked):
    cells = [FIRST]
    for name, body in BODIES.items():
        answer = f"### BEGIN SOLUTION\n    {body}\n    ### END SOLUTION" if worked else STUB
        cells.append(code(define(name, answer), name, solution=True))
    cells += [
        code("assert double(2) == 4, 'twice two is four'", "test_double", points=1),
        code("assert double(0) == 0", "test_double_zero", points=1),
        code("assert square(3) == 9, 'three squared is nine'", "test_square", points=2),
        code("assert negate(1) == -1", "test_negate", points=1),
        code(
            "halve(1)\nprint('only for even numbers')\n0.5 if halve(1) == 0 else 1.0",
            "test_halve",
            points=1,
        ),
        code("assert keep(1) == 1", "test_keep", points=1),
        code("", "hidden_double", points=3),
        cell("markdown", "Your answer here", "written_why", solution=True, points=2),
    ]
    return notebook(*cells)


@pytest.fixture
def course(tmp_path, monkeypatch) -> Course:
    root = tmp_path / "clone"
    (root / "companion").mkdir(parents=True)
    write(root / "course" / "00_start_here.ipynb", notebook(code("1 + 1")))
    write(root / "course" / f"{NAME}.ipynb", notebook(code("'chapter'")))
    write(root / "assignments" / NAME / f"{NAME}.ipynb", small_assignment(worked=False))
    (root / "assignments" / NAME / "notes.txt").write_text("units: metres\n")
    write(root / "solutions" / NAME / f"{NAME}.ipynb", small_assignment(worked=True))
    monkeypatch.chdir(root)
    return Course.find()


def answer(course, **bodies):
    """Writes answers into the reader's copy."""
    path = course.copy(NAME)
    own = workspace.read_notebook(path)
    for name, body in bodies.items():
        cells = workspace.solution_cells(own)
        cells[name]["source"] = define(name, body) if "\n" not in body else body
    write(path, own)


def sources(path):
    return [workspace.source(c) for c in workspace.read_notebook(path)["cells"]]


# ---- start, update, reset


def test_start_copies_what_is_missing_and_nothing_else(course, capsys):
    assert cli.main(["start"]) == 0
    mine = course.work / "course" / "00_start_here.ipynb"
    assert sources(mine) == ["1 + 1"]
    assert (course.work / "assignments" / NAME / "notes.txt").is_file()
    mine.write_text("mine")
    (course.work / "course" / f"{NAME}.ipynb").unlink()
    capsys.readouterr()
    assert cli.main(["start"]) == 0
    assert mine.read_text() == "mine"
    assert capsys.readouterr().out == f"new  work/course/{NAME}.ipynb\n"
    assert cli.main(["start"]) == 0
    assert capsys.readouterr().out == "nothing is missing in work/\n"


def test_the_course_is_found_from_below_and_missed_elsewhere(course, tmp_path, monkeypatch):
    cli.main(["start"])
    assert Course.find(course.work / "assignments" / NAME).root == course.root
    monkeypatch.setattr(workspace, "__file__", str(tmp_path / "lib" / "companion" / "workspace.py"))
    with pytest.raises(CourseError, match="change into the folder that you cloned"):
        Course.find(tmp_path)


def test_update_refreshes_unedited_copies_and_keeps_edited_ones(course, capsys):
    cli.main(["start"])
    mine = course.work / "course" / f"{NAME}.ipynb"
    ran = workspace.read_notebook(course.work / "course" / "00_start_here.ipynb")
    ran["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "2"}]
    write(course.work / "course" / "00_start_here.ipynb", ran)
    write(mine, notebook(code("'my own words'")))
    assert cli.main(["update"]) == 0  # nothing new: edits alone offer nothing
    write(course.chapters / "00_start_here.ipynb", notebook(code("1 + 2")))
    write(course.chapters / f"{NAME}.ipynb", notebook(code("'second edition'")))
    write(course.chapters / "01_more.ipynb", notebook(code("'more'")))
    assert workspace.stale_copies(course) == ["course/00_start_here.ipynb", f"course/{NAME}.ipynb"]
    capsys.readouterr()
    assert cli.main(["update"]) == 0
    out = capsys.readouterr().out
    assert "refreshed  work/course/00_start_here.ipynb" in out
    assert "new        work/course/01_more.ipynb" in out
    assert f"kept       work/course/{NAME}.ipynb" in out
    assert sources(course.work / "course" / "00_start_here.ipynb") == ["1 + 2"]
    assert sources(mine) == ["'my own words'"]
    assert sources(mine.with_name(f"{NAME}.new.ipynb")) == ["'second edition'"]
    assert cli.main(["update"]) == 0  # each version is offered once
    assert capsys.readouterr().out == "work/ is as new as the course\n"
    assert workspace.stale_copies(course) == []


def test_update_without_a_manifest_overwrites_nothing(course):
    cli.main(["start"])
    mine = course.work / "course" / f"{NAME}.ipynb"
    write(mine, notebook(code("'older'")))
    (course.state / "manifest.json").unlink()
    cli.main(["update"])
    assert sources(mine) == ["'older'"]


def test_update_keeps_a_new_version_that_was_edited(course, capsys):
    cli.main(["start"])
    mine, original = course.work / "course" / f"{NAME}.ipynb", course.chapters / f"{NAME}.ipynb"
    beside = mine.with_name(f"{NAME}.new.ipynb")
    write(mine, notebook(code("'my own words'")))

    def publish(text):
        write(original, notebook(code(text)))
        capsys.readouterr()
        assert cli.main(["update"]) == 0
        return list(mine.parent.glob("*.kept-*")), capsys.readouterr().out

    assert publish("'second'")[0] == [] and publish("'third'")[0] == []  # nothing of the reader's
    write(beside, notebook(code("'mine as well'")))
    kept, out = publish("'fourth'")
    assert sources(kept[0]) == ["'mine as well'"] and kept[0].name in out
    assert sources(beside) == ["'fourth'"] and sources(mine) == ["'my own words'"]
    assert publish("'fifth'")[0] == kept
    (course.state / "manifest.json").unlink()  # then everything counts as edited
    assert len(publish("'sixth'")[0]) == 2


def test_a_damaged_manifest_is_named(course, capsys):
    cli.main(["start"])
    (course.state / "manifest.json").write_text("{")
    assert cli.main(["update"]) == 2
    assert "manifest.json is damaged: delete it" in capsys.readouterr().err


def test_reset_puts_one_task_back_and_keeps_a_copy(course, capsys):
    cli.main(["start"])
    answer(course, double="return 3 * x", square="return x * x")
    assert cli.main(["reset", "90", "--task", "double"]) == 0
    tasks = workspace.solution_cells(workspace.read_notebook(course.copy(NAME)))
    assert workspace.source(tasks["double"]) == define("double", STUB)
    assert workspace.source(tasks["square"]) == define("square", "return x * x")
    (kept,) = course.copy(NAME).parent.glob("*.kept-*.ipynb")
    assert define("double", "return 3 * x") in sources(kept)
    assert kept.name in capsys.readouterr().out
    assert cli.main(["reset", "90", "--task", "treble"]) == 2
    assert "no task 'treble': expected one of double, square" in capsys.readouterr().err


def test_reset_puts_whole_notebooks_back(course):
    cli.main(["start"])
    for body in ("return 3 * x", "return 4 * x"):  # within a second: both versions are kept
        answer(course, double=body)
        assert cli.main(["reset", NAME]) == 0
    assert sources(course.copy(NAME)) == sources(course.released(NAME))
    assert len(list(course.copy(NAME).parent.glob("*.kept-*.ipynb"))) == 2
    chapter = course.work / "course" / f"{NAME}.ipynb"
    chapter.write_text("damaged")
    assert cli.main(["reset", NAME, "--chapter"]) == 0
    assert sources(chapter) == ["'chapter'"]


def test_reset_keeps_nothing_where_nothing_was_edited(course, capsys):
    cli.main(["start"])
    answer(course, double="return 3 * x")
    assert cli.main(["reset", NAME, "--task", "square"]) == 0  # another task was edited
    assert cli.main(["reset", NAME, "--chapter"]) == 0
    ran = course.work / "course" / "00_start_here.ipynb"
    changed = workspace.read_notebook(ran)
    changed["cells"][0]["execution_count"] = 7
    write(ran, changed)
    write(course.chapters / "00_start_here.ipynb", notebook(code("1 + 2")))  # a newer original
    assert cli.main(["reset", "00", "--chapter"]) == 0
    assert sources(ran) == ["1 + 2"]
    assert not list(course.work.rglob("*.kept-*"))
    assert "your version" not in capsys.readouterr().out


# ---- check


def test_check_names_each_outcome(course, capsys):
    cli.main(["start"])
    answer(course, double="return 2 * x", square="return 4 * x", halve="return x // 2")
    answer(course, keep="def keep(x)\n    return x")  # a syntax error
    path = course.copy(NAME)
    own = workspace.read_notebook(path)
    for c in own["cells"]:
        if workspace.grade_id(c) == "test_square":
            c["source"] = "assert True"  # an edited test changes nothing
        if workspace.grade_id(c) == "written_why":
            c["source"] = "Because two is twice one."
    own["cells"] = [c for c in own["cells"] if workspace.grade_id(c) != "test_double_zero"]
    own["cells"].append(own["cells"][-2])  # a repeated cell
    write(path, own)
    capsys.readouterr()
    assert cli.main(["check", "90_s"]) == 1
    out = capsys.readouterr().out
    row = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines()}
    assert row["double"] == "passed 2 / 2"
    assert row["square"] == "failed 0 / 2"
    assert "test_square: AssertionError: three squared is nine" in out
    assert row["negate"] == "not attempted 0 / 1"
    assert row["halve"] == "failed 0.5 / 1"
    assert "0.5 of 1 points (only for even numbers)" in out
    assert row["keep"] == "failed 0 / 1"
    assert "its cell: SyntaxError" in out
    assert row["written_why"] == "written read by the instructor"
    assert "visible tests: 2.5 of 7 points; hidden tests decide 3 more" in out
    assert sources(path) == [workspace.source(c) for c in own["cells"]]  # only read


def test_check_finds_a_lost_task(course, capsys):
    cli.main(["start"])
    path = course.copy(NAME)
    own = workspace.read_notebook(path)
    own["cells"] = [c for c in own["cells"] if workspace.grade_id(c) != "double"]
    rebuilt = selfcheck.rebuild(own, workspace.read_notebook(course.released(NAME)))
    assert "double" not in map(workspace.grade_id, rebuilt["cells"])
    reports = selfcheck.report(rebuilt, own, workspace.read_notebook(course.released(NAME)))
    assert reports[0].status == "failed"
    assert reports[0].messages == ["your notebook has lost this task's cell"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "message", "other"),
    [
        ("while True:\n    pass", "its cell: stopped, because it took too long", "passed"),
        (
            "while True:\n    try:\n        while True:\n            pass\n"
            "    except KeyboardInterrupt:\n        break",
            "",
            "passed",
        ),
        ("import os\nos._exit(1)", "the kernel died", "not run"),
    ],
)
def test_check_survives_an_endless_loop_and_a_dead_kernel(course, body, message, other):
    cli.main(["start"])
    answer(course, double=body + "\n", square="return x * x")
    own, released = (workspace.read_notebook(p) for p in (course.copy(NAME), course.released(NAME)))
    rebuilt = selfcheck.rebuild(own, released)
    executed = selfcheck.run(rebuilt, course.copy(NAME).parent, seconds_per_cell=1)
    reports = {r.task: r for r in selfcheck.report(executed, own, released)}
    assert message in " ".join(m for r in reports.values() for m in r.messages)
    assert reports["square"].status == other
    assert reports["double"].points == 0


def test_check_says_when_no_kernel_starts(course, capsys, monkeypatch, tmp_path):
    from jupyter_client.kernelspec import KernelSpecManager

    kernel = tmp_path / "python3"
    write(kernel / "kernel.json", {"argv": ["false"], "display_name": "", "language": "python"})
    found = KernelSpecManager().get_kernel_spec("python3").from_resource_dir(str(kernel))
    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda self, name: found)
    cli.main(["start"])
    assert cli.main(["check", NAME]) == 2
    assert "no Jupyter kernel starts here" in capsys.readouterr().err


def test_answers_that_only_add_comments_are_no_attempt():
    stub = define("double", STUB)
    assert not workspace.is_attempted(f"# think\n{stub}\n\n", stub)
    assert workspace.is_attempted(define("double", "return x"), stub)
    assert not workspace.is_attempted("Your  answer\nhere", "Your answer here")
    assert workspace.is_attempted("Because.", "Your answer here")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "assignments").iterdir()))
def test_check_reads_every_released_assignment(name, tmp_path):
    """As handed out: every task is there, none is attempted, nothing else goes wrong."""
    released = workspace.read_notebook(ROOT / "assignments" / name / f"{name}.ipynb")
    executed = selfcheck.run(selfcheck.rebuild(released, released), tmp_path)
    reports = selfcheck.report(executed, released, released)
    assert len(reports) >= 5
    assert {r.status for r in reports} == {"not attempted"}, reports


# ---- submit, solution, grade


def nbgrader(course, *arguments):
    shutil.copy(Path(__file__).parents[1] / "nbgrader_config.py", course.root)
    command = [sys.executable, "-m", "nbgrader", *arguments]
    return subprocess.run(command, cwd=course.root, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="nbgrader's exchange does not run on Windows")
def test_a_submission_is_collected_by_nbgrader(course, capsys):
    cli.main(["start"])
    answer(course, double="return 2 * x")
    cli.main(["reset", NAME, "--task", "double"])  # leaves a kept version that stays at home
    answer(course, double="return 2 * x")
    assert cli.main(["submit", "90"]) == 0
    out = capsys.readouterr().out
    assert "handed in: work/.companion/exchange/learning-is-compression/inbound/" in out
    assert "not attempted: square, negate, halve, keep, written_why" in out
    collected = nbgrader(course, "collect", NAME)
    assert collected.returncode == 0, collected.stderr
    (found,) = (course.root / "build" / "grading" / "submitted").glob(f"*/{NAME}/*.ipynb")
    assert sources(found) == sources(course.copy(NAME))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="nbgrader's exchange does not run on Windows")
def test_a_class_hands_in_where_the_instructor_says(course, capsys, tmp_path):
    shared = tmp_path / "shared by all"
    settings = f"c = get_config()\nc.Exchange.root = {str(shared)!r}\n"
    (course.root / "nbgrader_config.py").write_text(settings)
    cli.main(["start"])
    answer(course, double="return 2 * x")
    assert cli.main(["submit", NAME]) == 0
    (found,) = shared.glob(f"learning-is-compression/inbound/*/{NAME}.ipynb")
    assert f"handed in: {found.parent}" in capsys.readouterr().out
    assert not course.exchange.exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="nbgrader's exchange does not run on Windows")
def test_grade_prints_a_row_per_student(course, capsys):
    shutil.copy(Path(__file__).parents[1] / "nbgrader_config.py", course.root)
    cli.main(["start"])
    assert cli.main(["grade", NAME]) == 2
    assert f"nothing was handed in for {NAME}" in capsys.readouterr().err
    answer(course, **BODIES)
    assert cli.main(["submit", NAME]) == 0
    before = course.released(NAME).read_bytes()
    capsys.readouterr()
    assert cli.main(["grade", NAME, "--students", "nobody"]) == 2
    assert cli.main(["grade", NAME, "--require-tier", "vault"]) == 2
    assert "no tier 'vault'" in capsys.readouterr().err
    assert cli.main(["grade", NAME]) == 0
    out = capsys.readouterr().out
    assert re.search(r"10/10 .*1 to read", out), out
    assert "1 submissions in" in out and "sandbox: " in out
    assert course.released(NAME).read_bytes() == before


def test_solution_shows_an_answer_after_an_attempt_only(course, capsys):
    cli.main(["start"])
    capsys.readouterr()
    assert cli.main(["solution", NAME, "double"]) == 1
    assert "double is not attempted yet" in capsys.readouterr().out
    answer(course, double="return 5")
    assert cli.main(["solution", NAME, "double"]) == 0
    assert capsys.readouterr().out == define("double", BODIES["double"]) + "\n"
    assert cli.main(["solution", NAME, "treble"]) == 2
    shutil.rmtree(course.solutions)
    assert cli.main(["solution", NAME, "double"]) == 2
    assert cli.main(["grade", NAME]) == 2
    assert "without solutions/" in capsys.readouterr().err


# ---- errors in one line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "77"], f"'77' is no assignment: expected one of {NAME}"),
        (["reset", "77", "--chapter"], "'77' is no chapter: expected one of 00_start_here, 90"),
        (
            ["check", NAME],
            f"work/assignments/{NAME}/{NAME}.ipynb is not there: run `companion start`",
        ),
    ],
)
def test_errors_are_one_line(course, capsys, arguments, says):
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


@pytest.mark.parametrize("content", ["{", "[]", '{"nbformat": 3}', '{"nbformat": 4, "cells": 1}'])
def test_a_damaged_notebook_is_named(course, capsys, content):
    cli.main(["start"])
    course.copy(NAME).write_text(content)
    assert cli.main(["check", NAME]) == 2
    error = capsys.readouterr().err
    assert f"{NAME}.ipynb cannot be read as a notebook" in error and error.count("\n") == 1
    assert cli.main(["reset", NAME]) == 0  # what the message advises works


def test_a_missing_right_is_one_line(course, capsys, monkeypatch):
    def refuse(*args):
        raise PermissionError(13, "Permission denied", "work")

    monkeypatch.setattr(cli, "start", refuse)
    assert cli.main(["start"]) == 2
    assert capsys.readouterr().err == "companion: Permission denied: work\n"


def test_interrupting_is_one_line(course, capsys, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "start", interrupt)
    assert cli.main(["start"]) == 2
    assert capsys.readouterr().err == "companion: stopped\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe is another error on Windows")
@pytest.mark.parametrize("arguments", [["doctor"], ["start"]])
def test_a_reader_that_stops_reading_is_no_error(course, arguments):
    """As in `companion doctor | head`: whoever reads is gone before the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "companion", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=course.root, env=environment
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_starts_without_torch():
    command = [sys.executable, "-X", "importtime", "-m", "companion", "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert "doctor" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "numpy", "nbformat", "nbgrader"}


# ---- doctor: every problem and note it can name


def findings():
    good = {"cuda": False, "mps": False, "xpu": False, "cpu": True}
    python = Path("/env/bin/python")
    required = ["numpy>=2.0", "torch>=2.9"]
    return {
        "python old": (doctor.check_python((3, 10)), "problem", "expected 3.11 to 3.14"),
        "python new": (doctor.check_python((3, 15)), "problem", "expected 3.11 to 3.14"),
        "package missing": (
            doctor.check_packages(required, {"numpy": "2.4", "torch": None}),
            "problem",
            "torch is missing",
        ),
        "package old": (
            doctor.check_packages(required, {"numpy": "1.26.4", "torch": "2.14.1"}),
            "problem",
            "numpy is 1.26.4, expected >=2.0",
        ),
        "torch pair": (
            doctor.check_torch_pair("2.14.1+cpu", "0.24.1"),
            "problem",
            "does not belong to torch 2.14.1+cpu, expected 0.29",
        ),
        "torch missing": (doctor.check_torch_pair(None, "0.29.1"), "problem", "torch is missing"),
        "torch broken": (
            doctor.check_device("libcudart.so: cannot open", None),
            "problem",
            "torch cannot be imported: libcudart.so",
        ),
        "device unknown": (
            doctor.check_device(good, "gpu"),
            "problem",
            "'gpu', which is no device",
        ),
        "device absent": (doctor.check_device(good, "cuda"), "note", "asks for cuda"),
        "no bwrap": (doctor.check_sandbox("Linux", None, True, 7), "note", "no bubblewrap"),
        "bwrap fails": (
            doctor.check_sandbox("Linux", "setting up uid map", True, 7),
            "note",
            "bubblewrap fails (setting up uid map)",
        ),
        "no user namespaces": (
            doctor.check_sandbox("Linux", "", False, 7),
            "note",
            "no user namespaces",
        ),
        "no Landlock": (doctor.check_sandbox("Linux", "", True, 0), "note", "no Landlock"),
        "macOS": (doctor.check_sandbox("Darwin", None, False, 0), "note", "none on Darwin"),
        "port": (doctor.check_port(False), "note", "8888 is in use"),
        "disk": (doctor.check_disk(0.5), "problem", "0.5 GiB free, expected 2"),
        "no kernel": (doctor.check_kernel(None, python), "problem", "no kernel named python3"),
        "foreign kernel": (
            doctor.check_kernel(Path("/usr/bin/python3"), python),
            "problem",
            "starts /usr/bin/python3",
        ),
        "damaged manifest": (
            doctor.check_copies("work/.companion/manifest.json is damaged: delete it"),
            "problem",
            "manifest.json is damaged: delete it",
        ),
        "old copies": (doctor.check_copies(["course/02.ipynb"]), "note", "older than the course"),
    }


@pytest.mark.parametrize("case", findings())
def test_doctor_names_the_problem_and_a_remedy(case):
    finding, state, says = findings()[case]
    assert finding.state == state
    assert says in finding.text
    assert finding.remedy and "\n" not in finding.text + finding.remedy


def test_doctor_is_content_with_a_good_machine():
    good = [
        doctor.check_python((3, 11)),
        doctor.check_packages(["numpy>=2.0"], {"numpy": "2.4.6"}),
        doctor.check_torch_pair("2.9.1", "0.24.1"),
        doctor.check_device({"cuda": True, "cpu": True}, None),
        doctor.check_device({"cuda": True, "cpu": True}, "cpu"),
        doctor.check_sandbox("Linux", "", True, 7),
        doctor.check_port(True),
        doctor.check_disk(50.0),
        doctor.check_kernel(Path("python"), Path("/env/bin/python")),
        doctor.check_copies([]),
    ]
    assert {finding.state for finding in good} == {"ok"}
    assert [good[3].text, good[4].text] == ["cuda", "cpu"]


@pytest.fixture
def data_files(tmp_path) -> Path:
    folder = tmp_path / "files"
    shutil.copytree(Path(doctor.__file__).parent / "data" / "files", folder)
    return folder


def test_doctor_checks_the_data(data_files):
    assert doctor.check_data(data_files).state == "ok"
    with (data_files / "mnist1d.npz").open("r+b") as file:
        file.seek(100)
        file.write(b"\0\1\2")
    (data_files / "mnist.npz").unlink()
    finding = doctor.check_data(data_files)
    assert finding.state == "problem"
    assert finding.text == "mnist.npz is missing; mnist1d.npz is damaged"
    (data_files / "SOURCES.json").write_text("{")
    assert "SOURCES.json cannot be read" in doctor.check_data(data_files).text


def test_doctor_checks_that_work_can_be_written(tmp_path, monkeypatch):
    assert doctor.check_work(tmp_path / "work").state == "ok"

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    finding = doctor.check_work(tmp_path / "work")
    assert finding.state == "problem" and "Permission denied" in finding.text


def test_doctor_reports_this_machine(course, capsys, monkeypatch):
    cli.main(["start"])
    capsys.readouterr()
    status = cli.main(["doctor"])
    out = capsys.readouterr().out
    for topic in ("python", "packages", "torch pair", "device", "data", "sandbox", "port", "disk"):
        assert re.search(rf"^(ok|note|problem) +{topic} ", out, re.MULTILINE), topic
    assert status == ("problem" in out)
    monkeypatch.setattr(doctor.Course, "find", lambda: (_ for _ in ()).throw(CourseError("lost")))
    assert doctor.examine()[-1].text == "lost"


def test_doctor_lists_a_damaged_manifest_with_the_rest(course, capsys):
    cli.main(["start"])
    (course.state / "manifest.json").write_text("{")
    capsys.readouterr()
    assert cli.main(["doctor"]) == 1
    out, error = capsys.readouterr()
    assert re.search(r"^problem +copies .*manifest\.json is damaged: delete it", out, re.MULTILINE)
    assert re.search(r"^ok +work ", out, re.MULTILINE) and error == ""


def test_doctor_reads_facts_that_are_missing(monkeypatch, tmp_path):
    def missing(name):
        raise doctor.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "version", missing)
    monkeypatch.setattr(doctor.metadata, "requires", missing)
    assert doctor._version("torch") is None
    assert "torch>=2.9" in doctor._requirements()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor._bwrap() is None and doctor._user_namespaces() is False
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho no uid map >&2\nexit 1\n")
    broken.chmod(0o755)
    assert doctor._bwrap() == "no uid map"
    broken.write_text("no program")
    assert "Exec format" in doctor._bwrap()
    monkeypatch.setattr(doctor.platform, "system", lambda: "Darwin")
    assert doctor._landlock_abi() == 0
