"""t-SNE: a map whose Student-t neighbourhoods imitate the Gaussian ones of the data."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from numbers import Real

import torch
from torch import Tensor

from companion.explanation.points import checked_count, checked_points, distances
from companion.explanation.start import start_of_map

N_EXAGGERATED = 250  # iterations with early exaggeration and the lower momentum
BLOCK = 128  # rows whose n weights stay in the cache
Callback = Callable[[int, Tensor, float], object]


def row_perplexity_search(squared_distances: Tensor, perplexity: float) -> Tensor:
    """The precision b_i (n,) at which row i, p_j|i ~ exp(-b_i d_ij^2), has the wanted perplexity.

    Perplexity is 2^H with the entropy H in bits: the number of equally likely neighbours.  It
    falls as the precision grows, so halving an interval finds it.  `squared_distances` is (n, n);
    the diagonal does not count.  b_i = 1 / (2 sigma_i^2).

    A row with m equally near nearest points (copies, say) cannot fall below m: where m is more than
    the perplexity, a warning says so and these points share the probability.

    Source: van der Maaten & Hinton, JMLR 9:2579-2605, 2008.

    Raises:
        ValueError: no square matrix of finite floats, a negative distance, all distances 0, or a
            perplexity below 1 or from n / 3 on.
    """
    d = _checked_squares(squared_distances)
    n = len(d)
    _check_perplexity(perplexity, n)
    d = d - d.masked_fill(torch.eye(n, dtype=torch.bool, device=d.device), torch.inf).amin(
        1, keepdim=True
    )  # the nearest at 0: exp cannot underflow for all of a row
    target = math.log(perplexity)
    low, high = d.new_zeros(n, 1), d.new_full((n, 1), torch.inf)
    b = 1 / d.clamp_min(0).mean(1, keepdim=True).clamp_min(torch.finfo(d.dtype).tiny)
    for _ in range(100):
        p = _exponentials(d, b)
        total = p.sum(1, keepdim=True)
        entropy = total.log() + b * p.mul_(d).sum(1, keepdim=True) / total  # (n, 1), in nats
        error = entropy - target
        if (error.abs() < 1e-5).all():
            break
        low, high = torch.where(error > 0, b, low), torch.where(error > 0, high, b)
        b = torch.where(high.isinf(), 2 * b, (low + high) / 2)
    else:
        missed = (error[:, 0] > 1e-3).nonzero()[:, 0]
        if len(missed):
            i = int(missed[0])
            warnings.warn(
                f"perplexity {perplexity:g} cannot be reached in {len(missed)} of {n} rows: row {i}"
                f" has {entropy[i].exp().item():.0f} nearest points at one distance (copies?), "
                "and they share its probability; drop the copies or raise the perplexity",
                stacklevel=2,
            )
    return b[:, 0]


def conditional_probabilities(squared_distances: Tensor, perplexity: float) -> Tensor:
    """p_j|i (n, n) = exp(-b_i d_ij^2) / sum over k != i, with the wanted perplexity in every row.

    The diagonal is 0.  Arguments, source and errors as in `row_perplexity_search`.
    """
    b = row_perplexity_search(squared_distances, perplexity)[:, None]
    d = squared_distances.detach()
    nearest = d.masked_fill(torch.eye(len(d), dtype=torch.bool, device=d.device), torch.inf)
    p = _exponentials(d - nearest.amin(1, keepdim=True), b)
    return p / p.sum(1, keepdim=True)


def joint_probabilities(x: Tensor, perplexity: float) -> Tensor:
    """p_ij (n, n) = (p_j|i + p_i|j) / 2n of the points x (n, d): symmetric, of sum 1.

    Errors: those of `row_perplexity_search`, and points that are not finite floats.
    """
    x = checked_points(x)
    p = conditional_probabilities(distances(x, x).square_(), perplexity)
    return (p + p.T) / (2 * len(p))


def kl_divergence(p: Tensor, y: Tensor) -> Tensor:
    """KL(P || Q) in nats of p (n, n) and q_ij = (1 + |y_i - y_j|^2)^-1 / Z of the map y (n, m).

    Differentiable.  As the p_ij sum to 1: sum p log p + sum p log(1 + |y_i - y_j|^2) + log Z.
    """
    d = sum((column[:, None] - column).square() for column in y.T)  # (n, n)
    z = (1 / (1 + d)).sum() - len(y)  # without i = j, where the weight is 1
    return torch.xlogy(p, p).sum() + (p * d.log1p()).sum() + z.log()


def tsne_gradient(p: Tensor, y: Tensor) -> Tensor:
    """4 sum over j of (p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2), (n, m): dKL/dy_i.

    Not differentiable itself: it computes in place, `BLOCK` rows at a time.

    Source: van der Maaten & Hinton, JMLR 9:2579-2605, 2008.
    """
    pull, push, z = _forces(p.detach(), y.detach())
    return 4 * (pull - push / z)


def tsne(
    x: Tensor,
    *,
    n_components: int = 2,
    perplexity: float = 30,
    n_iterations: int = 750,
    early_exaggeration: float = 12.0,
    learning_rate: float | str = "auto",
    init: str | Tensor = "pca",
    seed: int = 0,
    callback: Callback | None = None,
) -> Tensor:
    """A map y (n, n_components) of the points x (n, d), by gradient descent on KL(P || Q).

    All n^2 pairs count; nothing is approximated.  In the first 250 iterations P is multiplied by
    `early_exaggeration` and the momentum is 0.5, then 0.8.  The descent runs in float32.

    init: "pca" (scores, scaled to 1e-4), "random" (normal, 1e-4), or a tensor (n, n_components)
        that is used as it is.  `seed` draws the random start, and a millionth of jitter for "pca".
    learning_rate: "auto" is n / early_exaggeration / 4, at least 50.
    callback: called as callback(iteration, y, kl) after every 50 iterations, KL in nats.

    Source: van der Maaten & Hinton, JMLR 9:2579-2605, 2008; the start and the learning rate from
    Kobak & Berens, Nature Communications 10:5416, 2019, and Belkina et al., the same 10:5415
    (both from memory, unverified).

    Raises:
        ValueError: x is no (n, d) of finite floats with n >= 5, all rows are equal, the perplexity
            is below 1 or from n / 3 on, or another argument is out of range.
    """
    x = checked_points(x, at_least=5)
    n = len(x)
    checked_count(n_components, "n_components", low=1)
    checked_count(n_iterations, "n_iterations", low=1)
    _check_perplexity(perplexity, n)
    early_exaggeration = _checked_positive(early_exaggeration, "early_exaggeration")
    if learning_rate == "auto":
        learning_rate = max(n / early_exaggeration / 4, 50.0)
    learning_rate = _checked_positive(learning_rate, "learning_rate")
    y = start_of_map(x, init, n_components, seed, spread=1e-4).float()
    p = joint_probabilities(x, perplexity).float()
    velocity, gains, buffer = torch.zeros_like(y), torch.ones_like(y), p.new_empty(2, BLOCK, n)
    for iteration in range(1, n_iterations + 1):
        is_early = iteration <= N_EXAGGERATED
        pull, push, z = _forces(p, y, buffer)
        gradient = 4 * ((early_exaggeration if is_early else 1.0) * pull - push / z)
        # Each coordinate has a gain: it grows while its velocity runs downhill (Jacobs 1988).
        downhill = gradient * velocity < 0
        gains = torch.where(downhill, gains + 0.2, gains * 0.8).clamp_min_(0.01)
        velocity = (0.5 if is_early else 0.8) * velocity - learning_rate * gains * gradient
        y = y + velocity
        y -= y.mean(0)
        if callback is not None and iteration % 50 == 0:
            callback(iteration, y.to(x.dtype, copy=True), kl_divergence(p, y).item())
    return y.to(x.dtype)


def _forces(p: Tensor, y: Tensor, buffer: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Sums over j of p_ij w_ij (y_i - y_j) and of w_ij^2 (y_i - y_j), (n, m); and Z = sum of w_ij.

    w_ij = 1 / (1 + |y_i - y_j|^2).  A sum of a_ij (y_i - y_j) is y_i sum a_ij - sum a_ij y_j: one
    product of the weights with the columns [y, 1], so that no (n, n, m) array is ever made.
    """
    n, m = y.shape
    buffer = p.new_empty(2, BLOCK, n) if buffer is None else buffer
    one, square = torch.ones_like(y[:, :1]), y.square().sum(1, keepdim=True)
    left = torch.cat([y, square + 1, one], 1)  # left @ right = 1 + |y_i - y_j|^2
    right = torch.cat([-2 * y, one, square], 1).T.contiguous()  # (m + 2, n)
    columns = torch.cat([y, one], 1).T.contiguous()  # (m + 1, n)
    sums, total = y.new_empty(2, m + 1, n), y.new_zeros(())
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        w, product = buffer[:, : rows.stop - start]  # (block, n) each
        torch.mm(left[rows], right, out=w).reciprocal_()
        w.diagonal(start).zero_()  # i = j
        total += w.sum()
        torch.mul(p[rows], w, out=product)
        sums[0, :, rows] = columns @ product.T
        sums[1, :, rows] = columns @ w.square_().T
    pull, push = (s[m:].T * y - s[:m].T for s in sums)
    return pull, push, total


def _exponentials(d: Tensor, b: Tensor) -> Tensor:
    return (d * -b).exp_().fill_diagonal_(0)


def _checked_squares(d: Tensor) -> Tensor:
    d = checked_points(d, name="squared_distances", at_least=5)
    if d.shape[0] != d.shape[1] or (d < 0).any():
        raise ValueError(
            f"squared_distances has the shape {tuple(d.shape)} and the least value {d.min():g}, "
            "expected a square matrix without negative values"
        )
    if not d.any():
        raise ValueError(
            "all distances are 0: all rows are equal, so there is nothing to map; was the data "
            "divided by something large, or are these the activations of a dead layer?"
        )
    return d


def _check_perplexity(perplexity: float, n: int) -> None:
    is_number = isinstance(perplexity, Real) and not isinstance(perplexity, bool)
    if not is_number or not math.isfinite(perplexity) or perplexity < 1:
        raise ValueError(f"perplexity is {perplexity!r}, expected a finite number, at least 1")
    if perplexity >= n / 3:
        raise ValueError(
            f"perplexity is {perplexity:g} for {n} points, expected less than n / 3 = {n / 3:.4g}: "
            "it counts the neighbours of a point, and where they are a third of all points every "
            "point is near every other and the map is one ball"
        )


def _checked_positive(value: float, name: str) -> float:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value!r}, expected a positive number")
    return float(value)
