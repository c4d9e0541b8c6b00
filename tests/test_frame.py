"""The frame agrees with itself: dependency lists, commands, ignored folders, licences, style."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from companion import doctor, workspace

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LISTED = [Requirement(t) for t in [*PROJECT["dependencies"], *sum(EXTRAS.values(), [])]]


def constraints():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def pins(machine="x86_64"):
    return {
        canonicalize_name(pin.name): pin
        for pin in constraints()
        if pin.marker is None or pin.marker.evaluate({"platform_machine": machine})
    }


def version(pin):
    (specifier,) = pin.specifier
    assert specifier.operator == "==", pin
    return specifier.version


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def make(*arguments, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CONDA", "VENV", "MAKE"))}
    return subprocess.run(
        ["make", "-n", *arguments],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
    ).stdout


# ---- one list of dependencies


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "arm64", "AMD64"])
def test_every_dependency_has_a_known_good_version_in_its_range(machine):
    pinned = pins(machine)
    for requirement in LISTED:
        pin = pinned.get(canonicalize_name(requirement.name))
        assert pin is not None, f"constraints.txt has no {requirement.name}"
        assert requirement.specifier.contains(version(pin)), f"{pin} is outside {requirement}"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "arm64", "AMD64"])
def test_torch_and_torchvision_belong_together(machine):
    pinned = pins(machine)
    pair = doctor.check_torch_pair(version(pinned["torch"]), version(pinned["torchvision"]))
    assert pair.state == "ok", pair.text


def test_constraints_name_each_package_once_and_no_index():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"https?://|^-", text, re.MULTILINE)
    for machine in ("x86_64", "aarch64"):
        names = [
            canonicalize_name(pin.name)
            for pin in constraints()
            if pin.marker is None or pin.marker.evaluate({"platform_machine": machine})
        ]
        assert len(names) == len(set(names))


def test_conda_installs_the_same_project():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == PROJECT["name"]
    conda = [item for item in environment["dependencies"] if isinstance(item, str)]
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    (python,) = [item for item in conda if item.startswith("python")]
    wanted = SpecifierSet(PROJECT["requires-python"])
    assert SpecifierSet(python.removeprefix("python")) == wanted
    assert not {canonicalize_name(r.name) for r in LISTED} & set(conda)  # pip installs them all
    assert "--constraint constraints.txt" in pip
    (project,) = [line for line in pip if line.startswith("--editable")]
    extras = set(re.search(r"\.\[(.*)\]$", project)[1].split(","))
    assert extras == set(EXTRAS)


def test_make_installs_every_extra():
    (extras,) = re.findall(r"^EXTRAS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(extras.split(",")) == set(EXTRAS)


def test_doctor_knows_the_supported_pythons():
    wanted = SpecifierSet(PROJECT["requires-python"])
    for minor in range(9, 18):
        assert (doctor.check_python((3, minor)).state == "ok") == wanted.contains(f"3.{minor}")


# ---- make


def test_make_has_the_commands_of_the_readme():
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True).stdout
    listed = set(re.findall(r"^make ([\w-]+)", shown, re.MULTILINE))
    wanted = (
        "lab test test-fast test-full validate notebooks assignments precompute grade bench "
        "browser test-device"
    )
    assert listed == set(wanted.split())
    for text in (
        ROOT / "README.md",
        ROOT / "docs" / "instructor.md",
        ROOT / "docs/CONTRIBUTING.md",
    ):
        named = set(re.findall(r"`make ([a-z-]+)", text.read_text(encoding="utf-8")))
        assert named <= listed | {"setup"}, text


@pytest.mark.parametrize(
    ("arguments", "environment", "python"),
    [
        ((), {}, ".venv/bin/python"),
        (("VENV=other",), {}, "other/bin/python"),
        (("VENV=",), {}, None),
        ((), {"VENV": ""}, None),
        ((), {"CONDA_DEFAULT_ENV": "course"}, None),
        ((), {"CONDA_DEFAULT_ENV": "base"}, ".venv/bin/python"),
    ],
)
def test_make_uses_the_python_that_was_asked_for(arguments, environment, python):
    line = make("test-fast", *arguments, **environment).splitlines()[-1]
    used = line.split()[0]
    if python is not None:
        assert used == python
    else:
        assert Path(used).is_absolute() and Path(used).name.startswith("python")
        assert "pip install" not in make("test-fast", *arguments, **environment)


def test_make_installs_with_constraints_unless_told_otherwise():
    fresh = make("lab", "VENV=nowhere")
    assert '--constraint "constraints.txt"' in fresh
    assert "GB to download" in fresh and fresh.index("GB to download") < fresh.index("pip install")
    assert "--constraint" not in make("lab", "VENV=nowhere", "CONSTRAINTS=")
    assert "--editable '.'" in fresh
    assert "--editable '.[" in make("test", "VENV=nowhere")
    assert "pip install" not in make("test-device", "VENV=nowhere")


def test_ci_runs_what_a_person_runs():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for name in ("ci", "weekly"):
        path = ROOT / ".github" / "workflows" / f"{name}.yml"
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        assert {job["runs-on"] for job in jobs.values()} == {"ubuntu-24.04"}
        assert any(
            ".ci/run" in step.get("run", "") for job in jobs.values() for step in job["steps"]
        )
    matrix = jobs["newest"]["strategy"]["matrix"]["python"]
    assert matrix == [f"3.{m}" for m in range(11, 15)]
    assert jobs["newest"]["env"]["CONSTRAINTS"] == ""


# ---- the repository


def test_generated_folders_are_ignored():
    for path in ("work/course/a.ipynb", "build/bench.json", ".venv/pyvenv.cfg"):
        assert git("check-ignore", path).strip() == path
    tracked = git("ls-files", "work", "build", ".venv", "*.pyc", "*/.ipynb_checkpoints/*")
    assert tracked == ""


def test_nbgrader_reads_the_configuration():
    script = (
        "from traitlets.config import PyFileConfigLoader as L; import json; "
        "c = L('nbgrader_config.py').load_config(); print(json.dumps(["
        "c.CourseDirectory.course_id, c.CourseDirectory.source_directory, "
        "c.CourseDirectory.release_directory, c.Exchange.root, c.ClearSolutions.code_stub]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    course_id, source, release, exchange, stub = json.loads(done.stdout)
    assert (course_id, source, release) == (workspace.COURSE_ID, "solutions", "assignments")
    assert Path(exchange) == workspace.Course(ROOT).exchange
    assert stub == {"python": "raise NotAttempted()"}


def test_licences_and_data_are_stated():
    assert "MIT License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "CC BY 4.0" in (ROOT / "LICENSE-TEXT").read_text(encoding="utf-8")
    sources = json.loads((ROOT / "companion/data/files/SOURCES.json").read_text(encoding="utf-8"))
    files = {p.name for p in (ROOT / "companion/data/files").iterdir()} - {"SOURCES.json"}
    assert set(sources) == files
    assert all(facts["licence"] and facts["origin"] for facts in sources.values())


def test_local_links_in_the_documents_lead_somewhere():
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for document in documents:
        text = document.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" not in link:
                assert (document.parent / link).exists(), f"{document.name}: {link}"


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]])
def test_code_is_formatted_and_linted(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--quiet", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
