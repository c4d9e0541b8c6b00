"""One weight matrix as the product of two thin ones."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import torch
from torch import Tensor, nn


def factorize_linear(layer: nn.Linear, rank: int) -> nn.Sequential:
    """Linear(in, rank, no bias) and Linear(rank, out) with the nearest weight of that rank.

    W = U S V^T is cut after `rank` singular values, and sqrt(S) goes to each side, so that both
    factors have the same size when they are trained on.

    Source: Eckart & Young 1936 (from memory, unverified); Xue, Li & Gong, Interspeech 2013.

    Raises:
        ValueError: no Linear layer, or a rank outside 1 ... min(in, out).
    """
    if not isinstance(layer, nn.Linear):
        raise ValueError(f"the layer is a {type(layer).__name__}, expected an nn.Linear")
    left, right = _factors(layer.weight, rank)
    options = {"dtype": layer.weight.dtype, "device": layer.weight.device}
    first = nn.Linear(layer.in_features, rank, bias=False, **options)
    second = nn.Linear(rank, layer.out_features, bias=layer.bias is not None, **options)
    return _filled(first, second, right, left, layer.bias)


def factorize_conv(layer: nn.Conv1d | nn.Conv2d, rank: int) -> nn.Sequential:
    """A convolution with `rank` filters of the same window, then one of window 1 that mixes them.

    The weight (out, in, k...) is cut as the matrix (out, in * k...), as in `factorize_linear`.

    Source: Denil et al., NIPS 2013; Denton et al., NIPS 2014 (from memory, unverified).

    Raises:
        ValueError: no Conv1d or Conv2d, groups, or a rank outside 1 ... min(out, in * k...).
    """
    if not isinstance(layer, nn.Conv1d | nn.Conv2d) or layer.groups != 1:
        raise ValueError(f"the layer is {layer}, expected a Conv1d or Conv2d with one group")
    left, right = _factors(layer.weight.flatten(1), rank)
    options = {"dtype": layer.weight.dtype, "device": layer.weight.device}
    window = {n: getattr(layer, n) for n in ("kernel_size", "stride", "padding", "dilation")}
    window["padding_mode"] = layer.padding_mode
    kind = type(layer)
    first = kind(layer.in_channels, rank, bias=False, **window, **options)
    second = kind(rank, layer.out_channels, 1, bias=layer.bias is not None, **options)
    return _filled(first, second, right, left, layer.bias)


def rank_for_energy(singular_values: Tensor | Sequence[float], energy: float) -> int:
    """The smallest r for which the first r squared singular values sum to `energy` of the total.

    Raises:
        ValueError: energy outside (0, 1], or values that are none, negative, nan, inf or unsorted.
    """
    if not isinstance(energy, Real) or not 0 < energy <= 1:
        raise ValueError(f"energy is {energy!r}, expected a share in (0, 1]")
    s = torch.as_tensor(singular_values).detach().cpu().double()
    if s.ndim != 1 or len(s) == 0 or not torch.isfinite(s).all() or s[-1] < 0:
        raise ValueError(
            f"singular values are {s}, expected one or more finite ones, none negative"
        )
    if (s.diff() > 0).any():
        raise ValueError("the singular values grow, expected the largest first, as svd gives them")
    sums = s.square().cumsum(0)
    return int((sums < energy * sums[-1]).sum()) + 1


def break_even_rank(m: int, n: int) -> int:
    """The largest r with r (m + n) < m n: up to it two factors hold fewer values than one matrix.

    0 where there is none.
    """
    if not (isinstance(m, Integral) and isinstance(n, Integral) and m >= 1 and n >= 1):
        raise ValueError(f"the matrix is {m!r} x {n!r}, expected sizes of at least 1")
    return (m * n - 1) // (m + n)


def _factors(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """(m, r) and (r, n), computed in float64."""
    m, n = matrix.shape
    if not isinstance(rank, Integral) or isinstance(rank, bool) or not 1 <= rank <= min(m, n):
        raise ValueError(f"rank is {rank!r}, expected 1 to {min(m, n)} for a matrix {m} x {n}")
    if not torch.isfinite(matrix).all():
        raise ValueError("the weight holds nan or inf: did the training diverge?")
    u, s, vt = torch.linalg.svd(matrix.detach().cpu().double(), full_matrices=False)
    root = s[:rank].sqrt()
    return u[:, :rank] * root, root[:, None] * vt[:rank]


def _filled(
    first: nn.Module, second: nn.Module, right: Tensor, left: Tensor, bias: Tensor | None
) -> nn.Sequential:
    with torch.no_grad():
        first.weight.copy_(right.view_as(first.weight))
        second.weight.copy_(left.view_as(second.weight))
        if bias is not None:
            second.bias.copy_(bias)
    return nn.Sequential(first, second)
