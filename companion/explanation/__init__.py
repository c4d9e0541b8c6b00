"""Short stories about long models: maps, importance, attribution and trees."""

from companion.explanation.drawing import SVG, draw_tree
from companion.explanation.rules import path_rules, tree_rules
from companion.explanation.softtree import SoftTree, train_soft_tree
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
    "SVG", "SoftTree", "Split", "Tree", "answers", "best_split", "codes_by_leaves", "draw_tree",
    "exception_bits", "fidelity", "flip_split", "grow_tree", "label_bits", "on_grid", "path_rules",
    "queries", "recount", "surrogate_bits", "surrogate_tree", "train_soft_tree", "tree_bits",
    "tree_rules", "with_split",
]  # fmt: skip
