"""`companion doctor`: what this machine has, and for each problem one line of what to do.

Every `check_...` function is pure: it gets facts and returns a `Finding`.  `examine` collects the
facts.  A "problem" stops part of the course; a "note" costs something but stops nothing.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from companion.workspace import Course, CourseError, stale_copies

DEVICES = ("cuda", "mps", "xpu", "cpu")
PORT = 8888
FREE_GIB_NEEDED = 2.0


@dataclass(frozen=True)
class Finding:
    """One line of the report: `state` is "ok", "note" or "problem"; `remedy` what to do."""

    topic: str
    state: str
    text: str
    remedy: str = ""


def check_python(version: tuple[int, int]) -> Finding:
    """Python 3.11 to 3.14 is supported."""
    text = f"Python {version[0]}.{version[1]}"
    if (3, 11) <= version <= (3, 14):
        return Finding("python", "ok", text)
    return Finding(
        "python", "problem", f"{text}, expected 3.11 to 3.14",
        "install a supported Python, delete .venv, and run `make lab` again",
    )  # fmt: skip


def check_packages(required: list[str], installed: Mapping[str, str | None]) -> Finding:
    """`required` as in pyproject.toml ("numpy>=2.0"); `installed` versions, None where missing."""
    from packaging.requirements import Requirement

    wrong = []
    for text in required:
        requirement = Requirement(text)
        version = installed.get(requirement.name)
        if version is None:
            wrong.append(f"{requirement.name} is missing")
        elif not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, expected {requirement.specifier}")
    if wrong:
        return Finding(
            "packages", "problem", "; ".join(wrong),
            "run `pip install -c constraints.txt -e .` in the course's folder",
        )  # fmt: skip
    names = ("torch", "torchvision", "numpy", "jupyterlab", "nbgrader")
    shown = ", ".join(f"{name} {installed[name]}" for name in names if installed.get(name))
    return Finding("packages", "ok", shown)


def check_torch_pair(torch: str | None, torchvision: str | None) -> Finding:
    """torchvision 0.(N+15) is built for torch 2.N; another pair fails when it is imported."""
    minor = re.match(r"2\.(\d+)", torch or "")
    vision_minor = re.match(r"0\.(\d+)", torchvision or "")
    if minor and vision_minor:
        wanted = int(minor[1]) + 15
        if int(vision_minor[1]) == wanted:
            return Finding("torch pair", "ok", f"torchvision {torchvision} fits torch {torch}")
        text = f"torchvision {torchvision} does not belong to torch {torch}, expected 0.{wanted}"
    else:
        text = f"torch is {torch or 'missing'}, torchvision is {torchvision or 'missing'}"
    return Finding(
        "torch pair", "problem", text,
        "reinstall both together: `pip install -c constraints.txt torch torchvision`",
    )  # fmt: skip


def check_device(available: Mapping[str, bool] | str, wanted: str | None) -> Finding:
    """`available` per back-end, or the error that importing torch raised; `wanted` is
    COMPANION_DEVICE."""
    if isinstance(available, str):
        return Finding(
            "device", "problem", f"torch cannot be imported: {available}",
            "reinstall it: `pip install --force-reinstall -c constraints.txt torch torchvision`",
        )  # fmt: skip
    best = next(name for name in DEVICES if available.get(name) or name == "cpu")
    if wanted and wanted != "auto" and wanted not in DEVICES:
        return Finding(
            "device", "problem", f"COMPANION_DEVICE is {wanted!r}, which is no device",
            f"set it to one of auto, {', '.join(DEVICES)}, or unset it",
        )  # fmt: skip
    if wanted in DEVICES and wanted != "cpu" and not available.get(wanted):
        return Finding(
            "device", "note", f"COMPANION_DEVICE asks for {wanted}, which torch does not see here",
            "unset it, or install the torch build for that device; the CPU is used meanwhile",
        )  # fmt: skip
    return Finding("device", "ok", wanted if wanted in DEVICES else best)


def check_data(folder: Path) -> Finding:
    """Compares every shipped data file with its published SHA-256."""
    remedy = "restore the files with `git checkout -- companion/data/files`, or reinstall"
    listing = folder / "SOURCES.json"
    try:
        sources = json.loads(listing.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Finding("data", "problem", f"{listing.name} cannot be read ({error})", remedy)
    wrong = []
    for name, facts in sorted(sources.items()):
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != facts["sha256"]:
            wrong.append(f"{name} is damaged")
    if wrong:
        return Finding("data", "problem", "; ".join(wrong), remedy)
    return Finding("data", "ok", f"{len(sources)} files, checksums as published")


def check_sandbox(
    system: str, bwrap: str | None, user_namespaces: bool, landlock_abi: int
) -> Finding:
    """What grading could shut submissions in with.  Only grading needs it.

    `bwrap` is None (not installed), "" (it ran) or its complaint; `landlock_abi` 0 where absent.
    """
    if system != "Linux":
        return Finding(
            "sandbox", "note", f"none on {system}; only grading a class needs one",
            "grade on Linux",
        )  # fmt: skip
    landlock = f"Landlock ABI {landlock_abi}" if landlock_abi else "no Landlock"
    spaces = "user namespaces" if user_namespaces else "no user namespaces"
    if bwrap == "" and user_namespaces and landlock_abi:
        return Finding("sandbox", "ok", f"bubblewrap, {spaces}, {landlock}")
    if not user_namespaces:
        remedy = (
            "for grading: `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` "
            "(Ubuntu) or `sudo sysctl -w kernel.unprivileged_userns_clone=1` (older Debian)"
        )
    elif bwrap is None:
        remedy = "for grading: `sudo apt-get install bubblewrap`"
    elif bwrap:
        remedy = "for grading: run outside this container, or allow it user namespaces"
    else:
        remedy = "for grading: a kernel from 5.13 on with Landlock enabled"
    tool = "no bubblewrap" if bwrap is None else f"bubblewrap fails ({bwrap})" if bwrap else "bwrap"
    return Finding("sandbox", "note", f"{tool}, {spaces}, {landlock}", remedy)


def check_work(work: Path) -> Finding:
    """The reader's folder must be writable."""
    folder = next(p for p in (work, *work.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding("work", "ok", f"{work} is writable")
    except OSError as error:
        return Finding(
            "work", "problem", f"{folder} cannot be written to ({error.strerror})",
            f"give yourself the right (`sudo chown -R $USER {folder}`), or clone elsewhere",
        )  # fmt: skip


def check_port(is_free: bool, port: int = PORT) -> Finding:
    """JupyterLab's usual port; it takes the next one by itself."""
    if is_free:
        return Finding("port", "ok", f"{port} is free")
    return Finding(
        "port", "note", f"{port} is in use, so JupyterLab takes the next free one",
        "`jupyter server list` shows what runs; `make lab LAB_ARGS=--port=9000` chooses another",
    )  # fmt: skip


def check_disk(free_gib: float) -> Finding:
    """Room for runs, checkpoints and full data sets; the installation is there already."""
    if free_gib >= FREE_GIB_NEEDED:
        return Finding("disk", "ok", f"{free_gib:.0f} GiB free")
    return Finding(
        "disk", "problem", f"{free_gib:.1f} GiB free, expected {FREE_GIB_NEEDED:g}",
        "free some: `pip cache purge` and the folder build/ are safe to remove",
    )  # fmt: skip


def check_kernel(kernel: Path | None, python: Path) -> Finding:
    """The kernel named python3 must start the Python that has the course; None where missing."""
    if kernel is None:
        return Finding(
            "kernel", "problem", "Jupyter knows no kernel named python3",
            "run `python -m ipykernel install --sys-prefix`",
        )  # fmt: skip
    # A bare name means the Python that Jupyter itself runs in; python and python3 lie side by side.
    if kernel.name == str(kernel) or kernel.parent == python.parent:
        return Finding("kernel", "ok", f"python3 starts {python}")
    return Finding(
        "kernel", "problem", f"the kernel python3 starts {kernel}, the course is in {python}",
        "run `jupyter kernelspec remove python3`, then `python -m ipykernel install --sys-prefix`",
    )  # fmt: skip


def check_copies(stale: list[str] | str) -> Finding:
    """Copies in work/ that are older than the course, or the error that looking for them raised."""
    if isinstance(stale, str):
        return Finding("copies", "problem", stale, "then run this again")
    if not stale:
        return Finding("copies", "ok", "work/ is as new as the course")
    return Finding(
        "copies", "note", f"{len(stale)} in work/ are older than the course: {', '.join(stale)}",
        "run `companion update`; what you edited stays as it is",
    )  # fmt: skip


def examine() -> list[Finding]:
    """Collects the facts of this machine and judges them."""
    required = _requirements()
    versions = {name: _version(name) for name in map(_package_name, required)}
    findings = [
        check_python(sys.version_info[:2]),
        check_packages(required, versions),
        check_torch_pair(_version("torch"), _version("torchvision")),
        check_device(_devices(), os.environ.get("COMPANION_DEVICE")),
        check_data(Path(__file__).parent / "data" / "files"),
        check_kernel(_kernel(), Path(sys.executable)),
        check_sandbox(platform.system(), _bwrap(), _user_namespaces(), _landlock_abi()),
        check_port(_is_free(PORT)),
    ]
    try:
        course = Course.find()
    except CourseError as error:
        return [*findings, Finding("course", "problem", str(error), "then run this again")]
    free = shutil.disk_usage(course.root).free / 2**30
    return [
        *findings,
        check_disk(free),
        check_work(course.work),
        check_copies(_stale(course)),
    ]


def render(findings: list[Finding]) -> str:
    """The report as text, one finding a line and its remedy below."""
    width = max(len(finding.topic) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:<8} {finding.topic:<{width}}  {finding.text}")
        if finding.remedy:
            lines.append(f"{'':<8} {'':<{width}}  -> {finding.remedy}")
    return "\n".join(lines)


def _requirements() -> list[str]:
    """The base dependencies of the installed course, without those of its extras."""
    try:
        listed = metadata.requires("learning-is-compression") or []
    except metadata.PackageNotFoundError:
        listed = ["torch>=2.9", "torchvision>=0.24", "numpy>=2.0"]
    return [text for text in listed if "extra ==" not in text]


def _package_name(requirement: str) -> str:
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> dict[str, bool] | str:
    try:
        from companion import device

        return {name: is_there() for name, is_there in device.AVAILABLE.items()}
    except (ImportError, OSError) as error:
        return str(error).splitlines()[0]


def _stale(course: Course) -> list[str] | str:
    try:
        return stale_copies(course)
    except CourseError as error:
        return str(error)


def _kernel() -> Path | None:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        return Path(KernelSpecManager().get_kernel_spec("python3").argv[0])
    except NoSuchKernel:
        return None


def _bwrap() -> str | None:
    path = shutil.which("bwrap")
    if path is None:
        return None
    try:
        run = subprocess.run(
            [path, "--ro-bind", "/", "/", "--unshare-all", "true"],
            capture_output=True, text=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return run.stderr.strip() or f"exit status {run.returncode}" if run.returncode else ""


def _user_namespaces() -> bool:
    path = shutil.which("unshare")
    if path is None:
        return False
    return subprocess.run([path, "-rn", "true"], capture_output=True).returncode == 0


def _landlock_abi() -> int:
    """Version of the Landlock interface, 0 where the kernel has none."""
    if platform.system() != "Linux":
        return 0
    create_ruleset, only_version = 444, 1  # the same number on every Linux architecture
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, libc.syscall(create_ruleset, None, ctypes.c_size_t(0), only_version))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
