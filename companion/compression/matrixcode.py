"""How a matrix of integers is written: where it is not zero, then what stands there.

A pruned weight matrix is mostly zeros, and saying where the others are costs more bits than saying
what they are.  Each position is one adaptive bit; what predicts it is how full its row and column
have been so far and whether its neighbours are zero.  Every function both writes and reads, as its
coder does.
"""

from __future__ import annotations

from companion.compression.arithmetic import Decoder, Encoder
from companion.compression.mixing import Mixer

Coder = Encoder | Decoder


def code_flags(coder: Coder, flags: list[int]) -> list[int]:
    """Bits that come in runs."""
    mixer, found = Mixer(2), [0, 0]
    for flag in flags:
        found.append(mixer.bit(coder, (found[-1], (found[-1], found[-2])), flag))
    return found[2:]


def code_positions(coder: Coder, kept: bytearray, n_rows: int, n_columns: int) -> None:
    """1 where an entry of the matrix (row by row) is not zero; the decoder fills `kept`."""
    rows = code_flags(
        coder, [int(any(kept[r * n_columns : (r + 1) * n_columns])) for r in range(n_rows)]
    )
    columns = code_flags(coder, [int(any(kept[c::n_columns])) for c in range(n_columns)])
    live = [c for c in range(n_columns) if columns[c]]
    mixer, column_counts, n_rows_seen, total = Mixer(4), [0] * n_columns, 0, 0
    for r in range(n_rows):
        if not rows[r]:
            continue
        count, start = 0, r * n_columns
        n_rows_seen += 1
        for n_seen, c in enumerate(live):
            left = kept[start + c - 1] if c else 0
            above = kept[start + c - n_columns] if r else 0
            contexts = (
                (left, above),
                c,
                (count.bit_length(), n_seen.bit_length()),
                (column_counts[c], n_rows_seen.bit_length()),
            )
            bit = mixer.bit(coder, contexts, kept[start + c])
            kept[start + c] = bit
            count += bit
            column_counts[c] += bit


class IntegerCode:
    """Adaptive code for integers: zero?, sign, number of binary digits, digits."""

    def __init__(self) -> None:
        self._mixer = Mixer(2)

    def code(self, coder: Coder, value: int, context: int = 0, *, zero: bool = True) -> int:
        """Writes or reads `value`; with `zero=False` it is known not to be zero."""

        def ask(node: int, bit: int) -> int:
            return self._mixer.bit(coder, (node, (node, context)), bit)

        if zero and not ask(0, int(value != 0)):
            return 0
        sign = -1 if ask(1, int(value < 0)) else 1
        size = abs(value).bit_length()
        n_digits = 1
        while n_digits < 32 and ask(1 + n_digits * 2 + (sign > 0), int(size > n_digits)):
            n_digits += 1
        found = 1
        for place in reversed(range(n_digits - 1)):
            found = 2 * found + ask(64 + found * 2 + (sign > 0), abs(value) >> place & 1)
        return sign * found
