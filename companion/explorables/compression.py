"""Chapter 05: the two-part dial and the rank knob."""

from companion.explorables.rank_knob import compute_rank_knob, rank_knob
from companion.explorables.two_part_dial import compute_two_part_dial, two_part_dial

__all__ = [
    "compute_rank_knob",
    "compute_two_part_dial",
    "rank_knob",
    "two_part_dial",
]
