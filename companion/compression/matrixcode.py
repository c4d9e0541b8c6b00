"""How a matrix of integers is written: where it is not zero, then what stands there.

A pruned weight matrix is mostly zeros, and to say where the others are costs more bits than to say
what they are.  Each position is one adaptive bit.  What predicts it: how full its column and its
row have been so far, and which of its neighbours in the row are kept; where a row is an image (the
inputs of a first layer) or a window (a convolution), neighbours are those above as well.  How many
weights a unit has in one layer also says how many leave it in the next.  Every function here both
writes and reads, as its coder does: a reader's entries are zeros that get filled in.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from companion.compression.arithmetic import MAX_TOTAL, Decoder, Encoder, scaled
from companion.compression.mixing import Mixer

Coder = Encoder | Decoder
MANY = 1 << 14  # so many values are written with one table of frequencies, which is faster


class IntegerCode:
    """Adaptive code for integers: is it zero, its sign, how many binary digits, the digits.

    Every answer has a probability of its own, alone and together with each of the contexts.
    """

    def __init__(self, n_contexts: int = 0) -> None:
        self._mixer = Mixer(1 + n_contexts, trust=1)
        self.loosen = self._mixer.loosen

    def code(
        self,
        coder: Coder,
        value: int,
        contexts: Sequence[object] = (),
        *,
        is_zero_known: bool = False,
    ) -> int:
        """Writes or reads `value`, below 2^31 in size; `is_zero_known`: it is not zero."""

        def ask(question: tuple[object, ...], answer: bool | int) -> int:
            keys = [question, *((question, i, context) for i, context in enumerate(contexts))]
            return self._mixer.bit(coder, keys, int(answer))

        if not is_zero_known and not ask(("any",), value != 0):
            return 0
        is_below, size, n_digits = ask(("sign",), value < 0), abs(value), 1
        while n_digits < 31 and ask(("more", is_below, n_digits), size >> n_digits > 0):
            n_digits += 1
        found = 1
        for place in reversed(range(n_digits - 1)):
            found = 2 * found + ask(("digit", is_below, n_digits, found), size >> place & 1)
        return -found if is_below else found


class MatrixCode:
    """Writes and reads the matrices of a model in turn; what one has taught helps the next."""

    def __init__(self) -> None:
        self._values = IntegerCode(3)
        self._row_counts: list[int] = []
        self._n_matrices = 0

    def positions(self, coder: Coder, entries: list[int], shape: Sequence[int]) -> list[int]:
        """Writes or finds the places of the entries (row by row) that are not zero."""
        if coder.number(2, int(all(entries))):
            return list(range(len(entries)))
        n_columns = _n_columns(entries, shape)
        hints = self._column_hints(n_columns)
        places = _code_positions(coder, entries, _neighbours(shape), hints)
        if len(shape) > 1:
            counts = Counter(place // n_columns for place in places)
            self._row_counts = [counts[r] for r in range(shape[0])]
        return places

    def values(
        self, coder: Coder, entries: list[int], shape: Sequence[int], places: list[int]
    ) -> None:
        """Writes or fills in the entries at `places`.

        Neighbours are alike, so their sum is a context, and so are row and column.
        """
        if len(places) > MANY:
            code_frequencies(coder, entries, places)
            return
        n_columns, offsets = _n_columns(entries, shape), _neighbours(shape)
        self._values.loosen()
        self._n_matrices += 1
        for place in places:
            row, column = divmod(place, n_columns)
            around = sum([entries[place - offset] for offset in offsets if offset <= column])
            around = around.bit_length() if around > 0 else -around.bit_length()
            contexts = (around, (self._n_matrices, row), (self._n_matrices, column))
            entries[place] = self._values.code(coder, entries[place], contexts, is_zero_known=True)

    def _column_hints(self, n_columns: int) -> list[int]:
        """For each column, how many digits the number of weights of its unit has."""
        n_units = len(self._row_counts)
        if not n_units or n_columns % n_units:
            return [0] * n_columns
        return [self._row_counts[c * n_units // n_columns].bit_length() for c in range(n_columns)]


def _n_columns(entries: list[int], shape: Sequence[int]) -> int:
    """Entries in a row: all that belong to one output, and a vector is one row."""
    return len(entries) // shape[0] if len(shape) > 1 else len(entries)


def _neighbours(shape: Sequence[int]) -> list[int]:
    """How far before an entry its neighbours stand: left, and above where a row has lines."""
    n_columns = math.prod(shape[1:])
    width = shape[-1] if len(shape) > 2 else math.isqrt(n_columns)
    if len(shape) < 2 or (len(shape) == 2 and width**2 != n_columns) or width < 3:
        return [1, 2]
    return [1, 2, width - 1, width, width + 1, 2 * width]


def _code_positions(
    coder: Coder, entries: list[int], neighbours: list[int], hints: list[int]
) -> list[int]:
    """Places of the entries that are not zero; empty rows and columns are named beforehand."""
    n_columns, n_rows = len(hints), len(entries) // len(hints)
    kept = [int(entry != 0) for entry in entries]
    rows = _code_flags(
        coder,
        [any(kept[r * n_columns : (r + 1) * n_columns]) for r in range(n_rows)],
        [1, 2],
        [0] * n_rows,
    )
    columns = _code_flags(
        coder, [any(kept[c::n_columns]) for c in range(n_columns)], neighbours, hints
    )
    live = [c for c in range(n_columns) if columns[c]]
    margin = max(neighbours)
    mixer = Mixer(4, trust=10, n_sets=len(neighbours) + 1)
    places = []
    for r in range(n_rows):
        if not rows[r]:
            continue
        line, start = [0] * (margin + n_columns), r * n_columns  # zeros before the row
        for c in live:
            around = tuple([line[margin + c - offset] for offset in neighbours])
            bit = mixer.bit(coder, (hints[c], c, r, around), kept[start + c], sum(around))
            if bit:
                line[margin + c] = 1
                places.append(start + c)
    return places


def _code_flags(
    coder: Coder, flags: list[bool], neighbours: list[int], hints: list[int]
) -> list[int]:
    """Bits that are like their neighbours."""
    mixer, margin = Mixer(2, trust=2), max(neighbours)
    found = [0] * margin
    for flag, hint in zip(flags, hints, strict=True):
        around = tuple([found[-offset] for offset in neighbours])
        found.append(mixer.bit(coder, ((hint, found[-1]), around), int(flag)))
    return found[margin:]


def code_frequencies(coder: Coder, entries: list[int], places: Sequence[int]) -> None:
    """The entries at `places` with one table of frequencies, which is written first."""
    numbers = IntegerCode()
    values = [entries[place] for place in places]
    low = numbers.code(coder, min(values))
    n_symbols = numbers.code(coder, max(values) - low + 1)
    if not 1 <= n_symbols <= MAX_TOTAL // 2:
        raise ValueError("changed: an impossible table of frequencies")
    counts = Counter(values)
    table = [counts[low + i] for i in range(n_symbols)]
    table = [numbers.code(coder, n) for n in (scaled(table) if any(table) else table)]
    cumulative = [0, *accumulate(table)]
    if min(table) < 0 or not 0 < cumulative[-1] <= MAX_TOTAL:
        raise ValueError("changed: an impossible table of frequencies")
    for place, value in zip(places, values, strict=True):
        entries[place] = low + coder.symbol(cumulative, value - low)
