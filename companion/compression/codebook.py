"""What the integers of a tensor stand for: levels of their own, or multiples of one step."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

MAX_LEVELS = 4096
MAX_MULTIPLE = 1 << 14
NOTHING = np.zeros(0, np.float32)


@dataclass(frozen=True)
class Codebook:
    """0 is zero; -1, -2, ... the levels `below` zero and 1, 2, ... those `above` it, nearest first.

    With a `step` an integer n stands for n * step instead.
    """

    below: np.ndarray = field(default_factory=lambda: NOTHING)
    above: np.ndarray = field(default_factory=lambda: NOTHING)
    step: np.float32 | None = None

    def values(self, integers: np.ndarray) -> np.ndarray:
        """The float32 values of `integers`.

        Raises:
            ValueError: an integer beyond the levels.
        """
        if self.step is not None:
            return integers.astype(np.float32) * self.step
        levels, places = self._levels(), integers + len(self.below)
        if np.any((places < 0) | (places >= len(levels))):
            raise ValueError("changed: an integer that the codebook does not have")
        return levels[places]

    def integers(self, values: np.ndarray) -> np.ndarray | None:
        """The integers whose values are exactly `values`, or None."""
        if self.step is None:
            levels = self._levels()
            found = np.searchsorted(levels, values).clip(0, len(levels) - 1) - len(self.below)
        elif np.abs(values).max() < MAX_MULTIPLE * self.step:
            found = np.rint(values.astype(np.float64) / self.step).astype(np.int64)
        else:
            return None
        return found if np.array_equal(self.values(found), values) else None

    def _levels(self) -> np.ndarray:
        return np.concatenate([self.below[::-1], np.zeros(1, np.float32), self.above])


def common_step(values: np.ndarray) -> np.float32 | None:
    """The float32 of which all `values` (float32) are exact integer multiples, if one is found.

    Tried are the smallest gap between neighbouring sizes, and an eighth of it at least.
    """
    sizes = np.unique(np.abs(values[values != 0])).astype(np.float64)
    if len(sizes) == 0:
        return None
    gap = np.diff(sizes, prepend=0).min()
    for divisor in range(1, 9):
        multiples = np.rint(sizes / gap * divisor)
        if multiples[-1] >= MAX_MULTIPLE:
            return None
        fitted = np.float32((sizes @ multiples) / (multiples @ multiples))
        for step in (
            fitted,
            np.nextafter(fitted, NOTHING.dtype.type(0)),
            np.nextafter(fitted, np.float32(np.inf)),
        ):
            if np.array_equal(multiples.astype(np.float32) * step, sizes.astype(np.float32)):
                return step
    return None
