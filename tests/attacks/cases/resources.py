"""Time, memory, processes, disk, descriptors, output, detached children, signals."""

from tests.attacks.bank import WRONG, Case

GROUP = "resources"

CASES = [
    Case(
        "endless_loop",
        "never comes back from a call, and swallows the interrupt",
        "a deadline at the socket, then a kill",
        "harm",
        {
            "runs": """def runs(text):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""
        },
        statuses=("timeout",),
        test_seconds=1.0,
    ),
    Case(
        "signals_ignored",
        "ignores every signal, in a loop without end at the top of a cell",
        "the runtime parent kills from outside",
        "harm",
        {
            "runs": """import signal
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    pass
"""
        },
        statuses=("timeout",),
        test_seconds=1.0,
    ),
    Case(
        "memory_filled",
        "fills the memory from several processes at once",
        "memory limits of each process and of the session",
        "harm",
        {
            "runs": """import os
def runs(text):
    for _ in range(3):
        if os.fork() == 0:
            break
    kept = []
    while True:
        kept.append(bytearray(64 * 2**20))
        kept[-1][::4096] = b"x" * len(kept[-1][::4096])
"""
        },
        statuses=("memory", "crash", "timeout"),
        test_seconds=6.0,
    ),
    Case(
        "processes_multiplied",
        "starts two hundred processes that stay, each in a session of its own",
        "a limit of processes, and a kill of all descendants",
        "harm",
        {
            "runs": """import ctypes, os, time
def runs(text):
    ctypes.CDLL(None).prctl(15, b"lic-attack", 0, 0, 0)
    for _ in range(200):
        if os.fork() == 0:
            os.setsid()
            time.sleep(30)
            os._exit(0)
    return []
"""
        },
    ),
    Case(
        "child_detached",
        "leaves a process that has left its group and its parent",
        "a kill of all descendants at the end of the submission",
        "harm",
        {
            "runs": WRONG["runs"]
            + """
import os, time, ctypes
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, b"lic-attack", 0, 0, 0)
        time.sleep(30)
    os._exit(0)
"""
        },
    ),
    Case(
        "disk_filled",
        "writes until the disk is full",
        "a small file system for the scratch folder, or a limit for each file",
        "secret",
        {
            "runs": WRONG["runs"]
            + """
written = 0
for number in range(6):
    try:
        with open(f"block{number}", "wb") as file:
            for _ in range(50):
                written += file.write(b"x" * 2**20)
    except OSError:
        pass
said = "written " + str(written // 2**20)
print(said)
def runs(text):
    raise ValueError(said)
"""
        },
        secret="written 300",
        known={"landlock": "many files can fill the disk"},
    ),
    Case(
        "descriptors_used_up",
        "opens files until no descriptor is left, before the tests",
        "a limit of open files; the checker has descriptors of its own",
        "harm",
        {"softmax": WRONG["softmax"]},
        extra=(
            (
                "softmax",
                "import os\nkept = []\ntry:\n    while True:\n"
                "        kept.append(os.dup(0))\nexcept OSError:\n    pass",
            ),
        ),
        spares_others=False,
    ),
    Case(
        "output_flooded",
        "prints without end",
        "output is cut as it is written",
        "harm",
        {
            "runs": """def runs(text):
    while True:
        print("x" * 10_000)
"""
        },
        statuses=("timeout",),
        test_seconds=1.0,
    ),
    Case(
        "stranger_killed",
        "sends SIGKILL to a process that has nothing to do with it",
        "process namespace; Landlock and another user",
        "harm",
        {
            "runs": WRONG["runs"]
            + """
import os, signal
try:
    os.kill({victim}, signal.SIGKILL)
except OSError:
    pass
"""
        },
    ),
    Case(
        "sleeps_in_many_cells",
        "sleeps just less than the limit in each of many cells",
        "a limit for the whole submission",
        "harm",
        {"softmax": WRONG["softmax"]},
        extra=tuple(("softmax", f"import time\ntime.sleep(1.9)  # {n}") for n in range(30)),
        attacked=("softmax", "scaling", "moving_sum", "runs"),
        spares_others=False,
        statuses=("timeout",),
        test_seconds=2.0,
        submission_seconds=5.0,
    ),
    Case(
        "long_range_returned",
        "returns a range of 2 * 10**8 numbers, which costs nothing until somebody lists it",
        "ranges that cross have a limited length; the checker's memory is limited",
        "harm",
        {"moving_sum": "def moving_sum(series, width):\n    return range(2 * 10**8)\n"},
        statuses=("error",),
    ),
    Case(
        "broadcast_blown_up",
        "returns a shape that makes the test's own arithmetic need terabytes",
        "the checker's memory is limited",
        "harm",
        {
            "moving_sum": "def moving_sum(series, width):\n"
            "    return torch.zeros(100 * 2**20, 1, dtype=torch.uint8)\n"
        },
        statuses=("wrong",),
        visible_statuses=("memory",),
    ),
]
