"""Calls a function of a notebook in a fresh process, on a student's own machine.

    python -m companion.grading.fresh

The process reads one call from its standard input and writes the answer to its standard output,
both as frames of `wire.py`.  Nothing is sandboxed here: what is to hold against intent holds in
the grader (`alone.py`).
"""

from __future__ import annotations

import json
import linecache
import os
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

from companion import checks
from companion.checks import CheckFailed
from companion.grading.wire import LENGTHS, Decoder, Encoder

PACKAGE = Path(__file__).resolve().parents[1]
SECONDS = 120.0
PRELUDE = "from companion.checks import NotAttempted\n"  # what a stub raises
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG")


def call_alone(name: str, part: str, args: tuple, kwargs: dict[str, Any]) -> Any:
    """The value of `name(*args, **kwargs)` where `part` is all that was run before."""
    encoder = Encoder(lambda value: None)
    header = {
        "name": name, "part": part, "args": encoder.tree(args), "named": encoder.tree(kwargs),
    }  # fmt: skip
    environment = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    environment |= {"PYTHONPATH": str(PACKAGE.parent), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "companion.grading.fresh"],
                input=_frame(header, encoder.buffers), capture_output=True, timeout=SECONDS,
                cwd=folder, env=environment | {"HOME": folder, "TMPDIR": folder},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise CheckFailed(
                "error", f"{name}, run alone, was still running after {SECONDS:g} s."
            ) from None
    if not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise CheckFailed(
            "error", f"the process of {name} ended by itself (status {done.returncode}): "
            f"{said[-1] if said else 'no message'}",
        )  # fmt: skip
    from companion.grading.remote import remade

    answer, body = _read(done.stdout)
    if answer["reply"] == "error":
        raise remade(answer)
    return Decoder(body, lambda tag, number, kind: checks.no_plain_data(name, kind)).value(
        answer["tree"]
    )


def _frame(header: dict[str, Any], buffers: list[bytes]) -> bytes:
    text, body = json.dumps(header).encode(), b"".join(buffers)
    return LENGTHS.pack(len(text), len(body)) + text + body


def _read(frame: bytes) -> tuple[dict[str, Any], memoryview]:
    n_header, _ = LENGTHS.unpack(frame[: LENGTHS.size])
    end = LENGTHS.size + n_header
    return json.loads(frame[LENGTHS.size : end]), memoryview(frame)[end:]


def _answered(header: dict[str, Any], body: memoryview) -> bytes:
    from companion.data import loading
    from companion.grading.session import described

    loading.take_away()
    decoder = Decoder(body, lambda *_: None)
    args, kwargs = decoder.value(header["args"]), decoder.value(header["named"])
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    source, filename = PRELUDE + header["part"], f"<{header['name']} alone>"
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    encoder = Encoder(lambda handle: ("handle", 0, type(handle.value).__name__))
    try:
        exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__)
        value = checks._outward(module.__dict__[header["name"]](*args, **kwargs))
        answer = {"reply": "value", "tree": encoder.tree(value)}
        return _frame(answer, encoder.buffers)
    except BaseException as error:  # noqa: BLE001  (a cell may raise anything)
        return _frame({"reply": "error", **described(error)}, [])


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not disturb the answer
    answers.write(_answered(*_read(sys.stdin.buffer.read())))
    answers.flush()


if __name__ == "__main__":
    main()
