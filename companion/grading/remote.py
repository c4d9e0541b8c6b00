"""The verbs of `companion.checks`, carried to the process in which the student's code lives."""

from __future__ import annotations

import builtins
import contextlib
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from companion import checks
from companion.checks import CheckFailed, Handle, NotAttempted
from companion.grading.wire import Broken, Channel, Decoder, Encoder, WireError, text

LOCAL_VERBS = {
    "call": checks.call,
    "state": checks.state,
    "n_parameters": checks.n_parameters,
    "vjp": checks.vjp,
    "operations": checks.operations,
}
TEXT_LIMIT = 2_000  # characters of anything a student's process says


class Lost(BaseException):
    """The student's process no longer answers.  `why` is a status of results.py.

    Not an Exception, so that no test cell catches it by accident.
    """

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why, self.message = why, message
        self.is_over = False  # whether the snapshot has ended and the session goes on
        self.in_test = False  # whether the cells had run before


class ProcessEnded(Broken):
    """A snapshot of the session ended by itself; `status` is that of waitpid."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True)
class There:
    """What stands for a student's object: its number in the process that holds it."""

    number: int
    process: int
    __name__: str


class Remote:
    """One connection to a session; `companion.checks.use_elsewhere` takes it.

    `names` are the functions that live in the session; helpers of `namespace` run here, where the
    student cannot touch them, unless they are given one of the student's objects.
    """

    def __init__(
        self, channel: Channel, names: frozenset[str], namespace: dict[str, Any], *,
        alone: Callable[..., Any] | None = None, cell: Callable[[str], str] | None = None,
    ) -> None:  # fmt: skip
        self.channel, self.names, self.namespace = channel, names, namespace
        self.alone, self.cell = alone, cell  # how the checker runs a function without this session
        self.is_closed = False  # from the first call of `alone` until the test cell ends
        self.process = 0  # counts snapshots: a handle of an earlier one is worth nothing
        self.forbidden: list[tuple[list[str], str]] = []
        self.functions: list[Any] = []
        self.restored: set[str] = set()
        self.printed: list[str] = []

    @contextlib.contextmanager
    def forbid(self, operators: tuple[str, ...], hint: str) -> Iterator[None]:
        self.forbidden.append((list(operators), hint))
        try:
            yield
        finally:
            self.forbidden.pop()

    def ask(self, verb: str, target: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        if self._runs_here(target, (args, kwargs)):
            checks.use_elsewhere(None)
            try:
                helper = Handle(self.namespace[target])
                return LOCAL_VERBS[verb](helper, *args, **kwargs)
            finally:
                checks.use_elsewhere(self)
        if self.is_closed:
            raise RuntimeError(f"{verb} came after `alone` in this test cell; it goes before")
        encoder = Encoder(self._keep, by_name=True)
        header = {
            "op": "ask", "verb": verb, "target": encoder.tree(target), "args": encoder.tree(args),
            "named": encoder.tree(kwargs), "forbidden": self.forbidden,
        }  # fmt: skip
        self.channel.send(header, encoder.buffers)
        return self._answer(encoder.generators)

    def _runs_here(self, target: Any, arguments: Any) -> bool:
        return (
            isinstance(target, str)
            and target not in self.names
            and target in self.namespace
            and not _holds_handle(arguments)
        )

    def _answer(self, generators: list[torch.Generator]) -> Any:
        while True:
            header, body = self.channel.receive()
            match header.get("reply"):
                case "value":
                    with hostile():
                        self._note(header)
                        return self._value(header, body, generators)
                case "error":
                    with hostile():
                        self._note(header)
                        error = remade(header)
                    raise error
                case "callback":
                    self._call_back(header, body)
                case "back":
                    raise ProcessEnded(status_of(header))
                case other:
                    raise WireError(f"the reply {str(other)[:40]!r} to a call")

    def _value(
        self, header: dict[str, Any], body: memoryview, generators: list[torch.Generator]
    ) -> Any:
        decoder = Decoder(body, self._find)
        value = decoder.value(header["tree"])
        for generator, n_bytes in zip(generators, header["states"], strict=True):
            generator.set_state(torch.frombuffer(decoder.buffer(n_bytes), dtype=torch.uint8))
        return value

    def _note(self, header: dict[str, Any]) -> None:
        self.restored.update(text(name, 80) for name in list(header["restored"])[:20])
        self.printed.append(text(header["printed"], TEXT_LIMIT))

    def _call_back(self, header: dict[str, Any], body: memoryview) -> None:
        with hostile():
            decoder = Decoder(body, self._find)
            args, kwargs = decoder.value(header["args"]), decoder.value(header["named"])
            function = self.functions[int(header["number"])]
        try:
            value = function(*args, **kwargs)
        except Exception as error:
            self.channel.send({"op": "raised", "message": f"{type(error).__name__}: {error}"})
            return
        encoder = Encoder(self._keep, by_name=True)
        tree = encoder.tree(value)
        self.channel.send({"op": "answer", "tree": tree}, encoder.buffers)

    def _keep(self, value: Any) -> tuple[str, int, str] | None:
        if isinstance(value, Handle) and isinstance(value.value, There):
            there = value.value
            if there.process != self.process:
                raise CheckFailed("error", "the object was lost when its process ended.")
            return "handle", there.number, there.__name__
        if isinstance(value, types.FunctionType | types.MethodType | types.BuiltinFunctionType):
            self.functions.append(value)
            return "function", len(self.functions) - 1, getattr(value, "__name__", "function")
        return None

    def _find(self, tag: str, number: int, name: str) -> Any:
        if tag != "handle":
            raise ValueError("a function of the test cell does not come back")
        return Handle(There(number, self.process, text(name, 80)))


def status_of(header: dict[str, Any]) -> int:
    """The exit status in a "back" reply, as waitpid gives it."""
    status = header.get("status")
    if not isinstance(status, int) or not 0 <= status < 2**16:
        raise WireError("a malformed exit status")
    return status


@contextlib.contextmanager
def hostile() -> Iterator[None]:
    """Turns whatever a malformed reply causes into WireError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise WireError(f"a malformed reply ({type(error).__name__})") from None


def _holds_handle(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_handle(item) for item in value.values())
    if isinstance(value, tuple | list):
        return any(_holds_handle(item) for item in value)
    return isinstance(value, Handle)


def remade(header: dict[str, Any]) -> BaseException:
    """The exception that a reply describes, as one of ours.

    It keeps type name, base types and message.  `where` is the student's line, `is_remote` True.
    """
    name, message = text(header.get("type"), 80), text(header.get("message"), TEXT_LIMIT)
    bases = [text(base, 80) for base in list(header.get("bases") or ())[:10]]
    check = header.get("check")
    if "NotAttempted" in (name, *bases):
        error: BaseException = NotAttempted()
    elif isinstance(check, list) and len(check) == 3:
        category, details, hint = (text(part, TEXT_LIMIT) for part in check)
        error = CheckFailed(category, details, hint)
    else:
        error = _class_of(name, bases)(message)
    error.where, error.is_remote = _place(header.get("where")), True
    return error


def _class_of(name: str, bases: list[str]) -> type[Exception]:
    """A class with this name that derives from the nearest built-in exception."""
    known = (getattr(builtins, base, None) for base in (name, *bases) if base.isidentifier())
    nearest = next(
        (
            kind
            for kind in known
            if isinstance(kind, type)
            and issubclass(kind, Exception)
            and not issubclass(kind, BaseExceptionGroup)  # cannot be made from a text
        ),
        RuntimeError,
    )
    if issubclass(nearest, UnicodeError | StopIteration) and nearest.__name__ != name:
        nearest = Exception
    if nearest.__name__ == name and not issubclass(nearest, UnicodeError):
        return nearest
    between = [kind for kind in bases if kind.isidentifier() and not hasattr(builtins, kind)]
    for middle in reversed(between):
        nearest = type(middle, (nearest,), {})
    return type(name if name.isidentifier() else "Exception_", (nearest,), {})


def _place(where: Any) -> tuple[str, int, str] | None:
    if not (isinstance(where, list) and len(where) == 3 and isinstance(where[1], int)):
        return None
    return text(where[0], 100), where[1], text(where[2], 200)
