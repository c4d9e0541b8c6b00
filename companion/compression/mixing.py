"""Adaptive bits: several predictions of the next bit, mixed, all learning from what came.

A context is what both sides know already, for instance how full the row has been so far.  Each
context has a probability of its own that follows the bits seen in it; the mixer weighs their
logits, as logistic regression does, and learns the weights while it goes.  No table is sent.
Logits are integers in steps of 1/256, probabilities integers of 2^-16.

Source: Mahoney, "Adaptive weighing of context models for lossless data compression", 2005 (from
memory, unverified).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from operator import mul

from companion.compression.arithmetic import Decoder, Encoder

ONE = 1 << 16  # probability one, weight one
LIMIT = 2815  # logits are clipped to +-11, where a bit costs 2^-16 of its kind


def _tables() -> tuple[list[int], list[int]]:
    """Probability for each logit -LIMIT ... LIMIT, and logit for each probability 0 ... 2^16."""
    growth, odds, upper = 1_103_814_994_613, 1 << 40, []  # e^(1/256) and 1, in units of 2^-40
    for _ in range(LIMIT + 1):
        upper.append(min((ONE * odds + odds // 2) // (odds + (1 << 40)), ONE - 1))
        odds = odds * growth >> 40
    squash = [ONE - p for p in upper[:0:-1]] + upper
    stretch, logit = [], 0
    for p in range(ONE + 1):
        while logit < 2 * LIMIT and squash[logit] < p:
            logit += 1
        stretch.append(logit - LIMIT)
    return squash, stretch


SQUASH, STRETCH = _tables()
LONGEST = 1023
RATES = [
    ONE * 2 // (2 * n + 3) for n in range(LONGEST + 1)
]  # 1 / (n + 1.5): the mean of all bits so far


class Mixer:
    """Codes bits under `n_inputs` contexts at once.

    A context seen for the first time starts with the probability of the first input's context,
    which counts as much as `trust` bits.  Weights are kept in `n_sets` sets, of which the caller
    names one for each bit.
    """

    def __init__(self, n_inputs: int, *, trust: int, n_sets: int = 1) -> None:
        self._weights = [[ONE * 3 // 10] * n_inputs for _ in range(n_sets)]
        self._cells: list[dict[Hashable, list[int]]] = [{} for _ in range(n_inputs)]
        self._trust = trust

    def bit(
        self,
        coder: Encoder | Decoder,
        contexts: Sequence[Hashable],
        bit: int | None,
        weight_set: int = 0,
    ) -> int:
        """Writes or reads one bit, given a context for each input, and learns it."""
        cells = []
        for known, context in zip(self._cells, contexts, strict=True):
            cell = known.get(context)
            if cell is None:  # probability of a one, bits seen
                cell = [cells[0][0], self._trust] if cells else [ONE // 2, 0]
                known[context] = cell
            cells.append(cell)
        weights = self._weights[weight_set]
        logits = [STRETCH[cell[0]] for cell in cells]
        logit = sum(map(mul, weights, logits)) >> 16
        probability = SQUASH[max(-LIMIT, min(LIMIT, logit)) + LIMIT]
        bit = coder.bit(probability, bit)
        target = ONE - 1 if bit else 1
        error = target - probability
        for i, x in enumerate(logits):
            weights[i] += x * error >> 16
        for cell in cells:
            n = cell[1]
            cell[0] += (target - cell[0]) * RATES[n] >> 16
            if n < LONGEST:
                cell[1] = n + 1
        return bit

    def loosen(self) -> None:
        """Before another tensor: what was learned is a start that new bits soon outweigh."""
        for known in self._cells:
            for cell in known.values():
                cell[1] = min(cell[1], 20)
