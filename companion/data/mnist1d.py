"""The generator of MNIST-1D: ten templates, bent, moved and made noisy.

Source: S. Greydanus and D. Kobak, "Scaling down deep learning with MNIST-1D", ICML 2024; the
templates and the constants are those of the authors' `mnist1d` package (Apache-2.0), and the
random numbers are drawn in the same order, so the same seed gives the same series.
"""

from __future__ import annotations

from numbers import Integral

import numpy as np
import torch

from companion.data.dataset import Dataset

TEMPLATES = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)
N_POINTS = 40
CANVAS = 72  # points before the last subsampling: 12 of the template, 60 of padding

# Mean and standard deviation of the 5,000 raw series with seed 42, the published data set.
MEAN, STD = -0.0055075064312771795, 0.15467803420593054


def draw_mnist1d(n: int, *, seed: int) -> Dataset:
    """Draws `n` fresh series, a tenth of them from each class, in random order.

    Inputs (n, 40) are standardized with the constants of the published data set.

    Raises:
        ValueError: `n` is not a positive multiple of 10.
    """
    if not isinstance(n, Integral) or n <= 0 or n % 10:
        raise ValueError(
            f"n must be a positive multiple of 10 (an integer), one tenth for each class, got {n!r}"
        )
    inputs, targets = raw_series(n, seed)
    inputs = torch.from_numpy((inputs - MEAN) / STD).float()
    return Dataset(inputs, torch.from_numpy(targets), CLASSES, "mnist1d", f"drawn with seed {seed}")


CLASSES = tuple("0123456789")


def raw_series(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Series (n, 40) before standardization, and their labels (n,)."""
    rng = np.random.RandomState(seed)
    series = _normalized(TEMPLATES)
    inputs = np.stack([_distort(series[k], rng) for k in range(10) for _ in range(n // 10)])
    targets = np.repeat(np.arange(10), n // 10)
    order = rng.permutation(n)
    return inputs[order], targets[order]


def _normalized(templates: np.ndarray) -> np.ndarray:
    centred = templates - templates.mean(1, keepdims=True)
    scaled = centred / centred.std(1, keepdims=True)
    return (scaled - scaled[:, :1]) / 6  # every template starts and ends at zero


def _distort(template: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d  # half a second, needed only to draw

    n_zeros = 36 + int(rng.rand() * 25)
    series = np.concatenate([template + 1e-8, np.zeros(n_zeros)])
    series = _resample(series, CANVAS) * (1 + 0.4 * (rng.rand() - 0.5))
    series = np.roll(series, rng.choice(48))
    is_signal = series != 0
    series = np.where(is_signal, series, gaussian_filter1d(0.25 * rng.randn(CANVAS), 2))
    series = series + 0.02 * rng.randn(CANVAS)
    series = series - 0.75 * (rng.rand() - 0.5) * np.linspace(-0.5, 0.5, CANVAS)
    return _resample(series, N_POINTS)


def _resample(series: np.ndarray, n: int) -> np.ndarray:
    return np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(series)), series)
