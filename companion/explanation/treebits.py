"""What a tree costs in bits, and what its mistakes cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from companion.codelength import TwoPartCode
from companion.explanation.points import table
from companion.explanation.surrogate import answers
from companion.explanation.tree import Tree, grow_tree, recount


def tree_bits(tree: Tree, *, n_features: int, threshold_bits: int = 8) -> float:
    """Bits to send a tree, node by node from the root, left before right.

    1 bit a node says split or leaf; a split costs log2 `n_features` and `threshold_bits`, a leaf
    log2 K.  The thresholds must lie on the grid: `on_grid` puts them there.

    Raises:
        ValueError: a split on a feature that is not among `n_features`.
    """
    if int(tree.feature.max()) >= n_features:
        raise ValueError(f"the tree asks for feature {int(tree.feature.max())} of {n_features}")
    n_splits = tree.n_leaves - 1
    split = math.log2(n_features) + threshold_bits
    return 2 * n_splits + 1 + n_splits * split + tree.n_leaves * math.log2(tree.n_classes)


def on_grid(tree: Tree, x: Tensor, *, threshold_bits: int = 8) -> Tree:
    """The tree with each threshold moved to the nearest of 2^`threshold_bits` cut points.

    Those of a feature lie in the middles of as many equal steps from its lowest to its highest
    value in `x` (N, ...), which the receiver has.  The leaves keep what they say.
    """
    rows = table(x).cpu().double()
    low, span = rows.amin(0), rows.amax(0) - rows.amin(0)  # (D,)
    n_cuts = 2**threshold_bits
    feature = tree.feature.clamp(min=0)
    low, span = low[feature], span[feature].clamp(min=1e-12)  # (M,)
    place = ((tree.threshold.double() - low) / span * n_cuts - 0.5).round().clamp(0, n_cuts - 1)
    moved = (low + (place + 0.5) / n_cuts * span).float()
    return replace(tree, threshold=torch.where(tree.feature >= 0, moved, 0.0))


def exception_bits(n_wrong: int, n: int, n_classes: int) -> float:
    """Bits to correct `n_wrong` of `n` labels: how many, which ones, and what they are instead.

    log2(n + 1) + log2 C(n, w) + w log2(K - 1).

    Raises:
        ValueError: more mistakes than labels, or less than two classes.
    """
    if not 0 <= n_wrong <= n or n_classes < 2:
        raise ValueError(
            f"n_wrong={n_wrong}, n={n}, n_classes={n_classes}: expected 0 <= n_wrong <= n and at "
            "least 2 classes"
        )
    which = math.log2(math.comb(n, n_wrong))
    return math.log2(n + 1) + which + n_wrong * math.log2(n_classes - 1)


def label_bits(tree: Tree, x: Tensor, y: Tensor, *, threshold_bits: int = 8) -> TwoPartCode:
    """Two-part code of labels `y` (N,) for someone who has `x` (N, ...): the tree, its mistakes.

    The thresholds are put on the grid first, and each leaf says what it finds most there.
    """
    tree = recount(on_grid(tree, x, threshold_bits=threshold_bits), x, y)
    n_wrong = int((tree.predict(x) != y).sum())
    n_features = x[0].numel()
    return TwoPartCode(
        tree_bits(tree, n_features=n_features, threshold_bits=threshold_bits),
        exception_bits(n_wrong, len(y), tree.n_classes),
    )


def surrogate_bits(
    tree: Tree,
    model: nn.Module | Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    threshold_bits: int = 8,
) -> TwoPartCode:
    """Bits that send the answers of `model` to `x` (N, ...): the tree, then its disagreements.

    The leaves of `tree` keep what they say; its thresholds are put on the grid first.
    """
    tree = on_grid(tree, x, threshold_bits=threshold_bits)
    n_wrong = int((tree.predict(x) != answers(model, x)).sum())
    return TwoPartCode(
        tree_bits(tree, n_features=x[0].numel(), threshold_bits=threshold_bits),
        exception_bits(n_wrong, len(x), tree.n_classes),
    )


def codes_by_leaves(
    x: Tensor, y: Tensor, n_leaves: Iterable[int], *, n_classes: int, threshold_bits: int = 8
) -> dict[int, TwoPartCode]:
    """For each number of leaves the two-part code of `y` (N,) given `x` (N, ...).

    One tree is grown, best split first, to the largest number, and cut back to the others.
    """
    sizes = sorted(set(n_leaves))
    if not sizes:
        raise ValueError("n_leaves is empty: expected at least one number of leaves")
    tree = grow_tree(x, y, n_classes=n_classes, max_leaves=sizes[-1])
    return {
        size: label_bits(tree.cut(max_leaves=size), x, y, threshold_bits=threshold_bits)
        for size in sizes
    }
