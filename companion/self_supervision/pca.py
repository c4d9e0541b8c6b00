"""Principal components: the best plane, and what a linear autoencoder finds."""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor, nn

from companion.regularization import ridge
from companion.self_supervision.inputs import check_inputs


class PCA:
    """The plane of `n_components` dimensions through the mean that loses the least squared error.

    After `fit(x)`, with examples of any shape (D values each): `mean` (D,), `components` (K, D)
    with orthonormal rows, `variances` (K,) along them, largest first, and `noise_variance`, the
    mean variance along the D - K directions that were left out.

    Source: a linear autoencoder finds this plane: Baldi & Hornik 1989.

    Raises:
        ValueError: `n_components` is not in 1 ... min(N - 1, D), labels instead of inputs, or use
            before `fit`.
    """

    def __init__(self, n_components: int) -> None:
        if not isinstance(n_components, Integral) or n_components < 1:
            raise ValueError(f"n_components is {n_components!r}, expected an integer of at least 1")
        self.n_components = n_components
        self.mean: Tensor | None = None

    def fit(self, x: Tensor) -> PCA:
        """Finds the plane of the examples `x` (N, ...) and returns itself."""
        flat = check_inputs(x, "x").detach().flatten(1)  # (N, D)
        most = min(len(flat) - 1, flat.shape[1])
        if self.n_components > most:
            raise ValueError(
                f"n_components is {self.n_components}, expected at most {most}: {len(flat)} "
                f"examples of {flat.shape[1]} values span no more directions about their mean"
            )
        exact = flat.cpu().double()
        mean = exact.mean(0)
        covariance = (exact - mean).T @ (exact - mean) / (len(exact) - 1)  # (D, D)
        variances, directions = torch.linalg.eigh(covariance)  # rising
        components = directions.T.flip(0)[: self.n_components]
        peaks = components.gather(1, components.abs().argmax(1, keepdim=True))
        left_out = variances[: -self.n_components].clamp(min=0)
        kept = variances.flip(0)[: self.n_components].clamp(min=0)
        self.shape = x.shape[1:]
        self.mean = mean.to(flat)
        self.components = (components * peaks.sign()).to(flat)  # the largest entry is positive
        self.variances = kept.to(flat)
        self.noise_variance = float(left_out.mean()) if len(left_out) else 0.0
        return self

    def encode(self, x: Tensor) -> Tensor:
        """Coordinates (N, K) in the plane."""
        self._check_fitted(x)
        return (x.flatten(1) - self.mean) @ self.components.T

    def decode(self, code: Tensor) -> Tensor:
        """The point of the plane with these coordinates, in the shape of the examples."""
        self._check_fitted()
        return (self.mean + code @ self.components).unflatten(1, self.shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        """The point of the plane nearest to each example: `decode(encode(x))`."""
        return self.decode(self.encode(x))

    def _check_fitted(self, x: Tensor | None = None) -> None:
        if self.mean is None:
            raise ValueError("this PCA has no plane yet: call fit(x) with training examples first")
        if x is not None and x.shape[1:] != self.shape:
            raise ValueError(
                f"x has examples of shape {tuple(x.shape[1:])}, fitted were {tuple(self.shape)}"
            )


def ridge_denoiser(noisy: Tensor, clean: Tensor, coefficient: float) -> nn.Sequential:
    """The best linear map from noisy to clean examples, fitted on pairs by ridge regression.

    `noisy`, `clean` (N, ...) of one shape; returns a module with that input and output.  The
    intercept is outside the penalty.

    Raises:
        ValueError: shapes differ, or the coefficient is negative.
    """
    if check_inputs(noisy, "noisy").shape != check_inputs(clean, "clean").shape:
        raise ValueError(
            f"noisy has shape {tuple(noisy.shape)} and clean {tuple(clean.shape)}, expected pairs"
        )
    x, y = noisy.cpu().double().flatten(1), clean.cpu().double().flatten(1)
    weight = ridge(x - x.mean(0), y - y.mean(0), coefficient)  # (D, D)
    layer = nn.utils.skip_init(nn.Linear, *weight.shape, device=noisy.device, dtype=noisy.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight.T)
        layer.bias.copy_(y.mean(0) - x.mean(0) @ weight)
    return nn.Sequential(nn.Flatten(), layer, nn.Unflatten(1, noisy.shape[1:]))
