"""Chapter 06: the map honesty bench, the tree surgeon, the attribution lie detector."""

from companion.explorables.lie_detector import compute_lie_detector, lie_detector
from companion.explorables.map_honesty import compute_map_honesty, map_honesty
from companion.explorables.tree_surgeon import compute_tree_surgeon, tree_surgeon

__all__ = [
    "compute_lie_detector",
    "compute_map_honesty",
    "compute_tree_surgeon",
    "lie_detector",
    "map_honesty",
    "tree_surgeon",
]
