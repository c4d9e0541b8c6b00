"""A tree as plain arrays that a surgeon can change, and how it is stored."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from torch import Tensor

from companion.explanation import Tree

# How each array is stored: features in one byte, the examples of a node in three.
KINDS = {"feature": "<i1", "threshold": "<f4", "left": "<i2", "right": "<i2", "label": "<i1",
         "n": "<i4", "n_right": "<i4"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Grown:
    """A tree with one entry a node; node 0 is the root, and a leaf has feature -1.

    `label` is the class said at a node if questions stop there, `n` the examples that it was grown
    on, `n_right` those of them that have the label.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    label: np.ndarray
    n: np.ndarray
    n_right: np.ndarray

    @cached_property
    def parent(self) -> np.ndarray:
        """The node above each, -1 for the root."""
        found = np.full(len(self.feature), -1)
        inner = np.nonzero(self.feature >= 0)[0]
        found[self.left[inner]] = found[self.right[inner]] = inner
        return found

    @cached_property
    def depths(self) -> np.ndarray:
        """Questions above each node; a node comes after its parent."""
        found = np.zeros(len(self.feature), np.int64)
        for node in range(1, len(found)):
            found[node] = found[self.parent[node]] + 1
        return found

    def n_leaves(self, depth: int) -> int:
        """Leaves of the tree whose questions stop at `depth`."""
        is_end = (self.depths == depth) | ((self.depths < depth) & (self.feature < 0))
        return int(is_end.sum())

    def ends(self, root: int, depth: int) -> int:
        """Leaves at or below `root` of the tree that stops at `depth`."""
        found, waiting = 0, [root]
        while waiting:
            node = waiting.pop()
            if self.feature[node] < 0 or self.depths[node] >= depth:
                found += 1
            else:
                waiting += [int(self.left[node]), int(self.right[node])]
        return found

    def above(self, node: int) -> list[int]:
        """The way from the root to `node`, both ends included."""
        way = [node]
        while self.parent[way[-1]] >= 0:
            way.append(int(self.parent[way[-1]]))
        return way[::-1]

    def trace(self, x: np.ndarray, depth: int) -> np.ndarray:
        """The node (depth + 1, n) of each row of `x` (n, d) after 0, 1, ... questions."""
        nodes = np.zeros((depth + 1, len(x)), np.int64)
        rows = np.arange(len(x))
        for step in range(depth):
            here = nodes[step]
            feature = self.feature[here]
            goes_left = x[rows, feature] <= self.threshold[here]
            child = np.where(goes_left, self.left[here], self.right[here])
            nodes[step + 1] = np.where(feature < 0, here, child)
        return nodes

    def changed(self, swapped: list[int], moved: Mapping[int, float]) -> Grown:
        """With the sides of some splits exchanged and other thresholds; labels stay."""
        left, right, threshold = self.left.copy(), self.right.copy(), self.threshold.copy()
        left[swapped], right[swapped] = self.right[swapped], self.left[swapped]
        for node, at in moved.items():
            threshold[node] = at
        return replace(self, left=left, right=right, threshold=threshold)


def grown(tree: Tree) -> Grown:
    """The library's tree as plain arrays, parents before children."""
    counts = tree.counts.numpy()
    label = tree.labels.numpy()
    return Grown(
        tree.feature.numpy(), tree.threshold.numpy(), tree.left.numpy(), tree.right.numpy(),
        label, counts.sum(1), counts[np.arange(len(label)), label],
    )  # fmt: skip


def packed_tree(tree: Grown) -> dict[str, str]:
    """The arrays as base64."""
    return {
        name: base64.b64encode(getattr(tree, name).astype(kind).tobytes()).decode()
        for name, kind in KINDS.items()
    }


def unpacked_tree(stored: Mapping[str, str]) -> Grown:
    """What `packed_tree` stored."""
    return Grown(
        **{
            name: np.frombuffer(base64.b64decode(stored[name]), kind).astype(
                np.float32 if kind == "<f4" else np.int64
            )
            for name, kind in KINDS.items()
        }
    )


def as_rows(x: Tensor) -> np.ndarray:
    """Images (n, 1, 8, 8) as float32 rows (n, 64)."""
    return x.flatten(1).numpy().astype(np.float32)
