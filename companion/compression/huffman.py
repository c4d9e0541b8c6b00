"""Huffman codes: whole bits for each symbol, the best that whole bits can do."""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import count
from numbers import Integral
from typing import TypeVar

Symbol = TypeVar("Symbol", bound=Hashable)


def entropy_bits(counts: Mapping[Symbol, int] | Sequence[int]) -> float:
    """Ideal bits for a whole message: sum over symbols of n * log2(N / n).

    Source: Shannon 1948.

    Raises:
        ValueError: a count that is negative or no integer.
    """
    found = [n for n in _checked(counts).values() if n]
    total = sum(found)
    return math.fsum(n * math.log2(total / n) for n in found)


def huffman_code(counts: Mapping[Symbol, int] | Sequence[int]) -> dict[Symbol, str]:
    """The code word, as "0" and "1", of each symbol that occurs.

    `counts` maps symbols to how often they occur, or lists that for the symbols 0, 1, 2, ...  The
    two rarest are joined until one is left; among equals the one made first goes first.  Words are
    canonical: they count upward, shorter ones first, so that lengths alone give the code.  A single
    symbol gets "0".

    Source: Huffman 1952.

    Raises:
        ValueError: a count that is negative or no integer, or nothing that occurs.
    """
    occurring = {symbol: n for symbol, n in _checked(counts).items() if n}
    if not occurring:
        raise ValueError("no symbol occurs: a Huffman code needs at least one count above 0")
    if len(occurring) == 1:
        return dict.fromkeys(occurring, "0")
    order = count()
    heap = [(n, next(order), {symbol: 0}) for symbol, n in occurring.items()]
    heapq.heapify(heap)
    while len(heap) > 1:
        (n, _, left), (m, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        deeper = {symbol: depth + 1 for symbol, depth in (left | right).items()}
        heapq.heappush(heap, (n + m, next(order), deeper))
    depths = heap[0][2]
    return canonical({symbol: depths[symbol] for symbol in occurring})


def canonical(lengths: Mapping[Symbol, int]) -> dict[Symbol, str]:
    """The code with these word lengths whose words count upward, shorter ones first.

    Raises:
        ValueError: a length below 1, or lengths that no code has (Kraft's sum above one).
    """
    if any(length < 1 for length in lengths.values()):
        raise ValueError("a code word has at least one bit")
    if sum(2.0**-length for length in lengths.values()) > 1:
        raise ValueError("these lengths break Kraft's inequality: no code can be decoded with them")
    code, word, previous = {}, 0, 0
    for symbol, length in sorted(lengths.items(), key=lambda item: item[1]):
        word <<= length - previous
        code[symbol] = format(word, f"0{length}b")
        word, previous = word + 1, length
    return code


def kraft_sum(code: Mapping[Symbol, str]) -> float:
    """sum 2^-length: at most 1 where words can be told apart, 1 where no bit is wasted."""
    return math.fsum(2.0 ** -len(word) for word in code.values())


def huffman_encode(symbols: Iterable[Symbol], code: Mapping[Symbol, str]) -> str:
    """The code words one after the other, as "0" and "1".

    Raises:
        ValueError: a symbol without a word.
    """
    try:
        return "".join([code[symbol] for symbol in symbols])
    except KeyError as error:
        raise ValueError(f"symbol {error} has no code word: it was not counted") from None


def huffman_decode(bits: str, code: Mapping[Symbol, str]) -> list[Symbol]:
    """The symbols of `bits`: no word begins another, so each ends where it is recognized.

    Raises:
        ValueError: the bits end within a word.
    """
    symbol_of = {word: symbol for symbol, word in code.items()}
    symbols, start = [], 0
    for end in range(1, len(bits) + 1):
        if bits[start:end] in symbol_of:
            symbols.append(symbol_of[bits[start:end]])
            start = end
    if start < len(bits):
        raise ValueError(f"the last {len(bits) - start} bits are no code word: is the end missing?")
    return symbols


def _checked(counts: Mapping[Symbol, int] | Sequence[int]) -> dict[Symbol, int]:
    found = dict(counts) if isinstance(counts, Mapping) else dict(enumerate(counts))
    for symbol, n in found.items():
        if not isinstance(n, Integral) or n < 0:
            raise ValueError(
                f"the count of symbol {symbol!r} is {n!r}, expected an integer of at least 0"
            )
    return found
