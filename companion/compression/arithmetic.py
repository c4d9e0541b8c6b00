"""Arithmetic coding: a message is a number in [0, 1), and each symbol narrows where it lies.

Encoder and decoder speak the same three words: `bit`, `number` and `symbol`.  The encoder is told
what to write and gives it back, the decoder finds out and gives it back; so one function that
describes a message both writes and reads it, and the two cannot drift apart.  All arithmetic is on
integers: a file reads the same on every machine.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from numbers import Integral

WHOLE = 1 << 48  # the interval at the start; whenever less than 2^32 is left, 16 bits are sent
SMALL = 1 << 32
PROBABILITY_BITS = 16
MAX_TOTAL = 1 << 16  # frequencies sum to at most this, so that rounding costs next to nothing


class Encoder:
    """Writes into an interval [low, low + size) that shrinks with everything that is written."""

    def __init__(self) -> None:
        self._low, self._size, self._sent = 0, WHOLE, bytearray()

    def bit(self, probability: int, bit: int) -> int:
        """Writes 0 or 1, where 1 has `probability` / 2^16 (1 ... 2^16 - 1)."""
        ones = (self._size >> PROBABILITY_BITS) * probability
        if bit:
            self._size = ones
        else:
            self._low += ones
            self._size -= ones
        if self._size < SMALL:
            self._send()
        return bit

    def encode(self, low: int, high: int, total: int) -> None:
        """Writes a symbol that owns the part low ... high - 1 of `total` <= 2^16."""
        unit = self._size // total
        self._low += unit * low
        self._size = unit * (high - low)
        if self._size < SMALL:
            self._send()

    def number(self, total: int, number: int) -> int:
        """Writes one of 0 ... total - 1, all equally likely."""
        self.encode(number, number + 1, total)
        return number

    def symbol(self, cumulative: Sequence[int], symbol: int) -> int:
        """Writes `symbol`, which has the part cumulative[symbol] ... cumulative[symbol + 1]."""
        self.encode(cumulative[symbol], cumulative[symbol + 1], cumulative[-1])
        return symbol

    def finish(self) -> bytes:
        """The shortest bytes that lie in the interval; the decoder reads zeros after the end."""
        for n_bytes in range(7):
            unit = WHOLE >> 8 * n_bytes
            inside = -(-self._low // unit) * unit
            if inside < self._low + self._size:
                self._low = inside
                break
        self._carry()
        return bytes(self._sent + self._low.to_bytes(6, "big")[:n_bytes]).rstrip(b"\0")

    @property
    def n_bits(self) -> float:
        """Bits so far, fractions included."""
        return 8 * len(self._sent) + 48 - math.log2(self._size)

    def _send(self) -> None:
        self._carry()
        while self._size < SMALL:
            self._sent += (self._low >> 32).to_bytes(2, "big")
            self._low = (self._low & (SMALL - 1)) << 16
            self._size <<= 16

    def _carry(self) -> None:
        """When low ran over the end, what was sent is one too small."""
        if self._low >= WHOLE:
            self._low -= WHOLE
            place = len(self._sent) - 1
            while self._sent[place] == 255:
                self._sent[place] = 0
                place -= 1
            self._sent[place] += 1


class Decoder:
    """Reads what an `Encoder` wrote: where in the interval does the number lie?"""

    def __init__(self, data: bytes) -> None:
        self._data, self._place, self._size = data, 6, WHOLE
        self._value = int.from_bytes(data[:6].ljust(6, b"\0"), "big")  # distance from low

    def bit(self, probability: int, bit: int | None = None) -> int:
        """Reads 0 or 1; `bit` is not looked at."""
        ones = (self._size >> PROBABILITY_BITS) * probability
        if self._value < ones:
            found = 1
            self._size = ones
        else:
            found = 0
            self._value -= ones
            self._size -= ones
        if self._size < SMALL:
            self._fetch()
        return found

    def number(self, total: int, number: int | None = None) -> int:
        """Reads one of 0 ... total - 1."""
        unit = self._size // total
        found = min(self._value // unit, total - 1)
        self._value -= unit * found
        self._size = unit
        if self._size < SMALL:
            self._fetch()
        return found

    def symbol(self, cumulative: Sequence[int], symbol: int | None = None) -> int:
        """Reads a symbol, given the cumulative frequencies 0 ... total."""
        unit = self._size // cumulative[-1]
        target = min(self._value // unit, cumulative[-1] - 1)
        found = bisect_right(cumulative, target) - 1
        self._value -= unit * cumulative[found]
        self._size = unit * (cumulative[found + 1] - cumulative[found])
        if self._size < SMALL:
            self._fetch()
        return found

    @property
    def n_bits(self) -> float:
        """Bits so far, fractions included: as many as the encoder's at the same place."""
        return 8 * (self._place - 6) + 48 - math.log2(self._size)

    def _fetch(self) -> None:
        while self._size < SMALL:
            word = self._data[self._place : self._place + 2].ljust(2, b"\0")
            self._value = self._value << 16 | int.from_bytes(word, "big")
            self._size <<= 16
            self._place += 2


class ArithmeticCoder:
    """Codes symbols 0 ... K-1 whose integer `frequencies` both sides know.

    The code takes at most two bytes more than the ideal -sum log2 p.  Frequencies that sum to more
    than 2^16 are scaled down, those above zero staying at least 1.

    Source: Rissanen 1976; Witten, Neal & Cleary, CACM 1987 (from memory, unverified).

    Raises:
        ValueError: no frequencies, one that is negative or no integer, all zero, more than 2^15
            symbols, or a message with a symbol of frequency zero.
    """

    def __init__(self, frequencies: Sequence[int]) -> None:
        self.frequencies = scaled(frequencies)
        self._cumulative = [0, *accumulate(self.frequencies)]

    def encode(self, symbols: Sequence[int]) -> bytes:
        encoder = Encoder()
        for symbol in symbols:
            if not 0 <= symbol < len(self.frequencies) or not self.frequencies[symbol]:
                raise ValueError(
                    f"symbol {symbol} has no frequency: the coder knows 0 to "
                    f"{len(self.frequencies) - 1}, and only those counted at least once"
                )
            encoder.symbol(self._cumulative, symbol)
        return encoder.finish()

    def decode(self, data: bytes, n: int) -> list[int]:
        """The first `n` symbols; the number is not part of the code."""
        decoder = Decoder(data)
        return [decoder.symbol(self._cumulative) for _ in range(n)]


def scaled(counts: Sequence[int]) -> list[int]:
    """Integer frequencies that sum to at most 2^16, those of counts above zero at least 1."""
    counts = list(counts)
    if any(not isinstance(n, Integral) or n < 0 for n in counts) or not any(counts):
        raise ValueError(
            "frequencies must be integers of at least 0, one of them above 0: how often each "
            "symbol 0 ... K-1 occurs (were probabilities passed?)"
        )
    if len(counts) > MAX_TOTAL // 2:
        raise ValueError(f"{len(counts)} symbols, expected at most {MAX_TOTAL // 2}")
    total = sum(counts)
    if total <= MAX_TOTAL:
        return [int(n) for n in counts]
    room = MAX_TOTAL - len(counts)
    return [max(1, int(n) * room // total) if n else 0 for n in counts]
