"""Decision trees for classes: grown by scikit-learn, kept as plain tensors that can be changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from companion.explanation.points import table

FIELDS = ("feature", "threshold", "left", "right", "counts")


@dataclass(frozen=True, eq=False)
class Tree:
    """A binary tree in five arrays with one row a node; node 0 is the root.

    `feature` (M,) long is -1 at a leaf; elsewhere an example goes to `left` where its feature is
    <= `threshold` (float32), else to `right`.  `counts` (M, K) long: examples of each class.
    """

    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    counts: Tensor

    @property
    def n_nodes(self) -> int:
        return len(self.feature)

    @property
    def n_leaves(self) -> int:
        return int((self.feature < 0).sum())

    @property
    def n_classes(self) -> int:
        return self.counts.shape[1]

    @cached_property
    def depths(self) -> Tensor:
        """Splits above each node (M,)."""
        depths = torch.zeros(self.n_nodes, dtype=torch.long)
        for node in self._downwards():
            if self.feature[node] >= 0:
                depths[[int(self.left[node]), int(self.right[node])]] = depths[node] + 1
        return depths

    @property
    def depth(self) -> int:
        return int(self.depths.max())

    @cached_property
    def labels(self) -> Tensor:
        """The class said at each node (M,): its most frequent one, the lowest on a tie.

        A node without examples says what its parent says.
        """
        labels = self.counts.argmax(1)
        for node in self._downwards():
            if self.feature[node] >= 0:
                for child in (int(self.left[node]), int(self.right[node])):
                    if not self.counts[child].any():
                        labels[child] = labels[node]
        return labels

    def apply(self, x: Tensor) -> Tensor:
        """The leaf (N,) at which each example of `x` (N, ...) arrives."""
        return self._trace(x)[-1]

    def predict(self, x: Tensor) -> Tensor:
        """The class (N,) of each example of `x` (N, ...)."""
        return self.labels.to(x.device)[self.apply(x)]

    def path(self, row: Tensor) -> list[int]:
        """Nodes from the root to the leaf of one example, without batch dimension."""
        steps = [int(nodes[0]) for nodes in self._trace(row.reshape(1, -1))]
        return list(dict.fromkeys(steps))

    def cut(self, *, max_depth: int | None = None, max_leaves: int | None = None) -> Tree:
        """The top of this tree: what growing it with that limit gives, but for ties.

        `max_leaves` needs a tree that was itself grown with `max_leaves`, best split first.

        Raises:
            ValueError: a negative depth, less than one leaf, or a tree without that order.
        """
        is_leaf = self.feature < 0
        if max_depth is not None:
            check_whole("max_depth", max_depth, 0)
            is_leaf = is_leaf | (self.depths >= max_depth)
        if max_leaves is not None:
            check_whole("max_leaves", max_leaves, 1)
            if (self.right != self.left + 1)[self.feature >= 0].any():
                raise ValueError(
                    "this tree was grown depth first, so its first leaves are not its best: grow "
                    "it with max_leaves, then cut"
                )
            is_leaf = is_leaf | (self.left >= 2 * max_leaves - 1)
        return _pruned(self, is_leaf)

    def arrays(self) -> dict[str, np.ndarray]:
        """The five arrays; `Tree.from_arrays` reads them back, also as the lists of a JSON file."""
        return {name: getattr(self, name).numpy() for name in FIELDS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray | list]) -> Tree:
        """A tree from what `arrays` gave, from an opened .npz file or from lists."""
        kinds = {"threshold": np.float32}
        return cls(
            **{k: torch.from_numpy(np.array(arrays[k], kinds.get(k, np.int64))) for k in FIELDS}
        )

    def _downwards(self) -> list[int]:
        """Nodes that are reachable, parents before children."""
        order = [0]
        for node in order:
            if self.feature[node] >= 0:
                order += [int(self.left[node]), int(self.right[node])]
        return order

    def _trace(self, x: Tensor) -> list[Tensor]:
        """The node (N,) of each example after 0, 1, ... decisions; it stays at its leaf."""
        rows = table(x)
        used = int(self.feature.max()) + 1
        if rows.shape[1] < used:
            raise ValueError(f"the tree asks for {used} features, got {rows.shape[1]}")
        here = replace(self, **{k: getattr(self, k).to(x.device) for k in FIELDS[:4]})
        nodes = [torch.zeros(len(rows), dtype=torch.long, device=x.device)]
        for _ in range(self.depth):
            node = nodes[-1]
            feature = here.feature[node]  # (N,)
            values = rows.gather(1, feature.clamp(min=0)[:, None]).squeeze(1)  # (N, D) -> (N,)
            child = torch.where(values <= here.threshold[node], here.left[node], here.right[node])
            nodes.append(torch.where(feature >= 0, child, node))
        return nodes


class Split(NamedTuple):
    feature: int
    threshold: float
    gain: float


def best_split(x: Tensor, y: Tensor) -> Split:
    """The split `x[:, feature] <= threshold` that lowers the Gini impurity most, and by how much.

    impurity(S) = 1 - sum_k p_k^2;  gain = impurity(S) - |L|/|S| impurity(L) - |R|/|S| impurity(R).
    `x` (N, ...), labels `y` (N,).  Thresholds lie half-way between neighbouring values; on a tie
    the lowest feature wins, then the lowest threshold.

    Source: Breiman, Friedman, Olshen & Stone, "Classification and regression trees", 1984 (from
    memory, unverified).

    Raises:
        ValueError: nan, labels that do not fit, or no feature that takes two values.
    """
    x, y = (part.cpu() for part in _check(x, y))  # float64 is not on every device
    n = len(y)
    one_hot = F.one_hot(y).double()  # (N, K)
    total = one_hot.sum(0)
    sizes = torch.arange(1, n)  # of the left part: 1 ... N-1
    best = None
    for feature, column in enumerate(x.unbind(1)):
        values, order = column.sort()
        left = one_hot[order].cumsum(0)[:-1]  # (N-1, K): classes among the lowest 1 ... N-1
        right = total - left
        # n (1 - impurity) of the parts; what does not depend on the split comes after the search.
        purity = left.square().sum(1) / sizes + right.square().sum(1) / (n - sizes)
        purity[values[1:] == values[:-1]] = -1  # no threshold lies between equal values
        at = int(purity.argmax())
        if purity[at] >= 0 and (best is None or purity[at] > best[0]):
            middle = (values[at].double() + values[at + 1].double()).item() / 2
            best = (purity[at].item(), feature, middle)
    if best is None:
        raise ValueError(
            f"no feature of these {n} examples takes two values, so nothing can be split"
        )
    purity, feature, threshold = best
    return Split(feature, threshold, (purity - total.square().sum().item() / n) / n)


def grow_tree(
    x: Tensor,
    y: Tensor,
    *,
    n_classes: int | None = None,
    max_depth: int | None = None,
    max_leaves: int | None = None,
    min_leaf: int = 1,
    generator: torch.Generator | None = None,
) -> Tree:
    """CART on `x` (N, ...) and labels `y` (N,), by scikit-learn, on the CPU.

    With `max_leaves` the best split of the whole tree comes first, else the tree grows depth first.
    `generator` orders the features, which decides between splits of equal gain.  A feature whose
    values differ by less than 1e-7 counts as constant.

    Source: Breiman, Friedman, Olshen & Stone 1984 (from memory, unverified).

    Raises:
        ValueError: nan, labels outside 0 ... n_classes - 1, or limits below their least value.
    """
    from sklearn.tree import DecisionTreeClassifier

    x, y = _check(x, y)
    n_classes = int(y.max()) + 1 if n_classes is None else n_classes
    if y.max() >= n_classes:
        raise ValueError(f"labels run to {int(y.max())}, expected 0 to {n_classes - 1}")
    for name, value, least in (
        ("max_depth", max_depth, 0), ("max_leaves", max_leaves, 1), ("min_leaf", min_leaf, 1),
    ):  # fmt: skip
        if value is not None:
            check_whole(name, value, least)
    if max_depth == 0 or max_leaves == 1:
        leaf, nothing = torch.tensor([-1]), torch.zeros(1)
        return Tree(leaf, nothing, leaf, leaf, torch.bincount(y.cpu(), minlength=n_classes)[None])
    seed = 0
    if generator is not None:
        seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    peer = DecisionTreeClassifier(
        max_depth=max_depth, max_leaf_nodes=max_leaves, min_samples_leaf=min_leaf, random_state=seed
    ).fit(x.cpu().numpy(), y.cpu().numpy())
    nodes = peer.tree_
    counts = torch.zeros(nodes.node_count, n_classes, dtype=torch.long)
    shares = nodes.value[:, 0] / nodes.value[:, 0].sum(1, keepdims=True)  # (M, classes seen)
    counts[:, torch.from_numpy(peer.classes_)] = torch.from_numpy(
        (shares * nodes.n_node_samples[:, None]).round().astype(np.int64)
    )
    is_leaf = nodes.children_left < 0
    threshold = np.where(is_leaf, 0.0, nodes.threshold)
    rounded = threshold.astype(np.float32)  # down, so that no float32 value changes its side
    rounded = np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    return Tree(
        torch.from_numpy(np.where(is_leaf, -1, nodes.feature).astype(np.int64)),
        torch.from_numpy(rounded.astype(np.float32)),
        torch.from_numpy(nodes.children_left.astype(np.int64)),
        torch.from_numpy(nodes.children_right.astype(np.int64)),
        counts,
    )


def recount(tree: Tree, x: Tensor, y: Tensor) -> Tree:
    """The same splits, with the counts of the examples `x` (N, ...) and labels `y` (N,)."""
    _, y = _check(x, y)
    if y.max() >= tree.n_classes:
        raise ValueError(f"labels run to {int(y.max())}, expected 0 to {tree.n_classes - 1}")
    counts = torch.zeros_like(tree.counts)
    visits = torch.stack(tree._trace(x)).cpu()  # (depth + 1, N)
    is_new = torch.ones_like(visits, dtype=torch.bool)
    is_new[1:] = visits[1:] != visits[:-1]
    labels = y.cpu().expand_as(visits)
    counts.index_put_((visits[is_new], labels[is_new]), torch.tensor(1), accumulate=True)
    return replace(tree, counts=counts)


def with_split(tree: Tree, node: int, feature: int, threshold: float, x: Tensor, y: Tensor) -> Tree:
    """Another question at `node`, everything below it as it was, counts of `x` and `y` anew.

    Raises:
        ValueError: `node` is a leaf or outside the tree, or there is no such feature.
    """
    _check_split(tree, node)
    n_features = table(x).shape[1]
    if not 0 <= feature < n_features:
        raise ValueError(f"feature is {feature}, expected 0 to {n_features - 1}")
    features, thresholds = tree.feature.clone(), tree.threshold.clone()
    features[node], thresholds[node] = feature, threshold
    return recount(replace(tree, feature=features, threshold=thresholds), x, y)


def flip_split(tree: Tree, node: int, x: Tensor, y: Tensor) -> Tree:
    """Sends to the right what `node` sent to the left, and counts `x` and `y` anew.

    Raises:
        ValueError: `node` is a leaf or outside the tree.
    """
    _check_split(tree, node)
    left, right = tree.left.clone(), tree.right.clone()
    left[node], right[node] = tree.right[node], tree.left[node]
    return recount(replace(tree, left=left, right=right), x, y)


def _pruned(tree: Tree, is_leaf: Tensor) -> Tree:
    """The tree with `is_leaf` (M,) nodes as leaves, what is below them left out."""
    feature = torch.where(is_leaf, -1, tree.feature)
    kept = torch.tensor(sorted(replace(tree, feature=feature)._downwards()))
    number = torch.full((tree.n_nodes,), -1)
    number[kept] = torch.arange(len(kept))
    inner = ~is_leaf[kept]
    return Tree(
        feature[kept],
        torch.where(inner, tree.threshold[kept], 0.0),
        torch.where(inner, number[tree.left[kept]], -1),
        torch.where(inner, number[tree.right[kept]], -1),
        tree.counts[kept],
    )


def _check(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    rows = table(x)
    if y.dtype != torch.int64 or y.shape != rows.shape[:1]:
        raise ValueError(
            f"y is {y.dtype} of shape {tuple(y.shape)}, expected torch.int64 labels ({len(rows)},)"
        )
    if len(rows) < 2:
        raise ValueError(
            f"got {len(rows)} example, expected at least 2: a tree is grown from a whole data set "
            "(was one row taken out by indexing?)"
        )
    n_bad = int((~torch.isfinite(rows)).any(1).sum())
    if n_bad:
        raise ValueError(
            f"{n_bad} of {len(rows)} examples hold nan or inf, for which no side of a threshold "
            "is right: fill missing values first"
        )
    if y.min() < 0:
        raise ValueError(f"labels start at {int(y.min())}, expected 0 to n_classes - 1")
    return rows, y


def _check_split(tree: Tree, node: int) -> None:
    if not 0 <= node < tree.n_nodes or tree.feature[node] < 0:
        splits = torch.nonzero(tree.feature >= 0).flatten().tolist()
        raise ValueError(f"node {node} holds no split; the splits are at {splits[:20]}")


def check_whole(name: str, value: int, least: int) -> None:
    """Raises ValueError where `value` is no integer of at least `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
