"""A data set: inputs, labels and the names of the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from numbers import Integral

import torch
from torch import Tensor


@dataclass(frozen=True)
class Dataset:
    """Inputs (N, ...) float32 and targets (N,) int64, which stay together.

    `classes` names the labels 0 ... K-1; `name` and `split` say where the examples come from.
    """

    inputs: Tensor
    targets: Tensor
    classes: tuple[str, ...]
    name: str
    split: str

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.targets):
            raise ValueError(
                f"{len(self.inputs)} inputs but {len(self.targets)} targets: "
                "each input needs one target (was only one of the two indexed or shuffled?)"
            )

    def __len__(self) -> int:
        return len(self.targets)

    def subset(self, index: Tensor | slice | list[int]) -> Dataset:
        """The examples at `index` (integers, booleans or a slice), in that order."""
        if isinstance(index, int):
            raise ValueError(
                f"subset takes a list, a tensor or a slice; for one example: [{index}]"
            )
        if not isinstance(index, slice):
            index = _positions(index)
        return replace(self, inputs=self.inputs[index], targets=self.targets[index])

    def map(self, transform: Callable[[Tensor], Tensor]) -> Dataset:
        """Applies `transform` to all inputs at once; targets stay."""
        return replace(self, inputs=transform(self.inputs))

    def hold_out(self, n: int, generator: torch.Generator) -> tuple[Dataset, Dataset]:
        """Splits at random into `(rest, held_out)` with `n` examples held out for validation.

        Raises:
            ValueError: `n` does not leave at least one example on each side.
        """
        if not isinstance(n, Integral) or not 0 < n < len(self):
            raise ValueError(
                f"cannot hold out {n!r} of {len(self)} examples: expected an integer from 1 to "
                f"{len(self) - 1} (for a share of the data: int(share * len(data)))"
            )
        order = torch.randperm(len(self), generator=generator)
        rest, held_out = self.subset(order[n:]), self.subset(order[:n])
        return replace(rest, split="train"), replace(held_out, split="validation")

    def batches(
        self, batch_size: int, generator: torch.Generator | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields `(inputs, targets)` in batches; shuffled where a generator is given.

        The last batch may be smaller.
        """
        if not isinstance(batch_size, Integral) or batch_size < 1:
            raise ValueError(f"batch_size must be an integer of at least 1, got {batch_size!r}")
        n = len(self)
        order = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
        for index in order.split(batch_size):
            yield self.inputs[index], self.targets[index]


def _positions(index: Tensor | list[int]) -> Tensor:
    """Integers or booleans (N,) to index with."""
    positions = torch.as_tensor(index)
    if positions.ndim == 1 and len(positions) == 0:
        return positions.long()  # torch makes floats of an empty list
    if positions.ndim != 1 or positions.is_floating_point():
        raise ValueError(
            f"subset got an index of {positions.dtype} and shape {tuple(positions.shape)}, "
            "expected integers or booleans of shape (N,): a share of the data is no index "
            "(hold_out draws a number of examples at random)"
        )
    return positions
