"""What crosses between the processes arrives as its bytes say, and nothing else is accepted."""

from __future__ import annotations

import json
import math
import socket
import time
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.grading import wire
from companion.grading.wire import (
    Channel,
    Decoder,
    Encoder,
    Gone,
    Late,
    Unsupported,
    WireError,
)

Pair = namedtuple("Pair", "one two")


def crossed(value, *, by_name=False):
    """The value after a journey; handles are counted, functions refused."""
    kept = []

    def keep(thing):
        kept.append(thing)
        return "handle", len(kept) - 1, type(thing).__name__

    encoder = Encoder(keep, by_name=by_name)
    tree = json.loads(json.dumps(encoder.tree(value)))
    body = memoryview(b"".join(encoder.buffers))
    return Decoder(body, lambda *found: found, by_name=by_name).value(tree)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner)
    | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)  # fmt: skip


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b or (a != a and b != b)


@given(plain)
def test_plain_values_arrive_unchanged(value):
    assert same(crossed(value), value)


@settings(deadline=None)
@given(st.data())
def test_tensors_arrive_with_dtype_shape_values_and_layout(data):
    dtype = wire.TORCH_TYPES[data.draw(st.sampled_from(sorted(wire.TORCH_TYPES)))]
    shape = data.draw(st.lists(st.integers(0, 4), max_size=4))
    tensor = (10 * torch.randn(shape)).to(dtype)
    if tensor.ndim > 1:
        tensor = tensor.transpose(0, -1)
    back = crossed(tensor)
    assert back.dtype == dtype and back.shape == tensor.shape
    assert torch.equal(back, tensor) or tensor.isnan().any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool, torch.bfloat16])
def test_a_view_of_one_value_crosses_whatever_its_strides(dtype):
    row = torch.arange(6).reshape(1, 6).to(dtype)
    for view in (row[:, 2], row[:, 1:2], row[:, ::6], row[0, 3].expand(1), row[:, 4:5].T):
        assert torch.equal(crossed(view), view)


@pytest.mark.parametrize(
    "value",
    [
        torch.Size([2, 3]), range(2, 9, 3), {1, 2}, frozenset({"a"}), torch.float16,
        torch.device("cpu"), np.float32(0.1), np.arange(6).reshape(2, 3)[:, ::-1],
        np.array(3 + 2j), slice(1, None, 2), ..., float("inf"), 2**200, np.array(True),
    ],
    ids=repr,
)  # fmt: skip
def test_other_values_arrive_unchanged(value):
    back = crossed(value)
    assert type(back) is type(value)
    assert np.array_equal(back, value) if isinstance(value, np.ndarray) else back == value


def test_requires_grad_crosses():
    assert crossed(torch.ones(2, requires_grad=True)).requires_grad
    assert not crossed(torch.ones(2)).requires_grad


class Liar(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


class SoftTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return True


def test_dishonest_objects_arrive_as_what_they_are():
    assert type(crossed(Liar(3))) is int and crossed(Liar(3)) != 4
    soft = torch.zeros(2).as_subclass(SoftTensor)
    assert type(crossed(soft)) is torch.Tensor and torch.equal(crossed(soft), torch.zeros(2))
    assert type(crossed(Pair(1, 2))) is tuple and type(crossed(OrderedDict(a=1))) is dict
    assert type(crossed(torch.nn.Parameter(torch.ones(1)))) is torch.Tensor


def test_objects_stay_where_they_are():
    assert crossed(object()) == ("handle", 0, "object")
    assert crossed([torch.nn.ReLU()])[0][:2] == ("handle", 0)


def test_library_functions_travel_by_name_in_one_direction_only():
    assert crossed(torch.tanh, by_name=True) is torch.tanh
    assert crossed(ValueError, by_name=True) is ValueError
    with pytest.raises(WireError, match="malformed 'named'"):
        Decoder(memoryview(b""), lambda *_: None).value(["named", "builtins", "eval"])
    with pytest.raises(WireError):
        Decoder(memoryview(b""), lambda *_: None, by_name=True).value(["named", "os", "system"])


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (torch.ones(2, 2).to_sparse(), "layout torch.sparse_coo"),
        (torch.ones(2, device="meta"), "device meta"),
        (np.array(["a"], dtype=object), "dtype object"),
    ],
)
def test_what_does_not_cross_is_named(value, says):
    with pytest.raises(Unsupported, match=says):
        crossed(value)


def test_depth_and_size_are_limited():
    deep = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(Unsupported, match="nested over"):
        crossed(deep)
    with pytest.raises(Unsupported, match="MiB"):
        Channel(socket.socketpair()[0]).send({"a": 1}, [bytes(wire.MAX_FRAME)])


def deep_tree():
    tree = None
    for _ in range(100):
        tree = ["list", [tree]]
    return tree


def test_a_tree_that_is_too_deep_is_refused():
    with pytest.raises(WireError, match="too deeply"):
        Decoder(memoryview(b""), lambda *_: None).value(deep_tree())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    | st.sampled_from(sorted(Decoder._makers)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(anything, min_size=1, max_size=6), st.binary(max_size=40))
def test_no_tree_causes_anything_but_a_wire_error(tree, body):
    try:
        Decoder(memoryview(body), lambda tag, number, name: (tag, number, name)).value(tree)
    except WireError:
        pass


@pytest.mark.parametrize(
    "tree",
    [
        ["tensor", "float32", [2**39, 2**39], False, 4, [0, 1]],
        ["tensor", "float32", [-1], False, 4, [0]],
        ["tensor", "object", [1], False, 4, [0]],
        ["tensor", "float32", [1], False, 4, [5]],
        ["array", "|O8", [1], 4],
        ["bytes", 99],
        ["bytes", -1],
        ["set", [["list", []]]],
        ["generator", 4],
        ["function", 0, "f"],
    ],
    ids=str,
)
def test_malformed_values_are_refused(tree):
    def find(tag, number, name):
        raise ValueError("nothing is found")

    with pytest.raises(WireError):
        Decoder(memoryview(bytes(4)), find).value(tree)


def channels():
    near, far = socket.socketpair()
    return Channel(near), far


def test_frames_arrive_whole():
    channel, far = channels()
    Channel(far).send({"op": "x"}, [b"ab", b"c"])
    header, body = channel.receive()
    assert header == {"op": "x"} and bytes(body) == b"abc"


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (wire.LENGTHS.pack(2**31, 0), "a frame of"),
        (wire.LENGTHS.pack(1, 2**31), "a frame of"),
        (wire.LENGTHS.pack(3, 0) + b"{x}", "no JSON"),
        (wire.LENGTHS.pack(2, 0) + b"[]", "no object"),
        (wire.LENGTHS.pack(100_000, 0) + b"[" * 100_000, "no JSON"),
        (wire.LENGTHS.pack(6000, 0) + b'{"a":' + b"9" * 5994 + b"}", "no JSON"),
    ],
)
def test_what_is_no_frame_is_refused(sent, says):
    channel, far = channels()
    far.sendall(sent)
    with pytest.raises(WireError, match=says):
        channel.receive()


def test_the_end_and_the_deadline_are_told_apart():
    channel, far = channels()
    channel.deadline = time.monotonic() + 0.05
    far.sendall(b"ab")
    with pytest.raises(Late):
        channel.receive()
    channel.deadline = None
    far.close()
    with pytest.raises(Gone):
        channel.receive()
    with pytest.raises(Gone):
        for _ in range(10):
            channel.send({"op": "x"})


def test_a_drip_of_bytes_does_not_move_the_deadline():
    channel, far = channels()
    channel.deadline = time.monotonic() + 0.2
    far.sendall(wire.LENGTHS.pack(1000, 0))
    started = time.monotonic()
    with pytest.raises(Late):
        while True:
            far.sendall(b" ")
            channel._exactly(1)
            time.sleep(0.01)
    assert time.monotonic() - started < 1.0


def test_no_test_code_catches_a_broken_connection():
    for kind in (WireError, Gone, Late):
        assert not issubclass(kind, Exception)


def test_numbers_keep_every_bit():
    for value in (math.pi, 1e-320, -0.0, 0.1 + 0.2):
        assert math.copysign(1, crossed(value)) == math.copysign(1, value)
        assert crossed(value).hex() == value.hex()
