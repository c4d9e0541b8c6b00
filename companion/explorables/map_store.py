"""How the maps of the honesty bench are stored: twelve bits a coordinate, as base64."""

from __future__ import annotations

import base64

import numpy as np
from torch import Tensor

N_NEIGHBOURS = 5  # of each point, true ones and those on paper
LARGEST = 4095  # a coordinate has twelve bits


def packed_points(y: Tensor) -> str:
    """A map (n, 2) as text: moved and scaled to 0 ... 4095 in its longer direction, rounded."""
    y = y - y.amin(0)
    places = (y * (LARGEST / y.amax().clamp_min(1e-12))).round().long().numpy()
    first, second = places.T  # (n,) each
    bytes_ = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], 1)
    return base64.b64encode(bytes_.astype(np.uint8).tobytes()).decode()


def unpacked_points(text: str) -> np.ndarray:
    """What `packed_points` stored: integers (n, 2) in 0 ... 4095."""
    a, b, c = np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 3).astype(np.int64).T
    return np.stack([a << 4 | b >> 4, (b & 15) << 8 | c], 1)


def packed_bytes(rows: Tensor) -> str:
    """Integers in 0 ... 255 as text."""
    return base64.b64encode(rows.numpy().astype(np.uint8).tobytes()).decode()


def unpacked_bytes(text: str, n_columns: int) -> np.ndarray:
    """What `packed_bytes` stored, (n, n_columns)."""
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, n_columns).astype(np.int64)
