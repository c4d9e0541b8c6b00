"""Two filters that a process puts on itself for good: Landlock and seccomp, by system call.

Landlock holds a process to a list of paths, keeps it from TCP ports, and, on newer kernels, from
abstract Unix sockets and signals outside its own domain.  seccomp refuses whole system calls.
Children inherit both, nobody can take them off again, and neither needs privileges beyond
`no_new_privs`.  Linux only.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import stat
import struct
from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = (1 << bit for bit in range(4))
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_FOR_FILES = EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE | _IOCTL_DEV
READ = EXECUTE | READ_FILE | READ_DIR
# Devices are never made, and nothing that was written is run.
WRITE = ((1 << 15) - 1) & ~(EXECUTE | _MAKE_CHAR | _MAKE_BLOCK)


def call(function: str, *arguments: object) -> int:
    """A function of the C library that answers -1 and errno; raises OSError that names it."""
    prepared = [a.encode() if isinstance(a, str) else a for a in arguments]
    prepared = [ctypes.c_long(a) if isinstance(a, int) else a for a in prepared]
    result = getattr(_libc, function)(*prepared)
    if result < 0:
        code = ctypes.get_errno()
        named = " ".join([function, *(a for a in arguments if isinstance(a, str))])
        raise OSError(code, f"{named}: {os.strerror(code)}")
    return result


def abi() -> int:
    """The version of Landlock that the kernel offers; 0 where it offers none.

    1 files, 2 moves between folders, 3 truncation, 4 TCP, 5 device controls, 6 abstract sockets
    and signals.
    """
    try:
        return call("syscall", _CREATE_RULESET, None, 0, 1)
    except OSError:
        return 0


def restrict(rules: Iterable[tuple[str, int]]) -> None:
    """Allow this process the listed paths with everything below them, and nothing else.

    `rules` pairs a path with rights (`READ`, `WRITE`, or a sum of bits); a path that does not
    exist is left out.  All of TCP, and abstract sockets and signals to processes outside, are
    denied as far as the kernel's version knows of them.  Raises OSError where there is no
    Landlock.
    """
    version = abi()
    if version == 0:
        raise OSError(errno.EOPNOTSUPP, "the kernel offers no Landlock")
    files = (1 << (13, 14, 15, 15, 16)[min(version, 5) - 1]) - 1
    attributes = [files] + [0b11] * (version >= 4) + [0b11] * (version >= 6)
    packed = struct.pack(f"={len(attributes)}Q", *attributes)
    ruleset = call("syscall", _CREATE_RULESET, packed, len(packed), 0)
    try:
        for path, rights in rules:
            with contextlib.suppress(FileNotFoundError):
                _allow(ruleset, path, rights & files)
        call("syscall", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= _FOR_FILES
        rule = struct.pack("=Qi", rights, handle)
        call("syscall", _ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(handle)


_REFUSED = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "open_by_handle_at"),
    *("unshare", "setns", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup"),
    *("add_key", "request_key", "keyctl"),
    # Memory that no process would show as its own.
    *("memfd_create", "memfd_secret", "shmget", "msgget", "semget", "mq_open"),
)
_BY_ARGUMENT = ("clone", "socket", "prctl", "prlimit64")
# machine -> its name for seccomp, and the numbers of the calls in _REFUSED and _BY_ARGUMENT.
_MACHINES = {
    "x86_64": (
        0xC000003E,
        (101, 310, 311, 438, 304, 272, 308, 321, 298, 323, 425, 248, 249, 250)
        + (319, 447, 29, 68, 64, 240),
        (56, 41, 157, 302),
    ),
    "aarch64": (
        0xC00000B7,
        (117, 270, 271, 438, 265, 97, 268, 280, 241, 282, 425, 217, 218, 219)
        + (279, 447, 194, 186, 190, 180),
        (220, 198, 167, 261),
    ),
}
_CLONE3 = 435
_NEW_NAMESPACES = 0x7E020000
_X32_CALLS = 0x40000000
_AF_UNIX, _PR_SET_PDEATHSIG, _OWN_PROCESS = 1, 1, 0
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER, _MACHINE, _ARGUMENT = 0, 4, 16
_Line = tuple[int, int, int, int]  # operation, lines to skip where true, where false, operand
_DENY: _Line = (_RETURN, 0, 0, _ERROR | errno.EPERM)
_PERMIT: _Line = (_RETURN, 0, 0, _ALLOW)


def refuse_system_calls(*, unix_sockets: bool) -> None:
    """Make system calls that graded code has no use for fail with EPERM.

    Refused are sockets other than Unix ones (those too where `unix_sockets` is false; `socketpair`
    and sockets at hand go on working), new namespaces, debugging and limiting of other processes,
    outliving a parent, keys, bpf, and memory that the kernel would not show as a process's own.
    Needs `no_new_privs`.  Raises OSError on a machine whose calls are not known here.
    """
    machine = platform.machine()
    if machine not in _MACHINES:
        raise OSError(errno.EOPNOTSUPP, f"no list of system calls for {machine}")
    name, refused, (clone, socket, prctl, prlimit64) = _MACHINES[machine]
    program = [(_LOAD, 0, 0, _MACHINE), (_EQUAL, 1, 0, name), _DENY, (_LOAD, 0, 0, _NUMBER)]
    program += [(_AT_LEAST, 0, 1, _X32_CALLS), _DENY]
    for number in refused if unix_sockets else (*refused, socket):
        program += [(_EQUAL, 0, 1, number), _DENY]
    # The flags of clone3 lie in memory that a filter cannot read; libc then falls back to clone.
    program += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]
    program += _by_first_argument(clone, (_ANY_BIT, _NEW_NAMESPACES), then=_DENY, otherwise=_PERMIT)
    program += _by_first_argument(socket, (_EQUAL, _AF_UNIX), then=_PERMIT, otherwise=_DENY)
    program += _by_first_argument(prctl, (_EQUAL, _PR_SET_PDEATHSIG), then=_DENY, otherwise=_PERMIT)
    program += _by_first_argument(prlimit64, (_EQUAL, _OWN_PROCESS), then=_PERMIT, otherwise=_DENY)
    program += [_PERMIT]
    lines = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    header = struct.pack("HP", len(program), ctypes.addressof(lines))
    call("prctl", 22, 2, header, 0, 0)


def _by_first_argument(
    number: int, test: tuple[int, int], *, then: _Line, otherwise: _Line
) -> list[_Line]:
    operation, operand = test
    lines = [(_EQUAL, 0, 4, number), (_LOAD, 0, 0, _ARGUMENT), (operation, 0, 1, operand)]
    return [*lines, then, otherwise]
