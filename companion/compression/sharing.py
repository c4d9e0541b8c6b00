"""Weight sharing: few values for many weights, found by k-means in one dimension."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class SharedWeights:
    """`codes` (int64, the shape of the weights) into `codebook` (K,), sorted, no repeats."""

    codes: Tensor
    codebook: Tensor

    def values(self) -> Tensor:
        """codebook[codes]: each weight's shared value."""
        return self.codebook[self.codes]


def share_weights(
    weight: Tensor,
    n_levels: int,
    *,
    init: Literal["linear", "density", "random"] = "linear",
    keep_zero: bool = False,
    generator: torch.Generator | None = None,
    max_iter: int = 1000,
) -> SharedWeights:
    """Replaces each weight by the nearest of `n_levels` values, which minimize sum (w - c)^2.

    k-means as Lloyd did it: each weight goes to its nearest level, each level to the mean of its
    weights, until no weight moves.  On a line the weights of a level are a stretch of the sorted
    ones, so a step is a search for K - 1 boundaries and K differences of prefix sums.  The levels
    start evenly between smallest and largest weight ("linear", which keeps levels for the few large
    weights), at evenly spaced ranks ("density"), or at weights drawn with `generator` ("random").
    A level that no weight is nearest to moves to the weight farthest from its own.  With
    `keep_zero` zero is one of the levels: weights that are zero stay so, the others share the rest.

    Source: Lloyd 1957; Han, Mao & Dally, "Deep Compression", ICLR 2016.

    Raises:
        ValueError: no weights, nan or inf, an integer tensor, n_levels < 1 (< 2 with `keep_zero`
            and a weight that is not zero), an unknown `init`, or "random" without a generator.
    """
    _check(weight, n_levels, init, generator, max_iter)
    flat = weight.detach().flatten()
    kept = flat[flat != 0] if keep_zero else flat
    n_wanted = n_levels - (len(kept) < len(flat))
    if n_wanted < 1 and len(kept):
        raise ValueError(
            f"n_levels={n_levels} with keep_zero leaves no level for the {len(kept)} weights that "
            "are not zero: expected at least 2"
        )
    codebook = _levels(kept, n_wanted, init, generator, max_iter) if len(kept) else kept
    codes = _nearest(flat, codebook)
    if len(kept) < len(flat) and not (codebook == 0).any():
        below = int((codebook < 0).sum())  # zero goes between, and is nobody else's level
        codebook = torch.cat([codebook[:below], codebook.new_zeros(1), codebook[below:]])
        codes = torch.where(flat == 0, below, codes + (codes >= below))
    return SharedWeights(codes.view(weight.shape), codebook)


def _levels(
    kept: Tensor, n_levels: int, init: str, generator: torch.Generator | None, max_iter: int
) -> Tensor:
    """The levels of Lloyd's algorithm, in the dtype of the weights."""
    x = kept.double().sort().values
    distinct = x.unique_consecutive()
    if len(distinct) <= n_levels:
        return distinct.to(kept.dtype)
    sums = torch.cat([x.new_zeros(1), x.cumsum(0)])
    if init == "linear":
        levels = torch.linspace(x[0], x[-1], n_levels, dtype=x.dtype, device=x.device)
    elif init == "density":
        ranks = (torch.arange(n_levels, device=x.device) + 0.5) / n_levels * len(x)
        levels = x[ranks.long()]
    else:
        chosen = torch.randperm(len(distinct), generator=generator)[:n_levels]
        levels = distinct[chosen.to(x.device)].sort().values
    bounds = None
    for _ in range(max_iter):
        inner = torch.searchsorted(x, (levels[1:] + levels[:-1]) / 2)
        ends = torch.cat([inner.new_zeros(1), inner, inner.new_full((1,), len(x))])  # (K + 1,)
        if bounds is not None and torch.equal(ends, bounds):
            break
        bounds, counts = ends, ends.diff()
        levels = (sums[ends].diff() / counts)[counts > 0]
        n_unused = len(counts) - len(levels)
        if n_unused:
            distances = (distinct - levels[_nearest(distinct, levels)]).abs()
            farthest = distinct[distances.topk(n_unused).indices]
            levels, bounds = torch.cat([levels, farthest]).sort().values, None
    return levels.to(kept.dtype).unique_consecutive()


def _nearest(x: Tensor, codebook: Tensor) -> Tensor:
    middles = (codebook[1:].double() + codebook[:-1].double()) / 2
    return torch.searchsorted(middles, x.double(), right=True)


def _check(
    weight: Tensor, n_levels: int, init: str, generator: torch.Generator | None, max_iter: int
) -> None:
    if weight.numel() == 0:
        raise ValueError(f"weight has shape {tuple(weight.shape)}: nothing to share")
    if not weight.is_floating_point():
        raise ValueError(f"weight has dtype {weight.dtype}, expected floating-point weights")
    n_bad = int((~torch.isfinite(weight)).sum())
    if n_bad:
        raise ValueError(
            f"{n_bad} of {weight.numel()} weights are nan or inf (did training diverge?)"
        )
    for name, value in (("n_levels", n_levels), ("max_iter", max_iter)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
    if init not in ("linear", "density", "random"):
        raise ValueError(f"init must be 'linear', 'density' or 'random', got {init!r}")
    if init == "random" and not isinstance(generator, torch.Generator):
        raise ValueError("init='random' draws its levels: pass generator=torch.Generator()")
