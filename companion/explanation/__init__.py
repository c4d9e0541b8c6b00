"""Short stories about long models: maps, importance, attribution and trees."""

from companion.explanation.surrogate import answers, fidelity, queries, surrogate_tree
from companion.explanation.tree import (
    Split,
    Tree,
    best_split,
    flip_split,
    grow_tree,
    recount,
    with_split,
)
from companion.explanation.treebits import (
    codes_by_leaves,
    exception_bits,
    label_bits,
    on_grid,
    surrogate_bits,
    tree_bits,
)

__all__ = [
    "Split", "Tree", "answers", "best_split", "codes_by_leaves", "exception_bits", "fidelity",
    "flip_split", "grow_tree", "label_bits", "on_grid", "queries", "recount", "surrogate_bits",
    "surrogate_tree", "tree_bits", "with_split",
]  # fmt: skip
