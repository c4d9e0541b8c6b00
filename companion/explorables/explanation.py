"""Chapter 06: the map honesty bench, the tree surgeon, the attribution lie detector."""

from companion.explorables.map_honesty import compute_map_honesty, map_honesty

__all__ = [
    "compute_map_honesty",
    "map_honesty",
]
