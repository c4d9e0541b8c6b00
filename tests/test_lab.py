"""`make lab` on a fresh clone serves the course, and a chapter's first cell runs there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import pytest
import websocket

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "the-test-of-make-lab"
CHAPTER = "course/02_architecture.ipynb"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no make; the README says how"),
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """The files that a clone of this working tree would hold."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    target = tmp_path_factory.mktemp("clone") / "learning is compression"  # a space, as people have
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


@pytest.fixture(scope="module")
def server(clone):
    """The address of the JupyterLab that `make lab` started in the clone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tools = str(Path(sys.executable).parent)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CONDA", "MAKE"))}
    environment["PATH"] = os.pathsep.join([tools, environment["PATH"]])
    arguments = f"--no-browser --port={port} --ServerApp.port_retries=0"
    log = (clone / "lab.log").open("w+")
    running = subprocess.Popen(
        ["make", "lab", "VENV=", f"LAB_ARGS={arguments} --IdentityProvider.token={TOKEN}"],
        cwd=clone, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    address = f"127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    try:
        while True:
            try:
                get(address, "api/status")
                break
            except OSError:
                log.flush()
                said = (clone / "lab.log").read_text()
                assert running.poll() is None, f"make lab ended:\n{said}"
                assert time.monotonic() < deadline, f"no JupyterLab after two minutes:\n{said}"
                time.sleep(0.3)
        yield address
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        try:
            running.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
        log.close()


def get(address: str, path: str, body: dict | None = None):
    request = urllib.request.Request(
        f"http://{address}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def run(address: str, kernel: str, code: str, seconds: float = 120) -> dict:
    """Runs code in a kernel of the server, as the page does; returns the kernel's reply."""
    session = uuid.uuid4().hex
    channel = websocket.create_connection(
        f"ws://{address}/api/kernels/{kernel}/channels?session_id={session}",
        header=[f"Authorization: token {TOKEN}"],
        timeout=seconds,
    )
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": session}
    header.update(username="reader", version="5.3", date="")
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    content["stop_on_error"] = True
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    channel.send(json.dumps({**message, "channel": "shell", "buffers": []}))
    try:
        while True:
            reply = json.loads(channel.recv())
            ours = reply["parent_header"].get("msg_id") == header["msg_id"]
            if ours and reply["msg_type"] == "execute_reply":
                return reply["content"]
    finally:
        channel.close()


def test_the_opening_page_and_the_chapter_are_served(server):
    assert "JupyterLab" in get(server, "lab/tree/course/00_start_here.ipynb")
    with urllib.request.urlopen(f"http://{server}/?token={TOKEN}", timeout=30) as answer:
        assert answer.url.partition("?")[0].endswith("/lab/tree/course/00_start_here.ipynb")
    for path in ("course/00_start_here.ipynb", CHAPTER):
        chapter = json.loads(get(server, f"api/contents/{path}"))
        assert chapter["type"] == "notebook" and chapter["content"]["cells"]
    listed = json.loads(get(server, "api/contents/assignments"))["content"]
    there = sorted(path.name for path in (ROOT / "assignments").iterdir())
    assert sorted(item["name"] for item in listed) == there


def test_the_first_cell_of_the_chapter_runs(server, clone):
    cells = json.loads(get(server, f"api/contents/{CHAPTER}"))["content"]["cells"]
    first = next(cell["source"] for cell in cells if cell["cell_type"] == "code")
    session = {"path": CHAPTER, "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    kernel = json.loads(get(server, "api/sessions", session))["kernel"]["id"]
    reply = run(server, kernel, first)
    assert reply["status"] == "ok", reply
    reply = run(server, kernel, f"import companion; assert {str(clone)!r} in companion.__file__")
    assert reply["status"] == "ok", reply  # the clone's own library, not another installed copy
