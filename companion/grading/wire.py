"""Values as bytes, between the process that runs student code and the one that judges it.

A frame is a length, a JSON header, and raw buffers.  Values are made anew from their bytes, so an
object with a dishonest equality, shape or conversion arrives as what its bytes say.  There is no
pickle in either direction.  Everything read from the other side is taken to be hostile: sizes,
depth and types are checked before anything is built.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

MAX_FRAME = 128 * 2**20  # bytes, header and buffers
MAX_HEADER = 16 * 2**20
MAX_DEPTH = 40
MAX_NODES = 500_000
MAX_KEYS = 20_000  # of a set or dict: equal hashes make building it take the square of that
LENGTHS = struct.Struct("!II")  # header, buffers

TORCH_TYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16,
        torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128,
    )
}  # fmt: skip
ARRAY_TYPES = frozenset(TORCH_TYPES) - {"bfloat16"}  # those that NumPy has too
NUMPY_KINDS = "biufc"
# Where a function or class may be sent by name instead of by what it holds.
NAMED_IN = ("torch", "torch.nn", "torch.nn.functional", "torch.optim", "numpy", "math", "builtins")


class Broken(BaseException):
    """The connection is of no use any more.  No Exception, so that no test cell catches it."""


class WireError(Broken):
    """What arrived is no frame of this protocol, or breaks a limit of it."""


class Gone(Broken):
    """The other side has gone."""


class Late(Broken):
    """The deadline has passed."""


class Unsupported(TypeError):
    """A value that does not cross; says which, and what does."""


class Channel:
    """Frames over a connected stream socket."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.deadline: float | None = None  # by time.monotonic()
        self.more_time: Callable[[], float] = lambda: 0.0  # seconds to add when it has passed

    def send(self, header: dict[str, Any], buffers: Iterable[bytes] = ()) -> None:
        text = json.dumps(header).encode()
        body = b"".join(buffers)
        if len(text) > MAX_HEADER or len(text) + len(body) > MAX_FRAME:
            raise Unsupported(
                f"{(len(text) + len(body)) / 2**20:.0f} MiB in one value; at most "
                f"{MAX_FRAME // 2**20} MiB cross at once."
            )
        self._set_timeout()
        with _told_apart():
            self.connection.sendall(LENGTHS.pack(len(text), len(body)) + text + body)

    def receive(self) -> tuple[dict[str, Any], memoryview]:
        """Header and buffers of the next frame.

        Raises Gone, Late once `deadline` has passed, WireError for anything that is no frame.
        """
        n_header, n_body = LENGTHS.unpack(self._exactly(LENGTHS.size))
        if n_header > MAX_HEADER or n_header + n_body > MAX_FRAME:
            raise WireError(f"a frame of {n_header + n_body} bytes")
        frame = self._exactly(n_header + n_body)
        text, body = frame[:n_header], frame[n_header:]
        try:
            header = json.loads(bytes(text))
        except (ValueError, RecursionError) as error:
            raise WireError(f"a header that is no JSON ({type(error).__name__})") from None
        if not isinstance(header, dict):
            raise WireError("a header that is no object")
        return header, body

    def _exactly(self, n_bytes: int) -> memoryview:
        data = bytearray(n_bytes)
        view, have = memoryview(data), 0
        while have < n_bytes:
            try:
                self._set_timeout()
                with _told_apart():
                    got = self.connection.recv_into(view[have:])
            except Late:
                more = self.more_time()
                if more <= 0:
                    raise
                self.deadline = time.monotonic() + more
                continue
            if not got:
                raise Gone("the other side has gone")
            have += got
        return memoryview(data)

    def _set_timeout(self) -> None:
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise Late("the deadline has passed")
            self.connection.settimeout(left)


@contextlib.contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise Late("the deadline has passed") from None
    except OSError as error:
        raise Gone(f"the other side has gone ({error})") from None


class Encoder:
    """Turns values into JSON trees and a list of buffers.

    `keep(value)` gives a tag ("handle" or "function"), a number and a name under which an object
    that is no plain data can be found again, or None where it must not cross, which raises
    Unsupported.  With `by_name`,
    functions and classes of torch, NumPy and Python travel as their names.
    """

    def __init__(
        self, keep: Callable[[Any], tuple[str, int, str] | None], *, by_name: bool = False
    ) -> None:
        self.keep, self.by_name = keep, by_name
        self.buffers: list[bytes] = []
        self.generators: list[torch.Generator] = []
        self.n_nodes = 0

    def tree(self, value: Any, depth: int = 0) -> Any:
        self.n_nodes += 1
        if depth > MAX_DEPTH or self.n_nodes > MAX_NODES:
            raise Unsupported(f"a value nested over {MAX_DEPTH} deep or of over {MAX_NODES} parts")
        kind = type(value)
        if value is None or kind in (bool, int, float):
            return value
        if kind is str:
            return value
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, np.ndarray | np.generic):
            return self._array(value)
        below = depth + 1
        if isinstance(value, torch.Size):
            return ["size", [int(n) for n in tuple.__iter__(value)]]
        if isinstance(value, tuple):
            return ["tuple", [self.tree(item, below) for item in tuple.__iter__(value)]]
        if isinstance(value, list):
            return ["list", [self.tree(item, below) for item in list.__iter__(value)]]
        if isinstance(value, dict | set | frozenset | range) and _is_long(value):
            raise Unsupported(f"a {kind.__name__} with too many parts does not cross.")
        if isinstance(value, dict):
            pairs = dict.items(value)
            return ["dict", [[self.tree(k, below), self.tree(v, below)] for k, v in pairs]]
        if kind in (set, frozenset):
            return [kind.__name__, [self.tree(item, below) for item in value]]
        if isinstance(value, bool | int | float | str):  # a subclass: as what it is made of
            base = next(t for t in (int, float, str) if isinstance(value, t))
            plain = {int: int.__int__, float: float.__float__, str: str.__str__}[base](value)
            return self.tree(base(plain) if type(plain) is not base else plain, depth)
        if isinstance(value, complex):
            return ["complex", value.real, value.imag]
        if isinstance(value, bytes | bytearray):
            return ["bytes", self._buffer(bytes(value))]
        if kind is range:
            return ["range", value.start, value.stop, value.step]
        if kind is slice:
            return ["slice", *(self.tree(part, below) for part in _parts(value))]
        if value is Ellipsis:
            return ["ellipsis"]
        if kind is torch.dtype:
            return ["dtype", str(value).removeprefix("torch.")]
        if kind is torch.device:
            return ["device", str(value)]
        if kind is torch.Generator:
            self.generators.append(value)
            return ["generator", self._buffer(value.get_state().numpy().tobytes())]
        named = _public_name(value) if self.by_name else None
        if named is not None:
            return ["named", *named]
        kept = self.keep(value)
        if kept is None:
            raise Unsupported(
                f"a {kind.__name__} does not cross; numbers, strings, containers, arrays and "
                "tensors do, and functions of the test cell."
            )
        tag, number, name = kept
        return [tag, number, name[:80]]

    def _buffer(self, data: bytes) -> int:
        self.buffers.append(data)
        return len(data)

    def _tensor(self, value: torch.Tensor) -> Any:
        with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
            dtype = str(value.dtype).removeprefix("torch.")
            if type(value) is torch.Tensor and dtype in ARRAY_TYPES and _is_plain(value):
                data = value.detach().numpy().tobytes()
                order = list(range(value.ndim))
                n_bytes = self._buffer(data)
                return ["tensor", dtype, list(value.shape), value.requires_grad, n_bytes, order]
            if value.layout is not torch.strided or dtype not in TORCH_TYPES or value.is_meta:
                raise Unsupported(
                    f"a tensor of dtype {dtype}, layout {value.layout} and device {value.device} "
                    "does not cross; dense tensors of numbers do."
                )
            plain = value.detach().as_subclass(torch.Tensor)
            laid = plain.cpu().resolve_conj().resolve_neg().clone()  # keeps the order of dimensions
            order = sorted(range(laid.ndim), key=lambda dim: (-laid.stride(dim), -laid.shape[dim]))
            flat = laid.new_empty(laid.numel())  # one value may have any stride, this has 1
            flat.copy_(laid.permute(order).reshape(-1))
            data = flat.view(torch.uint8).numpy().tobytes()
        n_bytes = self._buffer(data)
        return ["tensor", dtype, list(plain.shape), value.requires_grad, n_bytes, order]

    def _array(self, value: np.ndarray | np.generic) -> Any:
        plain = np.array(value, subok=False, order="C")
        if plain.dtype.kind not in NUMPY_KINDS:
            raise Unsupported(f"an array of dtype {plain.dtype} does not cross; numbers do.")
        tag = "scalar" if isinstance(value, np.generic) else "array"
        return [tag, plain.dtype.str, list(plain.shape), self._buffer(plain.tobytes())]


class Decoder:
    """Makes values from a tree and its buffers.

    `find(tag, number, name)` answers for handles and functions that stayed on the other side.
    Names of library functions are accepted with `by_name` alone: student code sends none.
    """

    def __init__(
        self, body: memoryview, find: Callable[[str, int, str], Any], *, by_name: bool = False
    ) -> None:
        self.body, self.find, self.by_name, self.place = body, find, by_name, 0
        self.generators: list[torch.Generator] = []
        self.n_nodes = 0

    def value(self, tree: Any, depth: int = 0) -> Any:
        self.n_nodes += 1
        if depth > MAX_DEPTH + 1 or self.n_nodes > MAX_NODES:
            raise WireError("a value nested too deeply or with too many parts")
        if type(tree) is str:
            return text(tree)
        if tree is None or type(tree) in (bool, int, float):
            return tree
        if type(tree) is not list or not tree or type(tree[0]) is not str:
            raise WireError(f"a {type(tree).__name__} where a tagged value was expected")
        make = self._makers.get(tree[0])
        if make is None:
            raise WireError(f"the unknown tag {tree[0][:20]!r}")
        try:
            return make(self, depth + 1, *tree[1:])
        except (TypeError, ValueError, OverflowError, RuntimeError, KeyError) as error:
            raise WireError(f"a malformed {tree[0]!r} ({type(error).__name__})") from None

    def _items(self, depth: int, trees: list[Any]) -> list[Any]:
        if type(trees) is not list:
            raise TypeError("no list")
        return [self.value(tree, depth) for tree in trees]

    def _keys(self, depth: int, trees: list[Any]) -> set[Any]:
        if len(trees) > MAX_KEYS:
            raise ValueError("too many parts")
        return {self.value(tree, depth) for tree in trees}

    def buffer(self, n_bytes: int) -> bytearray:
        """The next `n_bytes` of the frame."""
        if type(n_bytes) is not int or not 0 <= n_bytes <= len(self.body) - self.place:
            raise WireError("a buffer beyond the end of its frame")
        self.place += n_bytes
        return bytearray(self.body[self.place - n_bytes : self.place])

    def _tensor(
        self, _: int, dtype: str, shape: list[int], wants: bool, n_bytes: int, order: list[int]
    ) -> Any:
        """`order` names the dimensions from the slowest in memory to the fastest."""
        kind = TORCH_TYPES[dtype]
        data = self.buffer(n_bytes)
        if math.prod(_sizes(shape)) * kind.itemsize != n_bytes:
            raise ValueError("shape and bytes differ")
        if len(order) != len(shape) or sorted(order) != list(range(len(shape))):
            raise ValueError("no order of dimensions")
        tensor = torch.frombuffer(data, dtype=kind) if data else torch.empty(0, dtype=kind)
        tensor = tensor.reshape([shape[dim] for dim in order])
        if any(dim != place for place, dim in enumerate(order)):
            tensor = tensor.permute([order.index(dim) for dim in range(len(shape))])
        return tensor.requires_grad_() if wants is True and tensor.is_floating_point() else tensor

    def _array(self, _: int, dtype: str, shape: list[int], n_bytes: int) -> np.ndarray:
        kind = np.dtype(dtype)
        if kind.kind not in NUMPY_KINDS or len(dtype) > 4:
            raise ValueError("no dtype of numbers")
        data = bytes(self.buffer(n_bytes))
        if math.prod(_sizes(shape)) * kind.itemsize != n_bytes:
            raise ValueError("shape and bytes differ")
        return np.frombuffer(data, dtype=kind).reshape(shape).copy()

    def _generator(self, _: int, n_bytes: int) -> torch.Generator:
        generator = torch.Generator()
        generator.set_state(torch.frombuffer(self.buffer(n_bytes), dtype=torch.uint8))
        self.generators.append(generator)
        return generator

    def _dict(self, depth: int, pairs: list[Any]) -> dict[Any, Any]:
        if len(pairs) > MAX_KEYS:
            raise ValueError("too many parts")
        return {self.value(k, depth): self.value(v, depth) for k, v in pairs}

    def _named(self, _: int, module: str, name: str) -> Any:
        if not self.by_name or module not in NAMED_IN or name.startswith("_"):
            raise ValueError("no public name")
        return getattr(importlib.import_module(module), name)

    _makers: dict[str, Callable[..., Any]] = {
        "tensor": _tensor,
        "array": _array,
        "scalar": lambda self, d, *rest: self._array(d, *rest)[()],
        "size": lambda self, d, sizes: torch.Size(_sizes(sizes)),
        "tuple": lambda self, d, trees: tuple(self._items(d, trees)),
        "list": lambda self, d, trees: self._items(d, trees),
        "set": lambda self, d, trees: self._keys(d, trees),
        "frozenset": lambda self, d, trees: frozenset(self._keys(d, trees)),
        "dict": _dict,
        "complex": lambda self, d, real, imag: complex(float(real), float(imag)),
        "bytes": lambda self, d, n_bytes: bytes(self.buffer(n_bytes)),
        "range": lambda self, d, start, stop, step: _range(start, stop, step),
        "slice": lambda self, d, *parts: slice(*(self.value(part, d) for part in parts)),
        "ellipsis": lambda self, d: Ellipsis,
        "dtype": lambda self, d, name: TORCH_TYPES[name],
        "device": lambda self, d, name: torch.device(name),
        "generator": _generator,
        "named": _named,
        "handle": lambda self, d, number, name: self.find("handle", int(number), str(name)),
        "function": lambda self, d, number, name: self.find("function", int(number), str(name)),
    }


def text(value: Any, limit: int | None = None) -> str:
    """A string of at most `limit` characters, each of which can be written to a file."""
    return str(value)[:limit].encode("utf-8", "replace").decode()


def _is_plain(value: torch.Tensor) -> bool:
    """Whether a tensor lies in memory as its shape says, here, with nothing left to apply."""
    return (
        value.layout is torch.strided
        and value.device.type == "cpu"
        and value.is_contiguous()
        and not value.is_conj()
        and not value.is_neg()
    )


def _sizes(shape: list[int]) -> list[int]:
    if len(shape) > 64 or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise ValueError("no shape")
    return shape


def _range(start: int, stop: int, step: int) -> range:
    found = range(start, stop, step)
    if _is_long(found):
        raise ValueError("too many parts")
    return found


def _is_long(value: dict | set | frozenset | range) -> bool:
    try:
        return len(value) > (MAX_NODES if isinstance(value, range) else MAX_KEYS)
    except OverflowError:  # a range may be longer than any list
        return True


def _parts(value: slice) -> tuple[Any, Any, Any]:
    return value.start, value.stop, value.step


def _public_name(value: Any) -> tuple[str, str] | None:
    """Module and name under which both sides find a function or class of a library."""
    name = getattr(value, "__name__", None)
    if not callable(value) or type(name) is not str or name.startswith("_"):
        return None
    for module in NAMED_IN:
        if getattr(sys.modules.get(module), name, None) is value:
            return module, name
    return None
