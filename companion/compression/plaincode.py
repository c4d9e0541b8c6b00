"""The two simpler coders of the file: words of equal length, and Huffman's words with gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from companion.compression.arithmetic import MAX_TOTAL
from companion.compression.huffman import canonical, huffman_code
from companion.compression.matrixcode import Coder, IntegerCode

LONGEST_GAP = 255  # a longer run of zeros is cut into pieces
MAX_WORD = 63


def code_equal(coder: Coder, entries: list[int]) -> None:
    """Every entry in as many bits, log2 of how many numbers there are from least to greatest."""
    low, n_numbers = _range(coder, entries)
    for place, entry in enumerate(entries):
        entries[place] = low + coder.number(n_numbers, entry - low)


def code_positions_by_gaps(coder: Coder, entries: list[int]) -> list[int]:
    """Places of the entries that are not zero, by the Huffman-coded gaps between them.

    Source: Han, Mao & Dally, "Deep Compression", ICLR 2016.
    """
    n, gaps, last = len(entries), [], -1
    for place in [*(i for i, entry in enumerate(entries) if entry), n]:
        n_pieces, rest = divmod(place - last - 1, LONGEST_GAP)
        gaps += [LONGEST_GAP] * n_pieces + [rest]
        last = place
    words = _HuffmanTable(coder, gaps)
    places, place, waiting = [], 0, iter(gaps)
    while place <= n:
        gap = words.code(coder, next(waiting, 0))
        place += gap
        if gap < LONGEST_GAP:
            places.append(place)
            place += 1
    return places[:-1]


def code_values_by_words(coder: Coder, entries: list[int], places: Sequence[int]) -> None:
    """The entries at `places` in Huffman's words; their lengths are written first."""
    if places:
        words = _HuffmanTable(coder, [entries[place] for place in places])
        for place in places:
            entries[place] = words.code(coder, entries[place])


class _HuffmanTable:
    """A code for the symbols of a message; to write it is to write the length of each word."""

    def __init__(self, coder: Coder, message: list[int]) -> None:
        low, n_numbers = _range(coder, message)
        words = huffman_code(Counter(message))
        lengths = {low + i: len(words.get(low + i, "")) for i in range(n_numbers)}
        lengths = {symbol: coder.number(MAX_WORD + 1, n) for symbol, n in lengths.items()}
        self._words = canonical({symbol: n for symbol, n in lengths.items() if n})
        self._symbols = {word: symbol for symbol, word in self._words.items()}

    def code(self, coder: Coder, symbol: int) -> int:
        target, word = self._words.get(symbol, ""), ""
        while word not in self._symbols:
            if len(word) == MAX_WORD:
                raise ValueError("changed: bits that are no word of the code")
            word += "01"[coder.number(2, int(target[len(word) : len(word) + 1] or 0))]
        return self._symbols[word]


def _range(coder: Coder, numbers: list[int]) -> tuple[int, int]:
    """The least number and how many there are up to the greatest."""
    integers = IntegerCode()
    low = integers.code(coder, min(numbers))
    n_numbers = integers.code(coder, max(numbers) - low + 1)
    if not 1 <= n_numbers <= MAX_TOTAL:
        raise ValueError("changed: an impossible range of numbers")
    return low, n_numbers
