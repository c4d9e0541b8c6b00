"""What a session can and cannot do, in every tier, started as root and as an ordinary user."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
from functools import cache
from pathlib import Path

import pytest

from companion.grading import sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")

ROOT = Path(__file__).resolve().parent.parent.parent
PARENT = Path(__file__).with_name("test_sandbox_parent.py")
SECONDS = 30
MIB = 2**20
NOBODY = 65534
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
WITH_NAMESPACES = ("bubblewrap", "namespace")
CASES = [
    (tier, user) for tier in sandbox.TIERS for user in (("root", "user") if IS_ROOT else ("user",))
]


def is_open_to_others(path: str) -> bool:
    place = Path(os.path.realpath(path))
    return all(folder.stat().st_mode & 0o001 for folder in (place, *place.parents))


@cache
def command_for(user: str) -> tuple[list[str], str]:
    """How to start Python as `user`, and why that is not possible ("" where it is)."""
    if user == "root" or not IS_ROOT:
        return [sys.executable], ""
    if not is_open_to_others(str(ROOT)):
        return [], "an ordinary user cannot read this repository"
    for python in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(python) and is_open_to_others(python):
            asked = subprocess.run(
                [python, "-c", "import sys; print(sys.version_info >= (3, 11))"],
                capture_output=True,
                text=True,
            )
            if asked.stdout.strip() == "True":
                identity = ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
                return ["setpriv", *identity, "--", python], ""
    return [], "no Python 3.11 that an ordinary user can read"


def environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GRADEBOOK_KEY": "secret",
    }


@cache
def reasons(user: str) -> dict[str, str]:
    command, reason = command_for(user)
    if reason:
        return dict.fromkeys(sandbox.TIERS, reason)
    asked = subprocess.run(
        [*command, str(PARENT), "probe"], capture_output=True, text=True, env=environment(), cwd="/"
    )
    return json.loads(asked.stdout)


class Runtime:
    """A runtime parent under test, with a small repository that holds something to steal."""

    def __init__(self, tier: str, user: str) -> None:
        self.tier, self.user = tier, user
        self.place = Path(tempfile.mkdtemp(prefix="sandbox-test-", dir="/var/tmp"))
        self.repository = self.place / "repository"
        for name in ("answers.txt", "library/readable.txt", "library/kept.txt"):
            self._write(name)
        for name in ("library/hidden/answers.txt", "library/data/held_out.bin", "library/data/a"):
            self._write(name)
        (self.repository / "library" / "data" / "link").symlink_to(self.repository / "answers.txt")
        self._write("library/late.py", "VALUE = 3")
        work = self.place / "work"
        work.mkdir()
        for path in (self.place, *self.place.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
            if user == "user" and IS_ROOT:
                os.chown(path, NOBODY, NOBODY)
        self.library = str(self.repository / "library")
        settings = {
            "tier": tier,
            "scratch": str(work / "scratch"),
            "readable": [self.library],
            "hidden": [f"{self.library}/hidden", f"{self.library}/data/held_out.bin"],
            "memory_bytes": 300 * MIB,
            "cpu_seconds": 20,
            "n_processes": 20,
            "file_bytes": 4 * MIB,
            "n_files": 40,
            "scratch_bytes": 8 * MIB,
        }
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [
                *command_for(user)[0],
                str(PARENT),
                "launch",
                str(theirs.fileno()),
                json.dumps(settings),
            ],
            env=environment(),
            pass_fds=(theirs.fileno(),),
            stdout=subprocess.PIPE,
            cwd="/",
        )
        theirs.close()
        ours.settimeout(SECONDS)
        self.channel = ours
        self.replies = ours.makefile("r")
        self.launched_pid = int(self.process.stdout.readline())

    def _write(self, name: str, text: str = "the answer is 42") -> None:
        path = self.repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def ask(self, name: str, **arguments):
        self.channel.sendall(json.dumps([name, arguments]).encode() + b"\n")
        line = self.replies.readline()
        assert line, (self.place / "work" / "runtime.log").read_text()
        reply = json.loads(line)
        assert "error" not in reply, reply["error"]
        return reply["value"]

    def run(self, code: str, **changes):
        """The answer of a session that runs `code`."""
        with self.session(code, **changes) as started:
            return started["answer"]

    @contextlib.contextmanager
    def session(self, code: str, **changes):
        started = self.ask("start", code=code, **changes)
        try:
            yield started
        finally:
            self.killed = self.ask("kill", pid=started["pid"])
            self.ask("tidy")

    def close(self) -> None:
        self.replies.close()
        self.channel.close()
        self.process.wait(timeout=SECONDS)
        self.process.stdout.close()
        shutil.rmtree(self.place)


def start(tier: str, user: str) -> Runtime:
    if reason := reasons(user)[tier]:
        pytest.skip(f"tier {tier}: {reason}")
    return Runtime(tier, user)


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def runtime(request):
    started = start(*request.param)
    yield started
    started.close()


@pytest.fixture
def guarded(runtime):
    """A runtime of a tier that protects more than limits do."""
    if runtime.tier == "none":
        pytest.skip("tier none protects no files, sockets or processes")
    return runtime


def attempts(calls: list[str]) -> str:
    """Code that answers what each call did."""
    return f"answer({{call: attempt(lambda: eval(call)) for call in {calls!r}}})"


DENIED = {"PermissionError", "FileNotFoundError", "NotADirectoryError", "OSError"}


def assert_denied(results: dict[str, str]) -> None:
    assert not {call: result for call, result in results.items() if result not in DENIED}


def test_probe_names_every_tier_and_best_is_usable():
    reported = sandbox.probe()
    assert tuple(reported) == sandbox.TIERS
    assert reported[sandbox.best()] == ""


def test_tiers_below_the_best_are_probed_on_demand(monkeypatch):
    reasons = {"bubblewrap": "no bwrap", "namespace": "", "landlock": "", "none": ""}
    probed = []
    monkeypatch.setattr(sandbox, "_probed", lambda tier: probed.append(tier) or reasons[tier])
    assert sandbox.best() == "namespace" and probed == ["bubblewrap", "namespace"]
    assert sandbox.probe() == reasons
    reasons |= dict.fromkeys(reasons, "an old kernel")
    with pytest.raises(OSError, match="no sandbox is usable: an old kernel"):
        sandbox.best()


def test_an_unknown_tier_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no tier 'docker'"):
        sandbox.launch("docker", ["/bin/true"], env={}, work=tmp_path)


def test_what_is_readable_can_be_read(runtime):
    path = f"{runtime.library}/readable.txt"
    assert runtime.run(f"answer(open({path!r}).read())") == "the answer is 42"


def test_files_outside_cannot_be_read(guarded):
    secret = str(guarded.repository / "answers.txt")
    calls = [f"open({path!r}).read()" for path in (secret, "/etc/passwd", "/etc/hostname")]
    calls += [f"open({str(guarded.place / 'work/runtime.log')!r}).read()"]
    calls += [f"open({str(ROOT / 'pyproject.toml')!r}).read()"]
    calls += [f"os.listdir({str(folder)!r})" for folder in (guarded.place / "work", ROOT, "/root")]
    calls += [f"open({guarded.library + '/data/link'!r}).read()"]
    calls += [f"os.symlink({secret!r}, 'link') or open('link').read()"]
    calls += [f"os.link({secret!r}, 'hard') or open('hard').read()"]
    assert_denied(guarded.run(attempts(calls)))


def test_hidden_files_cannot_be_read(guarded):
    hidden = [f"{guarded.library}/hidden/answers.txt", f"{guarded.library}/data/held_out.bin"]
    assert_denied(guarded.run(attempts([f"open({path!r}).read()" for path in hidden])))
    beside = f"{guarded.library}/data/a"
    assert guarded.run(f"answer(open({beside!r}).read())") == "the answer is 42"


def test_only_scratch_can_be_written(guarded):
    kept = f"{guarded.library}/kept.txt"
    calls = [f"open({path!r}, 'w')" for path in (kept, "/new", "/etc/new", f"{sys.prefix}/new")]
    calls += [f"open({str(guarded.place / 'work/new')!r}, 'w')", f"os.truncate({kept!r}, 0)"]
    calls += [f"os.{name}({kept!r})" for name in ("remove", "rmdir")]
    calls += [f"os.rename({kept!r}, 'mine')", f"os.mkdir({guarded.library + '/new'!r})"]
    calls += [f"os.chmod({kept!r}, 0)"] if guarded.tier != "landlock" else []
    assert_denied(guarded.run(attempts(calls)))
    assert Path(kept).read_text() == "the answer is 42"
    assert guarded.run("open('mine', 'w').write('3'); answer(open('mine').read())") == "3"


def test_scratch_is_empty_for_the_next_session(runtime):
    runtime.run("os.makedirs('a/b'); open('a/b/c', 'w').close(); os.chmod('a', 0); answer(0)")
    assert runtime.run("answer(os.listdir('.'))") == []


def test_nothing_can_be_connected_to(guarded):
    path = str(guarded.place / "work" / "socket")
    abstract = f"\0companion-{os.getpid()}-{guarded.tier}-{guarded.user}"
    tcp, local, hidden = (
        socket.create_server(("127.0.0.1", 0)),
        socket.socket(socket.AF_UNIX),
        socket.socket(socket.AF_UNIX),
    )
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    with tcp, local, hidden, udp:
        local.bind(path)
        os.chmod(path, 0o777)
        hidden.bind(abstract)
        for listener in (local, hidden):
            listener.listen()
        unix, inet = "socket.socket(socket.AF_UNIX)", "socket.socket()"
        datagram = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
        calls = [f"{unix}.connect({path!r})", f"{unix}.connect({abstract!r})"]
        calls += [f"{inet}.connect({tcp.getsockname()!r})", f"{inet}.bind(('127.0.0.1', 0))"]
        calls += [f"{datagram}.sendto(b'1', {udp.getsockname()!r})"]
        results = guarded.run(attempts(calls))
        refused = {*DENIED, "ConnectionRefusedError"}
        assert not {call: result for call, result in results.items() if result not in refused}
        assert not select.select([tcp, local, hidden, udp], [], [], 0)[0]


def test_other_processes_are_out_of_reach(runtime):
    if runtime.tier == "none" and runtime.user == "user":
        pytest.skip("tier none does not separate the processes of an ordinary user")
    parent = runtime.ask("about")["pid"]
    with runtime.session("answer(os.getpid()); time.sleep(60)") as other:
        targets = [parent, other["pid"], os.getpid(), -1]
        calls = [f"os.kill({pid}, signal.SIGKILL)" for pid in targets]
        started = runtime.ask("start", code=attempts(calls))
        results = started["answer"]
        if runtime.tier == "none":
            # Sessions of one parent are one user; a worker has one session at a time.
            del results[calls[1]], results[calls[3]]
        if runtime.tier not in WITH_NAMESPACES:
            # The signal went to the session itself, which is one of "all".
            results.pop(calls[3], None)
        assert set(results.values()) <= {"ProcessLookupError", "PermissionError"}, results
        assert runtime.ask("about")["pid"] == parent
        runtime.ask("kill", pid=started["pid"])


def test_a_session_sees_only_its_own_processes(runtime):
    if runtime.tier not in WITH_NAMESPACES:
        pytest.skip(f"tier {runtime.tier} does not hide other processes")
    code = "answer(sorted(int(name) for name in os.listdir('/proc') if name.isdigit()))"
    assert runtime.run(code) == [1]


FORKS = """
children = []
try:
    while len(children) < 200:
        pid = os.fork()
        if pid == 0:
            time.sleep(100)
            os._exit(0)
        children.append(pid)
except OSError as error:
    answer([len(children), error.errno == errno.EAGAIN])
else:
    answer([len(children), False])
time.sleep(100)
"""


def test_a_fork_bomb_stops_at_the_limit(runtime):
    with runtime.session(FORKS) as started:
        n_children, was_refused = started["answer"]
        assert was_refused and 5 <= n_children <= 20
        assert runtime.ask("about")["pid"]
    assert runtime.killed == {"is_closed": True, "left": 0}


def test_memory_is_limited_for_a_process(runtime):
    assert runtime.run(attempts(["bytearray(200 * 2**20)"])) == {"bytearray(200 * 2**20)": "done"}
    calls = ["bytearray(500 * 2**20)", "[bytearray(2**20) for _ in range(500)]"]
    assert set(runtime.run(attempts(calls)).values()) == {"MemoryError"}


@pytest.mark.parametrize(
    "code",
    [
        "kept = bytearray(os.urandom(1)) * (100 * 2**20)",
        "kept = mmap.mmap(-1, 100 * 2**20); kept.write(b'1' * len(kept))",
        "kept = bytearray(50 * 2**20) if os.fork() else bytearray(50 * 2**20)",
    ],
    ids=["one process", "shared", "two processes"],
)
def test_memory_of_all_processes_is_counted(runtime, code):
    with runtime.session("answer(0); time.sleep(100)"):
        at_rest = runtime.ask("memory")
    assert at_rest < 8 * MIB
    wait = "answer(0); time.sleep(100)"
    if "fork" in code:
        wait = "time.sleep(0.3); answer(0); time.sleep(100)"
    with runtime.session(f"{code}; {wait}"):
        assert 90 * MIB < runtime.ask("memory") < 120 * MIB
        assert 90 * MIB < runtime.ask("memory", exact=True) < 130 * MIB


def test_pages_shared_by_forked_processes_count_once_when_asked_to(runtime):
    code = "kept = bytearray(50 * 2**20); [os.fork() for _ in range(2)]"
    with runtime.session(f"{code}; time.sleep(0.3); answer(0); time.sleep(100)"):
        assert runtime.ask("memory") > 190 * MIB
        assert runtime.ask("memory", exact=True) < 90 * MIB


def test_a_file_and_the_number_of_files_are_limited(runtime):
    calls = ["open('large', 'wb').write(bytes(5 * 2**20))", "[open('f', 'w') for _ in range(50)]"]
    calls += ["[os.dup(0) for _ in range(50)]"]
    assert set(runtime.run(attempts(calls)).values()) == {"OSError"}


def test_scratch_is_limited(runtime):
    if runtime.tier not in WITH_NAMESPACES:
        pytest.skip(f"tier {runtime.tier} limits each file, not the folder")
    for folder in (".", "/tmp", "/dev/shm"):
        call = f"[open(f'{folder}/{{i}}', 'wb').write(bytes(2**20)) for i in range(10)]"
        names = f"[open(f'{folder}/n{{i}}', 'wb').close() for i in range(11000)]"
        assert set(runtime.run(attempts([call, names])).values()) == {"OSError"}


DETACHED = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        answer(os.getpid())
        time.sleep(100)
    os._exit(0)
time.sleep(0.3)
"""


@pytest.mark.parametrize("ending", ["time.sleep(100)", "os._exit(0)", "os.kill(os.getpid(), 11)"])
def test_a_detached_process_ends_with_its_session(runtime, ending):
    with runtime.session(DETACHED + ending) as started:
        assert isinstance(started["answer"], int)
    assert runtime.killed == {"is_closed": True, "left": 0}


def test_a_session_ends_with_its_parent(runtime):
    second = start(runtime.tier, runtime.user)
    try:
        code = "answer(0); time.sleep(100)"
        started = second.ask("start", code=code, keep_channel=True)
        assert started["answer"] == 0
        os.kill(second.launched_pid, 9)
        # The session holds this socket too: it ends only when both are gone.
        assert second.channel.recv(1) == b""
    finally:
        second.close()


def test_only_the_kept_files_are_open(runtime):
    code = """
        from contextlib import suppress
        found = []
        for fd in range(1000):
            with suppress(OSError):
                os.fstat(fd)
                found.append(fd)
        answer([found == sorted({0, 1, 2, *kept}), os.read(0, 10) == b'', os.write(1, b'1')])
    """
    assert runtime.run(textwrap.dedent(code)) == [True, True, 1]


def test_the_environment_holds_no_secret(runtime):
    names = runtime.run("answer(sorted(os.environ))")
    assert "GRADEBOOK_KEY" not in names
    assert "PYTHONPATH" in names
    assert "GRADEBOOK_KEY" not in runtime.ask("about")["environment"]


def test_privileges_cannot_be_regained(runtime):
    calls = ["os.setuid(0)", "os.setgid(0)", "os.seteuid(0)", "os.setgroups([0])"]
    calls += ["call_libc('mount', b'x', b'.', b'tmpfs', 0, None)", "os.chroot('.')"]
    calls += ["call_libc('umount2', b'/proc', 2)", "os.mknod('device', 0o20666, os.makedev(1, 1))"]
    assert_denied(runtime.run(attempts(calls)))
    code = (
        "answer([l.split()[1] for l in open('/proc/self/status') if l[:6] in ('NoNewP', 'CapEff')])"
    )
    if runtime.tier in WITH_NAMESPACES:
        assert runtime.run(code) == ["0" * 16, "1"]


def test_a_new_user_namespace_gives_nothing_back(guarded):
    new_user, new_mounts = 0x10000000, 0x20000
    calls = [f"call_libc('unshare', {flags})" for flags in (new_user, new_user | new_mounts)]
    calls += ["call_libc('umount2', b'/proc', 2)", f"open({str(ROOT / 'pyproject.toml')!r})"]
    calls += ["call_libc('mount', None, b'/', None, 0x44000, None)"]
    assert_denied(guarded.run(attempts(calls)))
    code = f"answer(attempt(call_libc, 'syscall', 56, {new_user | 17}, 0, 0, 0, 0))"
    assert guarded.run(code) == "PermissionError" or os.uname().machine != "x86_64"


def test_memory_that_nobody_would_count_is_refused(guarded):
    calls = ["os.memfd_create('x')", "call_libc('shmget', 0, 4096, 0o1600)"]
    calls += ["call_libc('syscall', 425, 8, 0)"]
    assert set(guarded.run(attempts(calls)).values()) == {"PermissionError"}


def test_other_processes_can_be_neither_traced_nor_limited_nor_outlived(guarded):
    target = guarded.ask("about")["pid"] if guarded.tier == "landlock" else 1
    calls = ["call_libc('ptrace', 0, 0, 0, 0)", "call_libc('prctl', 1, 0, 0, 0, 0)"]
    calls += [f"__import__('resource').prlimit({target}, 0, (1, 1))"]
    assert set(guarded.run(attempts(calls)).values()) == {"PermissionError"}


def test_modules_are_imported_late(runtime):
    code = "answer('colorsys' in sys.modules or attempt(lambda: __import__('colorsys')))"
    assert runtime.run(code) == "done"
    code = f"sys.path.insert(0, {runtime.library!r}); import late; answer(late.VALUE)"
    assert runtime.run(code) == 3


def test_numpy_is_imported_late(runtime):
    command, _ = command_for(runtime.user)
    found = subprocess.run([*command, "-c", "import numpy"], env=environment(), capture_output=True)
    if found.returncode:
        pytest.skip(f"{command[-1]} has no numpy")
    code = "import numpy; answer(float(numpy.ones(3) @ numpy.ones(3)))"
    assert runtime.run(code, n_files=100, memory_bytes=1024 * MIB) == 3.0


def test_programs_and_unix_sockets_of_its_own_work(runtime):
    if runtime.tier not in WITH_NAMESPACES:
        pytest.skip("without namespaces, no socket is made and Python may be out of reach")
    run = "subprocess.run([sys.executable, '-c', 'print(3)'], capture_output=True)"
    assert runtime.run(f"answer({run}.stdout.decode())") == "3\n"
    assert_works = "s = socket.socket(socket.AF_UNIX); s.bind('own'); s.listen(); answer('own')"
    assert runtime.run(assert_works) == "own"


@pytest.mark.parametrize("plain", [False, True], ids=["fork", "os.fork"])
def test_the_exit_status_reaches_the_parent(runtime, plain):
    started = runtime.ask("start", code="answer(0)", plain=plain)
    assert (started["answer"], runtime.ask("wait", pid=started["pid"])) == (0, 7)
    runtime.ask("kill", pid=started["pid"])
    crash = "answer(0); import ctypes; ctypes.string_at(0)"
    started = runtime.ask("start", code=crash, plain=plain)
    assert (started["answer"], runtime.ask("wait", pid=started["pid"])) == (0, -11)
    runtime.ask("kill", pid=started["pid"])


def test_a_session_from_a_plain_fork_is_isolated_and_killed(guarded):
    secret = str(guarded.repository / "answers.txt")
    assert_denied(guarded.run(attempts([f"open({secret!r})", "os.setuid(0)"]), plain=True))
    with guarded.session(DETACHED + "time.sleep(100)", plain=True) as started:
        assert isinstance(started["answer"], int)
    assert guarded.killed == {"is_closed": True, "left": 0}


def test_processor_time_is_limited(runtime):
    started = runtime.ask("start", code="answer(0)\nwhile True: pass", cpu_seconds=1)
    assert runtime.ask("wait", pid=started["pid"]) in (-24, -9)
    runtime.ask("kill", pid=started["pid"])


def test_tidying_follows_no_link_and_stops_at_no_permission(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("3")
    scratch = tmp_path / "scratch"
    (scratch / "locked" / "inner").mkdir(parents=True)
    (scratch / "locked" / "inner" / "file").write_text("3")
    (scratch / "locked" / "inner").chmod(0)
    (scratch / "locked").chmod(0)
    (scratch / "moved-0").write_text("a name that tidying uses itself")
    (scratch / "link").symlink_to(outside)
    os.mkfifo(scratch / "fifo")
    here = os.open(scratch, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("deep", dir_fd=here)
        deeper = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    sandbox.tidy_scratch(str(scratch))
    assert os.listdir(scratch) == []
    assert (outside / "kept").read_text() == "3"
