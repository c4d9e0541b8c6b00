"""A tree in words: one sentence for each leaf, and the story of one case."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from companion.explanation.points import table
from companion.explanation.tree import Tree


def tree_rules(
    tree: Tree,
    *,
    feature_names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
) -> list[str]:
    """One sentence for each leaf, from left to right; questions about one feature are merged.

    "If mean area is above 500.5 and at most 696.3, then benign (12 of 14)."  The numbers count the
    examples that the tree was grown on.

    Raises:
        ValueError: fewer names than the tree has features or classes.
    """
    features, classes = names(tree, feature_names, class_names)
    found: list[str] = []

    def visit(node: int, limits: dict[int, tuple[float | None, float | None]]) -> None:
        feature = int(tree.feature[node])
        if feature < 0:
            found.append(_sentence(tree, node, limits, features, classes))
            return
        at = tree.threshold[node].item()
        low, high = limits.get(feature, (None, None))
        below = at if high is None else min(at, high)
        above = at if low is None else max(at, low)
        visit(int(tree.left[node]), {**limits, feature: (low, below)})
        visit(int(tree.right[node]), {**limits, feature: (above, high)})

    visit(0, {})
    return found


def path_rules(
    tree: Tree,
    row: Tensor,
    *,
    feature_names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
) -> list[str]:
    """What the tree asks about one example, without batch dimension, and what it concludes.

    Raises:
        ValueError: as in `tree_rules`.
    """
    features, classes = names(tree, feature_names, class_names)
    values = table(row.reshape(1, -1))[0]
    *asked, leaf = tree.path(row)
    lines = []
    for node in asked:
        feature = int(tree.feature[node])
        value, at = values[feature].item(), tree.threshold[node].item()
        side = "at most" if value <= at else "above"
        lines.append(f"{features[feature]} is {value:.4g}, {side} {at:.4g}")
    return [*lines, f"so {classes[int(tree.labels[leaf])]} ({share(tree, leaf)})"]


def names(
    tree: Tree, feature_names: Sequence[str] | None, class_names: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """Names of the features and classes as strings, made up where there are none."""
    n_features, n_classes = int(tree.feature.max()) + 1, tree.n_classes
    if feature_names is not None and len(feature_names) < n_features:
        raise ValueError(f"{len(feature_names)} feature names for feature {n_features - 1}")
    if class_names is not None and len(class_names) != n_classes:
        raise ValueError(f"{len(class_names)} class names for {n_classes} classes")
    features = feature_names or [f"feature {i}" for i in range(n_features)]
    classes = class_names or [f"class {i}" for i in range(n_classes)]
    return [*map(str, features)], [*map(str, classes)]


def share(tree: Tree, node: int) -> str:
    """ "312 of 340": the examples at `node` that have its class, of all there."""
    counts = tree.counts[node]
    return f"{int(counts[tree.labels[node]]):,} of {int(counts.sum()):,}"


def _sentence(
    tree: Tree,
    leaf: int,
    limits: dict[int, tuple[float | None, float | None]],
    features: list[str],
    classes: list[str],
) -> str:
    parts = []
    for feature, (low, high) in limits.items():
        sides = [f"above {low:.4g}"] if low is not None else []
        sides += [f"at most {high:.4g}"] if high is not None else []
        parts.append(f"{features[feature]} is {' and '.join(sides)}")
    said = f"{classes[int(tree.labels[leaf])]} ({share(tree, leaf)})."
    return f"If {', and '.join(parts)}, then {said}" if parts else f"Always {said}"
