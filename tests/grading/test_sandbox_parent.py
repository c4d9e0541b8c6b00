"""The processes of test_sandbox.py, in two roles that its first argument names.

`probe` prints what `sandbox.probe` says.  `launch` starts the third role, `parent`, through
`sandbox.launch` and waits for it.  The parent starts sessions for requests on a socket: one JSON
object a line, answered by one.  Only the standard library, so that it starts quickly and for any
user.
"""

import ctypes
import errno
import json
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from companion.grading import sandbox

SECONDS = 20


def attempt(function, *arguments):
    """ "done", or the name of the error that the call raised."""
    try:
        function(*arguments)
    except Exception as error:
        return type(error).__name__
    return "done"


def call_libc(name, *arguments):
    """A function of the C library; raises OSError where it answers -1."""
    if ctypes.CDLL(None, use_errno=True)[name](*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


class Parent:
    def __init__(self, channel, settings):
        self.channel = channel
        self.settings = settings
        self.sessions = {}

    def start(self, code, *, plain=False, keep_channel=False, **changes):
        settings = {**self.settings, **changes}
        for name in ("readable", "hidden"):
            settings[name] = tuple(settings[name])
        policy = sandbox.Policy(**settings)
        read_end, write_end = os.pipe()
        pid = os.fork() if plain else sandbox.fork(policy)
        if pid == 0:
            kept = (write_end, self.channel.fileno()) if keep_channel else (write_end,)
            self._be_a_session(code, policy, write_end, kept)
        os.close(write_end)
        self.sessions[pid] = (policy, read_end)
        return {"pid": pid, "answer": self._next_answer(read_end)}

    def _be_a_session(self, code, policy, write_end, kept):
        def answer(value):
            os.write(write_end, json.dumps(value).encode() + b"\n")

        names = {"answer": answer, "attempt": attempt, "call_libc": call_libc, "kept": kept}
        names |= {"os": os, "sys": sys, "socket": socket, "time": time, "signal": signal}
        names |= {"mmap": mmap, "errno": errno, "subprocess": subprocess, "Path": Path}
        try:
            sandbox.isolate(policy, keep_fds=kept)
            exec(code, names)
        except BaseException as error:
            answer(f"{type(error).__name__}: {error}")
        os._exit(7)

    def _next_answer(self, read_end):
        text = b""
        while not text.endswith(b"\n"):
            if not select.select([read_end], [], [], SECONDS)[0]:
                return "no answer"
            part = os.read(read_end, 65536)
            if not part:
                return f"ended after {text.decode()!r}"
            text += part
        return json.loads(text.splitlines()[0])

    def wait(self, pid):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def kill(self, pid):
        """Whether the pipe, which everything that the session started holds open, is closed."""
        policy, read_end = self.sessions.pop(pid)
        sandbox.kill_session(pid, policy)
        is_closed = False
        while select.select([read_end], [], [], 1)[0] and not is_closed:
            is_closed = os.read(read_end, 65536) == b""
        os.close(read_end)
        return {"is_closed": is_closed, "left": len(sandbox._descendants(os.getpid()))}

    def memory(self, *, exact=False):
        return sandbox.memory_used(exact=exact)

    def about(self):
        return {"pid": os.getpid(), "python": sys.executable, "environment": dict(os.environ)}

    def tidy(self):
        if self.settings["tier"] in ("landlock", "none"):
            sandbox.tidy_scratch(self.settings["scratch"])


def serve(fd, settings):
    sandbox.become_subreaper()
    channel = socket.socket(fileno=fd)
    parent = Parent(channel, settings)
    with channel.makefile("r") as requests:
        for line in requests:
            name, arguments = json.loads(line)
            try:
                reply = {"value": getattr(parent, name)(**arguments)}
            except Exception as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            channel.sendall(json.dumps(reply).encode() + b"\n")


def main(role, *arguments):
    if role == "probe":
        print(json.dumps(sandbox.probe()))
    elif role == "launch":
        fd, text = int(arguments[0]), arguments[1]
        settings = json.loads(text)
        root = str(Path(sandbox.__file__).parents[2])
        process = sandbox.launch(
            settings["tier"],
            [sys.executable, __file__, "parent", str(fd), text],
            env={"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"},
            pass_fds=(fd,),
            readable=(*settings["readable"], f"{root}/companion", __file__),
            work=Path(settings["scratch"]).parent,
        )
        os.close(fd)
        print(process.pid, flush=True)
        process.wait()
    elif role == "parent":
        serve(int(arguments[0]), json.loads(arguments[1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
