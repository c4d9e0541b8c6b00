"""How a tensor is written: as integers and what they stand for, or as its bytes.

A tensor with few distinct values is a matrix of integers and a codebook: the levels themselves, or
one step where all values are multiples of it (a quantized tensor), or the codebook of the tensor
before.  Others are written as they are, in half precision where that loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from companion.compression.arithmetic import Decoder, Encoder
from companion.compression.huffman import entropy_bits
from companion.compression.matrixcode import Coder, IntegerCode, code_positions

RAW, HALF, LEVELS, HALF_LEVELS, STEP, SAME, INTEGERS = range(7)
MAX_LEVELS, MAX_MULTIPLE = 4096, 1 << 15


@dataclass(frozen=True)
class Codebook:
    """What integers stand for: the levels below and above zero in order of size, or a step."""

    below: np.ndarray
    above: np.ndarray
    step: np.float32 | None = None

    def values(self, ranks: np.ndarray) -> np.ndarray:
        if self.step is not None:
            return ranks.astype(np.float32) * self.step
        levels = np.concatenate([self.below[::-1], np.zeros(1, np.float32), self.above])
        places = ranks + len(self.below)
        if places.min(initial=0) < 0 or places.max(initial=0) >= len(levels):
            raise ValueError("changed: an integer that is not in the codebook")
        return levels[places]

    def ranks(self, values: np.ndarray) -> np.ndarray | None:
        """The integers that stand for `values`, None where there are none."""
        if self.step is not None:
            with np.errstate(all="ignore"):
                found = np.rint(values.astype(np.float64) / self.step)
            if not np.all(np.abs(found) < MAX_MULTIPLE):
                return None
            found = found.astype(np.int64)
        else:
            levels = np.concatenate([self.below[::-1], np.zeros(1, np.float32), self.above])
            found = np.searchsorted(levels, values).clip(0, len(levels) - 1) - len(self.below)
        return found if np.array_equal(self.values(found), values) else None


def common_step(distinct: np.ndarray) -> np.float32 | None:
    """The float32 of which all `distinct` values are exact integer multiples, if there is one."""
    sizes = np.unique(np.abs(distinct[distinct != 0])).astype(np.float64)
    if len(sizes) == 0:
        return None
    gap = np.diff(sizes, prepend=0).min()
    for divisor in range(1, 9):
        step = gap / divisor
        multiples = np.rint(sizes / step)
        if multiples[-1] >= MAX_MULTIPLE:
            return None
        if np.abs(sizes / step - multiples).max() > 0.01:
            continue
        fitted = np.float32((sizes @ multiples) / (multiples @ multiples))
        for candidate in (
            fitted,
            np.nextafter(fitted, np.float32(0)),
            np.nextafter(fitted, np.float32(np.inf)),
        ):
            if np.array_equal(multiples.astype(np.float32) * candidate, sizes.astype(np.float32)):
                return candidate
    return None


class TensorCode:
    """Writes and reads tensors one after the other; what a tensor has taught stays."""

    def __init__(self, coder: str) -> None:
        self._coder = coder
        self._integers = IntegerCode()
        self._book = Codebook(np.zeros(0, np.float32), np.zeros(0, np.float32))

    def write(self, encoder: Encoder, tensor: Tensor) -> None:
        kind, content = self._plan(tensor)
        encoder.number(7, kind)
        if kind in (RAW, HALF):
            for byte in content:
                encoder.number(256, byte)
            return
        book, ranks = content
        if kind in (LEVELS, HALF_LEVELS):
            for side in (book.below, book.above):
                self._integers.code(encoder, len(side), -1)
                data = side.astype("<f2" if kind == HALF_LEVELS else "<f4").tobytes()
                for byte in data:
                    encoder.number(256, byte)
        if kind == STEP:
            for byte in np.array([book.step], "<f4").tobytes():
                encoder.number(256, byte)
        self._book = book
        self._matrix(encoder, ranks, tensor.shape)

    def read(self, decoder: Decoder, like: Tensor) -> Tensor:
        kind = decoder.number(7)
        if kind in (RAW, HALF):
            width = 2 if kind == HALF else like.element_size()
            data = bytearray(decoder.number(256) for _ in range(like.numel() * width))
            if not data:
                return torch.empty_like(like, device="cpu")
            found = torch.frombuffer(data, dtype=torch.float16 if kind == HALF else like.dtype)
            return found.to(like.dtype).view(like.shape)
        if kind in (LEVELS, HALF_LEVELS):
            sides = []
            width, dtype = (2, "<f2") if kind == HALF_LEVELS else (4, "<f4")
            for _ in range(2):
                n = self._integers.code(decoder, 0, -1)
                if not 0 <= n <= MAX_LEVELS:
                    raise ValueError("changed: an impossible codebook")
                data = bytes(decoder.number(256) for _ in range(n * width))
                sides.append(np.frombuffer(data, dtype).astype(np.float32))
            self._book = Codebook(*sides)
        if kind == STEP:
            data = bytes(decoder.number(256) for _ in range(4))
            self._book = Codebook(np.zeros(0), np.zeros(0), np.frombuffer(data, "<f4")[0])
        ranks = self._matrix(decoder, None, like.shape)
        if kind == INTEGERS:
            return torch.from_numpy(ranks).to(like.dtype).view(like.shape)
        return torch.from_numpy(self._book.values(ranks)).view(like.shape)

    def _plan(self, tensor: Tensor):
        raw = (
            tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()
            if tensor.numel()
            else b""
        )
        if not tensor.is_floating_point() and tensor.dtype != torch.bool and tensor.numel():
            ranks = tensor.flatten().to(torch.int64).numpy()
            if np.abs(ranks).max() < MAX_MULTIPLE:
                return INTEGERS, (self._book, ranks)
        if tensor.dtype != torch.float32 or not tensor.isfinite().all() or not tensor.numel():
            return RAW, raw
        values = tensor.flatten().numpy() + 0.0  # no -0.0
        ranks = self._book.ranks(values)
        if ranks is not None:
            return SAME, (self._book, ranks)
        distinct, counts = np.unique(values, return_counts=True)
        is_half = bool((tensor.half().float() == tensor).all())
        content = entropy_bits(counts.tolist()) + 8 * len(distinct)
        options = [((16 if is_half else 32) * len(values), HALF if is_half else RAW)]
        if len(distinct) <= MAX_LEVELS:
            options.append(
                (
                    content + (16 if is_half else 32) * len(distinct),
                    HALF_LEVELS if is_half else LEVELS,
                )
            )
            step = common_step(distinct)
            if step is not None:
                options.append((content + 32, STEP))
        kind = min(options)[1]
        if kind == HALF:
            return HALF, tensor.half().flatten().view(torch.uint8).numpy().tobytes()
        if kind == RAW:
            return RAW, raw
        if kind == STEP:
            book = Codebook(np.zeros(0), np.zeros(0), step)
        else:
            book = Codebook(distinct[distinct < 0][::-1], distinct[distinct > 0])
        return kind, (book, book.ranks(values))

    def _matrix(self, coder: Coder, ranks: np.ndarray | None, shape: torch.Size) -> np.ndarray:
        n_rows = shape[0] if len(shape) > 1 else 1
        n = int(np.prod(shape))
        kept = bytearray(n) if ranks is None else bytearray((ranks != 0).astype(np.uint8))
        code_positions(coder, kept, n_rows, n // n_rows)
        places = np.flatnonzero(np.frombuffer(kept, np.uint8))
        found = np.zeros(n, np.int64) if ranks is None else ranks
        values = found[places].tolist()
        integers = IntegerCode()
        for i, value in enumerate(values):
            values[i] = integers.code(coder, value, zero=False)
        found[places] = values
        return found
