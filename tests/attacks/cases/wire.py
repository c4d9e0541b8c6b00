"""Speaking the wire protocol: forged replies and handles, huge or deep frames, other processes."""

from tests.attacks.bank import WRONG, Case

GROUP = "speaking the wire protocol"

# Finds the session's connection, as any code in that process can, and sends frames of its own.
FORGE = """import gc, json, os, struct, sys
def connection():
    return next(o for o in gc.get_objects() if type(o).__name__ == "Channel").connection
def send(header, body=b"", claims=None):
    text = header if type(header) is bytes else json.dumps(header).encode()
    sizes = claims or (len(text), len(body))
    connection().sendall(struct.pack("!II", *sizes) + text + body)
def value(tree, **more):
    return {"reply": "value", "tree": tree, "states": [], "restored": [], "printed": ""} | more
HONEST = ["list", [["tuple", ["a", 2]], ["tuple", ["b", 1]]]]
"""


def _forged(frame: str, before: str = "") -> dict[str, str]:
    """An answer that sends `frame` in place of a reply, and never comes back."""
    text = f"{before}def runs(text):\n    send({frame})\n    import time\n    time.sleep(60)\n"
    return {"runs": FORGE + text}


def _case(name: str, tries: str, aims: str, frame: str, **more: object) -> Case:
    before = str(more.pop("before", ""))
    options = {"takes": "points", "shown_by": "an honest frame", "test_seconds": 2.0} | more
    return Case(name, tries, aims, answers=_forged(frame, before), **options)


CASES = [
    _case(
        "verdict_sent",
        "replies that the test has passed, with points",
        "a reply is a value or an error, never a verdict",
        '{"reply": "ok", "status": "ok", "points": 2.0}',
        statuses=("tampered",),
    ),
    _case(
        "empty_value_sent",
        "replies with a value of no known kind",
        "unknown tags are refused",
        'value(["anything", 1])',
        statuses=("tampered",),
    ),
    _case(
        "name_of_a_function_sent",
        "replies with the name of a function of Python",
        "only the checker sends names of functions",
        'value(["named", "builtins", "exit"])',
        statuses=("tampered",),
    ),
    _case(
        "function_sent",
        "replies with a function that the checker is to find",
        "functions of a test do not come back",
        'value(["function", 0, "runs"])',
        statuses=("tampered",),
    ),
    _case(
        "handle_forged",
        "replies with handles to objects that nobody made",
        "a handle is a number, and equal to no value",
        'value(["list", [["handle", 0, "list"], ["handle", -1, "x" * 1000]]])',
        statuses=("wrong", "timeout"),
    ),
    _case(
        "frame_too_large",
        "claims two gigabytes",
        "the size of a frame is limited",
        'b"{}", b"", (2, 2**31)',
        statuses=("tampered",),
    ),
    _case(
        "frame_unfinished",
        "claims 50 MB and sends a few bytes",
        "a deadline for the test",
        'b"{}", b"", (2, 50 * 2**20)',
        statuses=("timeout",),
        test_seconds=1.0,
    ),
    _case(
        "header_too_deep",
        "sends JSON nested a hundred thousand levels deep",
        "what JSON cannot read is refused",
        'b"[" * 100_000 + b"]" * 100_000',
        statuses=("tampered",),
    ),
    _case(
        "value_too_deep",
        "sends a list in a list, 300 times",
        "the depth of a value is limited",
        "value(deep)",
        statuses=("tampered",),
        before='deep = ["list", []]\nfor _ in range(300):\n    deep = ["list", [deep]]\n',
    ),
    _case(
        "value_of_many_parts",
        "sends a list of a million numbers one by one",
        "the number of parts is limited",
        'value(["list", [0] * 1_000_000])',
        statuses=("tampered",),
    ),
    _case(
        "keys_that_collide",
        "sends a set of integers with one hash, which takes minutes to build",
        "the number of keys is limited",
        'value(["set", [i * (2**61 - 1) for i in range(200_000)]])',
        statuses=("tampered",),
    ),
    _case(
        "tensor_of_false_size",
        "sends a tensor whose shape and bytes disagree",
        "shape and bytes are compared",
        'value(["tensor", "float32", [2**20, 2**20], False, 4, [0, 1]]), b"abcd"',
        statuses=("tampered",),
    ),
    _case(
        "number_of_many_digits",
        "sends an integer of a hundred thousand digits",
        "what JSON cannot read is refused",
        'b\'{"reply": "value", "tree": \' + b"9" * 100_000 + b"}"',
        statuses=("tampered",),
    ),
    _case(
        "range_without_end",
        "replies with a range of 10**12 numbers",
        "the length of a range is limited",
        'value(["range", 0, 10**12, 1])',
        statuses=("tampered",),
    ),
    _case(
        "error_of_a_strange_kind",
        "describes an exception that cannot be made",
        "exceptions are made anew, with nothing from the reply but text",
        '{"reply": "error", "type": "ExceptionGroup", "bases": ["ExceptionGroup"], "message": 1,'
        ' "restored": [], "printed": ""}',
        statuses=("error", "timeout"),
    ),
    _case(
        "error_with_odd_fields",
        "describes an exception with fields of the wrong kind",
        "a malformed reply is refused",
        '{"reply": "error", "type": [], "bases": 7, "check": [1, 2, 3], "where": [1, 2, 3],'
        ' "restored": 5, "printed": {}}',
        statuses=("tampered",),
    ),
    _case(
        "end_of_snapshot_forged",
        "says that its process has ended, and stays",
        "an exit status is never a verdict",
        '{"reply": "back", "status": 0}',
        statuses=("crash", "tampered", "timeout"),
    ),
    _case(
        "callback_without_a_function",
        "asks for a function of the test that was never passed",
        "a malformed reply is refused",
        '{"reply": "callback", "number": -1, "args": ["tuple", []], "named": ["dict", []]}',
        statuses=("tampered",),
    ),
    Case(
        "outcomes_of_cells_forged",
        "answers for its own cell with an outcome that no error can be made from",
        "a malformed reply is refused, wherever it is read",
        "harm",
        {
            "runs": FORGE
            + WRONG["runs"]
            + 'send({"reply": "cells", "outcomes": [["runs", {"bases": 5,'
            ' "type": "X", "message": "x", "where": [1]}, ""]]})\n'
        },
        statuses=("wrong", "error", "tampered"),
        shown_by="no guard",
    ),
    Case(
        "answered_in_advance",
        "sends the answer of the visible test twice, so that the next call finds one waiting",
        "an answer counts for what it says, compared with what this test expects",
        "points",
        {
            "runs": FORGE
            + """def runs(text):
    send(value(HONEST))
    return [("a", 2), ("b", 1)]
"""
        },
        visible_counts=True,
        shown_by="the visible test",
        test_seconds=2.0,
    ),
    Case(
        "answers_kept_for_later",
        "leaves a child that goes on reading the connection in the questions that follow",
        "a lost test is asked again alone; values are compared with this test's own",
        "harm",
        {
            "softmax": FORGE
            + WRONG["softmax"]
            + """
def softmax(scores, temperature):
    if os.fork() == 0:
        os.setsid()
        while True:
            try:
                connection().recv(1000)
                send(value(HONEST))
            except OSError:
                pass
    return scores
"""
        },
        spares_others=False,
        attacked=("softmax",),
        shown_by="no second try",
        test_seconds=2.0,
    ),
    Case(
        "session_killed",
        "kills the process that forked it",
        "a lost session is one submission's; the runtime parent is out of reach",
        "harm",
        {
            "runs": FORGE
            + """def runs(text):
    import signal, time
    if "companion.grading.session" not in sys.modules:
        return []
    if os.getsid(0) == os.getpid():
        os._exit(1)  # the session itself; after its loss, it forks what kills it
    parent = os.getppid()
    os.kill(parent, signal.SIGKILL)
    time.sleep(0.2)
    raise ValueError("parent-is-" + ("there" if os.getppid() == parent else "gone"))
"""
        },
        secret="parent-is-gone",
        shown_by="tier none",
    ),
    Case(
        "debugger_attached",
        "attaches a debugger to another process, which dies when the debugger does",
        "process namespace, seccomp",
        "harm",
        {
            "runs": WRONG["runs"]
            + """
import ctypes
seize, exit_kill = 0x4206, ctypes.c_long(1 << 20)
ctypes.CDLL(None).ptrace(seize, {victim}, 0, exit_kill)
"""
        },
    ),
]
