"""What a function needs of its cell, and what of that counts."""

from __future__ import annotations

import ast
import random

import pytest

from companion.standing import FREE_BYTES, FREE_PACKED, part, size

CELL = '''
"""A note of the author's."""
import math
import torch, zlib as packer
from collections import deque

TABLE = {}
for bits in range(3):  # fills it
    TABLE[bits] = 2**bits
TABLE.update({9: 512})
data = load("mnist")  # needed by nothing below


def factor(code: int) -> int:
    """Of the table."""
    return TABLE[code]


class Reader:
    """A docstring is all it has."""


def unpack(blob):
    """Takes `blob` apart."""
    # 0x1F is what the header says
    data = packer.decompress(blob)
    parts = [factor(byte & 0x1F) for byte in data]
    def inner():
        return Reader, parts
    return inner()


print(unpack(pack(given)))
'''


def test_a_part_holds_what_is_named_and_nothing_else():
    text = part(CELL, "unpack")
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    assert {"TABLE", "factor", "Reader", "packer", "bits"} <= names
    assert not {"load", "math", "deque", "print", "given"} & names and "import math" not in text
    assert "512" in text and text.count("TABLE") == 4
    assert "docstring" not in text and "Takes" not in text and "#" not in text
    space = {}
    exec(text, space)
    assert space["unpack"](__import__("zlib").compress(b"\x00\x01\x02"))[1] == [1, 2, 4]


@pytest.mark.parametrize(
    ("statement", "comes"),
    [
        ("def unpack(b): return shift", False),
        ("shift += 1", True),
        ("shift.value = 3", True),
        ("shift[0][1] = 3", True),
        ("shift.append(3)", True),
        ("del shift", True),
        ("if True:\n    shift = 4", True),
        ("with open('x') as shift: pass", True),
        ("try:\n    pass\nexcept ValueError:\n    shift = 4", True),
        ("match 3:\n    case 3:\n        shift = 4", True),
        ("from torch import *", True),
        ("shift_by(3)", False),
        ("other = shift", False),
        ("print(shift)", False),
        ("def other(): return shift", False),
    ],
)
def test_what_changes_a_needed_name_comes_along(statement, comes):
    cell = f"shift = [0]\n{statement}\ndef unpack(blob):\n    return shift\n"
    has = ast.unparse(ast.parse(statement)) in part(cell, "unpack")
    assert has == (comes or "def unpack(b)" in statement)


def test_a_spelling_tells_nothing():
    plain = "def unpack(b):\n    return 31, 'a', 1000000, b + 1"
    other = 'def unpack(  b ):\n\n  "doc"\n  7\n  return 0x1F , "a", 1_000_000, (b + 1) # eh\n'
    assert part(plain, "unpack") == part(other, "unpack")
    assert size(part(plain, "unpack")) == 3 + 2 + 8 + 2


def test_the_result_is_the_same_when_it_is_cut_again():
    text = part(CELL, "unpack")
    assert part(text, "unpack") == text


@pytest.mark.parametrize("cell", ["def unpack(:", "(" * 3000, "x = " + "-" * 30_000 + "1"])
def test_a_cell_that_cannot_be_read_is_a_value_error(cell):
    with pytest.raises(ValueError, match="unpack cannot be read"):
        part(cell, "unpack")


def test_a_name_that_is_not_defined_is_a_lookup_error():
    with pytest.raises(LookupError, match="no statement defines 'unpack'"):
        part("def pack(x): return unpack(x)", "unpack")


def test_ordinary_code_is_free():
    body = "\n".join(f"    value = value * step + offset - table[index + {i}]" for i in range(60))
    n_literals = sum(len(str(i)) + 1 for i in range(60))
    assert size(part(f"def unpack(value, step):\n{body}", "unpack")) == n_literals


def test_source_beyond_the_free_part_counts():
    body = "\n".join("    value = value * step + offset - table[index]" for _ in range(120))
    text = part(f"def unpack(value, step):\n{body}", "unpack")
    assert size(text) == len(text) - FREE_BYTES > 1000


DRAW = random.Random(3)
WEIGHTS = DRAW.randbytes(3000)  # what a decoder without a file would have to know
TWO = "def unpack(b):\n    return "


def chars(alphabet, n_bits):
    """The weights as characters of n_bits each."""
    bits = int.from_bytes(WEIGHTS, "big")
    n = -(-8 * len(WEIGHTS) // n_bits)
    return [alphabet[(bits >> n_bits * i) % 2**n_bits] for i in range(n)]


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_Z"
WIDE = [chr(0x4E00 + i) for i in range(16384)]
LONG_NAMES = ["v" + "".join(chars(LETTERS, 6)[i : i + 40]) for i in range(0, 4000, 40)]
HIDING = {
    "a string": TWO + repr("".join(map(chr, WEIGHTS))),
    "bytes": TWO + repr(WEIGHTS),
    "wide characters": TWO + repr("".join(chars(WIDE, 14))),
    "a number": TWO + str(int.from_bytes(WEIGHTS[:1700], "big")),
    "small numbers": TWO + repr(list(WEIGHTS)),
    "a default argument": f"def unpack(b, w={WEIGHTS!r}):\n    return w",
    "a constant": f"W = {WEIGHTS!r}\ndef unpack(b):\n    return W",
    "pieces of an f-string": TWO + "f'" + "{b}".join(chars("abcdefghijklmnop", 4)) + "'",
    "an annotation": f"def unpack(b: {WEIGHTS!r}):\n    return unpack.__annotations__",
    "names": TWO + "dict(" + ", ".join(f"{name}=b" for name in LONG_NAMES) + ")",
    "attributes": TWO + "x" + "".join(f".{name}" for name in LONG_NAMES),
    "wide names": TWO + "'\\n'.join([" + ", ".join(
        f"{''.join(chars(WIDE, 14)[i:i + 20])}" for i in range(0, 1700, 20)) + "])",
    "an order of names": "a = b = c = d = 0\n" + TWO + ",".join(chars("abcd", 2)),
    "an order of operators": "def unpack(b):\n" + "\n".join(
        "    b = b" + "".join(f"{c}b" for c in chars("+-*/", 2)[i:i + 40])
        for i in range(0, 12000, 40)),
    "signs": TWO + "[" + ",".join("-b" if c == "1" else "b" for c in chars("01", 1)) + "]",
    "lengths of strings": TWO + "map(len, [" + ",".join(
        repr("x" * int(c, 16)) for c in chars("0123456789abcdef", 4)) + "])",
    "kinds of statements": "def unpack(b):\n" + "\n".join(
        ("    b += b", "    b -= b", "    b *= b", "    b //= b")[int(c)]
        for c in chars("0123", 2)),
}  # fmt: skip


@pytest.mark.parametrize("place", HIDING)
def test_weights_in_the_source_cost_as_much_as_in_the_file(place):
    """All but what the free part holds, whatever it is spelled like."""
    n_hidden = 1700 if place == "a number" else len(WEIGHTS)
    assert size(part(HIDING[place], "unpack")) >= n_hidden - FREE_PACKED


@pytest.mark.parametrize(
    "place",
    ["a comment", "a docstring", "a bare string", "blank lines", "the spelling of numbers"],
)
def test_weights_that_do_not_come_along_are_free(place):
    plain = "def unpack(b):\n    return 1"
    kept = {
        "a comment": plain + "  # " + WEIGHTS.hex(),
        "a docstring": f"def unpack(b):\n    {WEIGHTS.hex()!r}\n    return 1",
        "a bare string": f"{WEIGHTS!r}\n{plain}",
        "blank lines": "def unpack(b):" + "\n" * 500 + "    return 1",
        "the spelling of numbers": "def unpack(b):\n    return 0b0000000001",
    }[place]
    assert part(kept, "unpack") == plain
