"""A tree with soft questions, which gradient descent can train and a net can teach."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion.explanation.tree import check_whole


class SoftTree(nn.Module):
    """2^depth - 1 questions sigmoid(beta (w x + b)), each with its own w, b and beta.

    A leaf is reached with the product of the answers on its way and holds a distribution over the
    classes.  Inputs (N, ...), output (N, K): log-probabilities of the mixture of all leaves, so
    `argmax` and cross-entropy take them as they take logits.

    Source: Frosst & Hinton, "Distilling a neural network into a soft decision tree",
    arXiv:1711.09784, 2017.

    Raises:
        ValueError: sizes that are not integers of at least 1, or inputs of another size.
    """

    def __init__(self, n_inputs: int, depth: int, n_classes: int) -> None:
        super().__init__()
        for name, size in (("n_inputs", n_inputs), ("depth", depth), ("n_classes", n_classes)):
            check_whole(name, size, 1)
        self.depth = depth
        self.gates = nn.Linear(n_inputs, 2**depth - 1)  # the questions, level by level
        self.inverse_temperature = nn.Parameter(torch.ones(2**depth - 1))
        self.leaf_logits = nn.Parameter(0.1 * torch.randn(2**depth, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self._mixture(self._log_node_probabilities(x))

    def path_probabilities(self, x: Tensor) -> Tensor:
        """How much of each example arrives at each leaf (N, 2^depth); a row sums to 1."""
        return self._log_node_probabilities(x)[-1].exp()

    def most_likely_leaf(self, x: Tensor) -> Tensor:
        """The leaf (N,) that most of an example arrives at, numbered from left to right."""
        return self.path_probabilities(x).argmax(1)

    def balance_penalty(self, x: Tensor) -> Tensor:
        """Sum over the questions of -2^-level (log a + log(1 - a)) / 2, in nats.

        a is the share of what arrives at a question that goes right.  Without the penalty one
        branch takes everything early and the other never learns.
        """
        return self._balance(self._log_node_probabilities(x))

    def _mixture(self, levels: list[Tensor]) -> Tensor:
        log_leaves = F.log_softmax(self.leaf_logits, 1)  # (L, K)
        return torch.logsumexp(levels[-1][:, :, None] + log_leaves, 1)  # (N, L, K) -> (N, K)

    def _balance(self, levels: list[Tensor]) -> Tensor:
        penalty = levels[0].new_zeros(())
        for level in range(self.depth):
            arrives = levels[level].exp().sum(0)  # (2^level,)
            right = levels[level + 1][:, 1::2].exp().sum(0)
            share = (right / arrives.clamp(min=1e-12)).clamp(1e-6, 1 - 1e-6)
            penalty = penalty - 2.0**-level * 0.5 * (share.log() + (1 - share).log()).sum()
        return penalty

    def _log_node_probabilities(self, x: Tensor) -> list[Tensor]:
        """For each level the log-probability (N, 2^level) of arriving at each of its nodes."""
        rows = x.flatten(1)
        if rows.shape[1] != self.gates.in_features:
            raise ValueError(
                f"an input has {rows.shape[1]} values, the tree takes {self.gates.in_features}"
            )
        scores = self.inverse_temperature * self.gates(rows)  # (N, 2^depth - 1)
        levels = [rows.new_zeros(len(rows), 1)]
        for level in range(self.depth):
            here = scores[:, 2**level - 1 : 2 ** (level + 1) - 1]  # (N, 2^level)
            both = torch.stack([F.logsigmoid(-here), F.logsigmoid(here)], 2)  # left, right
            levels.append((levels[-1][:, :, None] + both).flatten(1))  # (N, 2^(level + 1))
        return levels


def train_soft_tree(
    tree: SoftTree,
    x: Tensor,
    targets: Tensor,
    *,
    epochs: int = 40,
    lr: float = 0.01,
    batch_size: int = 64,
    penalty: float = 0.1,
    seed: int = 0,
) -> list[float]:
    """Trains in place with Adam; returns the mean cross-entropy in nats of each epoch.

    `targets` are labels (N,) or a net's probabilities (N, K); `penalty` weighs `balance_penalty`
    of a batch.  `seed` orders the batches.

    Raises:
        ValueError: nan, targets of another size, or probabilities that are logits.
        FloatingPointError: the loss became nan or inf.
    """
    _check_targets(tree, x, targets)
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        check_whole(name, value, 1)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(tree.parameters(), lr=lr)
    losses = []
    tree.train()
    for epoch in range(epochs):
        total = 0.0
        for index in torch.randperm(len(x), generator=generator).split(batch_size):
            batch, wanted = x[index.to(x.device)], targets[index.to(targets.device)]
            levels = tree._log_node_probabilities(batch)  # once, for both parts of the loss
            error = F.cross_entropy(tree._mixture(levels), wanted)
            loss = error + penalty * tree._balance(levels) if penalty else error
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += error.item() * len(index)
        losses.append(total / len(x))
        if not losses[-1] < float("inf"):
            raise FloatingPointError(f"the loss is {losses[-1]} in epoch {epoch}: lower lr")
    tree.eval()
    return losses


def _check_targets(tree: SoftTree, x: Tensor, targets: Tensor) -> None:
    n_classes = tree.leaf_logits.shape[1]
    if len(x) == 0 or not torch.isfinite(x).all():
        raise ValueError(f"x {tuple(x.shape)} is empty or holds nan or inf")
    if targets.dtype == torch.int64 and targets.shape == (len(x),):
        if targets.min() < 0 or targets.max() >= n_classes:
            raise ValueError(
                f"labels run from {int(targets.min())} to {int(targets.max())}, expected 0 to "
                f"{n_classes - 1}"
            )
        return
    if not targets.is_floating_point() or targets.shape != (len(x), n_classes):
        raise ValueError(
            f"targets are {targets.dtype} of shape {tuple(targets.shape)}, expected int64 labels "
            f"({len(x)},) or probabilities ({len(x)}, {n_classes})"
        )
    if not (targets.min() >= 0 and (targets.sum(1) - 1).abs().max() < 1e-3):
        raise ValueError(
            "the rows of targets do not sum to 1 or hold negative values: logits need softmax(1)"
        )
