"""A data set: inputs, labels and the names of the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

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
        return replace(self, inputs=self.inputs[index], targets=self.targets[index])

    def map(self, transform: Callable[[Tensor], Tensor]) -> Dataset:
        """Applies `transform` to all inputs at once; targets stay."""
        return replace(self, inputs=transform(self.inputs))

    def hold_out(self, n: int, generator: torch.Generator) -> tuple[Dataset, Dataset]:
        """Splits at random into `(rest, held_out)` with `n` examples held out for validation.

        Raises:
            ValueError: `n` does not leave at least one example on each side.
        """
        if not 0 < n < len(self):
            raise ValueError(f"cannot hold out {n} of {len(self)} examples: 1 to {len(self) - 1}")
        order = torch.randperm(len(self), generator=generator)
        rest, held_out = self.subset(order[n:]), self.subset(order[:n])
        return replace(rest, split="train"), replace(held_out, split="validation")

    def batches(
        self, batch_size: int, generator: torch.Generator | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields `(inputs, targets)` in batches; shuffled where a generator is given.

        The last batch may be smaller.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        n = len(self)
        order = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
        for index in order.split(batch_size):
            yield self.inputs[index], self.targets[index]
