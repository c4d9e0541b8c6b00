"""Chapter 05: the two-part dial."""

from companion.explorables.two_part_dial import compute_two_part_dial, two_part_dial

__all__ = [
    "compute_two_part_dial",
    "two_part_dial",
]
