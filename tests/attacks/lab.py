"""A small course that can be damaged, and the workers that grade attacks on it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from companion.grading.results import Result
from companion.grading.worker import Job, Worker
from tests.attacks import stock
from tests.attacks.bank import HIDDEN_TEXT, TARGET, Case, hand_in, notebook

REPOSITORY, GRADEBOOK, OTHER = "repository-canary-77", "gradebook-canary-41", "neighbour-canary-18"
ENVIRONMENT = "environment-canary-63"
CANARIES = (REPOSITORY, GRADEBOOK, OTHER, ENVIRONMENT, HIDDEN_TEXT)


class Lab:
    """Folders, sockets and a process that attacks may harm, and a count of what they did."""

    def __init__(self, folder: Path) -> None:
        self.course = folder / "course"
        self.submissions = folder / "handed-in"
        self.n_handed_in = 0
        self._lay_out()
        self.listeners = self._listeners()
        self.marks = _marks()
        self.victim = subprocess.Popen(["sleep", "3600"])

    def close(self) -> None:
        self.victim.kill()
        self.victim.wait()
        for listener in self.listeners:
            listener.close()

    def _lay_out(self) -> None:
        shutil.rmtree(self.course, ignore_errors=True)
        grading = self.course / "build" / "grading"
        (grading / "results" / "target").mkdir(parents=True)
        (grading / "submitted" / "neighbour" / "target").mkdir(parents=True)
        (grading / "submitted" / "neighbour" / "target" / "target.ipynb").write_text(OTHER)
        (grading / "gradebook.db").write_text(GRADEBOOK)
        (self.course / "solutions" / "target").mkdir(parents=True)
        shutil.copy(TARGET, self.course / "solutions" / "target")
        (self.course / "solutions" / "notes.txt").write_text(REPOSITORY)
        (self.course / "solutions" / "removable").write_text("")

    def _listeners(self) -> list[socket.socket]:
        stream = socket.create_server(("127.0.0.1", 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", stream.getsockname()[1]))
        named, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        named.bind(str(self.course.parent / "service"))
        abstract.bind("\0" + str(self.course.parent / "service"))
        for listener in (named, abstract):
            listener.listen()
        os.chmod(self.course.parent / "service", 0o777)
        listeners = [stream, datagrams, named, abstract]
        for listener in listeners:
            listener.setblocking(False)
        return listeners

    def fill_in(self, text: str) -> str:
        """Tells an attack where things are."""
        places = {
            "{port}": self.listeners[0].getsockname()[1],
            "{victim}": self.victim.pid,
            "{marks}": self.marks,
            "{me}": self.n_handed_in,
            "{service}": self.course.parent / "service",
            "{course}": self.course,
        }
        for name, place in places.items():
            text = text.replace(name, str(place))
        return text

    def hand_in(self, case: Case) -> Path:
        return hand_in(case, self.new_folder(), self.fill_in)

    def new_folder(self) -> Path:
        self.n_handed_in += 1
        folder = self.submissions / str(self.n_handed_in)
        folder.mkdir(parents=True)
        return folder

    def damage(self) -> list[str]:
        """What an attack did outside of its own process since the last call; undoes it."""
        found = []
        before = {"solutions/notes.txt", "solutions/removable", "solutions/target/target.ipynb",
                  "build/grading/gradebook.db",
                  "build/grading/submitted/neighbour/target/target.ipynb"}  # fmt: skip
        now = {str(p.relative_to(self.course)) for p in self.course.rglob("*") if p.is_file()}
        found += [f"file {name}" for name in sorted(before ^ now)]
        if (self.course / "build" / "grading" / "gradebook.db").read_text() != GRADEBOOK:
            found.append("gradebook")
        self._lay_out()
        for folder in ("/tmp", "/dev/shm", Path.home()):
            Path(folder, "lic-left-behind").unlink(missing_ok=True)
        for listener in self.listeners:
            with contextlib.suppress(BlockingIOError):
                if listener.type == socket.SOCK_DGRAM:
                    listener.recv(100)
                else:
                    listener.accept()[0].close()
                found.append("service")
        if self.victim.poll() is not None:
            found.append("victim")
            self.victim = subprocess.Popen(["sleep", "3600"])
        strays = stock.strays()
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        found += [f"{len(strays)} processes left"] * bool(strays)
        return found

    def stock(self, case: Case, seconds: float = 8.0) -> stock.Run:
        self.n_handed_in += 1

        def fill_in(text: str) -> str:
            return self.fill_in(text.replace("{victim}", str(stock.VICTIM)))

        made = notebook(case.answers, case.extra, fill_in)
        files = {name: fill_in(text) for name, text in case.files.items()}
        return stock.run(made, self.course.parent / "autograded", seconds, files)


def _marks() -> list[tuple[str, str]]:
    """Two neighbouring pieces, as hexadecimal text, of some rows of a held-out test split."""
    from companion.data import load

    rows = load("mnist1d", split="test").inputs[::250].numpy()
    return [(row[4:12].tobytes().hex(), row[12:20].tobytes().hex()) for row in rows]


def grade(worker: Worker, folder: Path, **options: float) -> Result:
    return worker.grade(Job("target", "somebody", str(TARGET), str(folder), **options))


def text_of(result: Result) -> str:
    return json.dumps(result.to_dict())
