"""How a tensor is written: as integers with a codebook, or as its bytes where that is shorter.

The codebook of one tensor may serve the next, so tensors that share their levels pay them once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from companion.compression.arithmetic import Decoder, Encoder
from companion.compression.codebook import MAX_LEVELS, MAX_MULTIPLE, Codebook, common_step
from companion.compression.huffman import entropy_bits
from companion.compression.matrixcode import Coder, IntegerCode, MatrixCode
from companion.compression.plaincode import (
    code_equal,
    code_positions_by_gaps,
    code_values_by_words,
)

RAW, HALF, LEVELS, HALF_LEVELS, STEP, SAME_BOOK, INTEGERS = range(7)
N_KINDS = 7
SINGLE, DOUBLE_BYTES = np.dtype("<f4"), np.dtype("<f2")  # little-endian on every machine


class TensorCode:
    """Writes and reads tensors one after the other with one of the three coders.

    `mark(part)` is called after each part of a tensor: "codebooks", "positions", "values" or "raw".
    """

    def __init__(self, coder: str, mark: Callable[[str], None] = lambda part: None) -> None:
        self._coder, self._mark = coder, mark
        self._sizes, self._matrices, self._book = IntegerCode(), MatrixCode(), Codebook()

    def write(self, encoder: Encoder, tensor: Tensor) -> None:
        tensor = tensor.detach().cpu().contiguous()
        kind, book, integers = self._plan(tensor)
        encoder.number(N_KINDS, kind)
        if kind in (RAW, HALF):
            _code_bytes(encoder, _bytes(tensor.half() if kind == HALF else tensor))
            return
        self._code_book(encoder, kind, book)
        self._code_matrix(encoder, integers.tolist(), tensor.shape)

    def read(self, decoder: Decoder, like: Tensor) -> Tensor:
        """A tensor of the shape and dtype of `like`."""
        kind = decoder.number(N_KINDS, 0)
        if kind in (RAW, HALF):
            dtype = torch.float16 if kind == HALF else like.dtype
            data = _code_bytes(decoder, bytes(like.numel() * dtype.itemsize))
            self._mark("raw")
            if not data:
                return torch.empty(like.shape, dtype=like.dtype)
            return torch.frombuffer(data, dtype=dtype).to(like.dtype).view(like.shape)
        book = self._code_book(decoder, kind, self._book)
        integers = np.array(self._code_matrix(decoder, [0] * like.numel(), like.shape))
        values = integers if kind == INTEGERS else book.values(integers)
        return torch.from_numpy(values).to(like.dtype).view(like.shape)

    def _plan(self, tensor: Tensor) -> tuple[int, Codebook, np.ndarray]:
        """The shortest way to write a tensor by an estimate: kind, codebook and integers."""
        raw = RAW, self._book, np.zeros(0)
        if tensor.is_complex():
            raise ValueError("a complex tensor: the file knows real ones only")
        if tensor.numel() == 0 or tensor.dtype == torch.bool:
            return raw
        if not tensor.is_floating_point():
            integers = tensor.long().flatten().numpy()
            fits = -MAX_MULTIPLE < integers.min() and integers.max() < MAX_MULTIPLE
            return (INTEGERS, self._book, integers) if fits else raw
        values = tensor.float().flatten().numpy() + 0.0  # a zero has no sign
        if not tensor.isfinite().all() or not torch.equal(tensor.float().to(tensor.dtype), tensor):
            return raw
        with np.errstate(over="ignore"):
            is_half = np.array_equal(values.astype(np.float16).astype(np.float32), values)
        width, shift = (16, 1) if is_half else (8 * tensor.element_size(), 0)
        levels, counts = np.unique(values, return_counts=True)
        options = [(width * len(values), RAW + shift, self._book)]
        if len(levels) <= MAX_LEVELS:
            bits = entropy_bits(counts.tolist()) + 8 * len(levels)  # about what the coder learns
            book = Codebook(levels[levels < 0][::-1], levels[levels > 0])
            options.append((bits + min(width, 32) * len(levels), LEVELS + shift, book))
            step = common_step(levels)
            if step is not None:
                options.append((bits + 32 + _spread(step, levels), STEP, Codebook(step=step)))
            if self._book.integers(levels) is not None:
                options.append((bits + _spread(self._book.step, levels), SAME_BOOK, self._book))
        _, kind, book = min(options, key=lambda option: option[0])
        return (HALF if kind == HALF else kind), book, book.integers(values)

    def _code_book(self, coder: Coder, kind: int, book: Codebook) -> Codebook:
        if kind in (LEVELS, HALF_LEVELS):
            dtype = DOUBLE_BYTES if kind == HALF_LEVELS else SINGLE
            sides = [self._code_levels(coder, side, dtype) for side in (book.below, book.above)]
            book = Codebook(*sides)
        elif kind == STEP:
            book = Codebook(step=self._code_floats(coder, [book.step or 0], SINGLE)[0])
        if kind != INTEGERS:
            self._book = book
        self._mark("codebooks")
        return book

    def _code_levels(self, coder: Coder, levels: np.ndarray, dtype: np.dtype) -> np.ndarray:
        n = self._sizes.code(coder, len(levels))
        if not 0 <= n <= MAX_LEVELS:
            raise ValueError("changed: an impossible codebook")
        return self._code_floats(coder, np.resize(levels, n), dtype)

    def _code_floats(self, coder: Coder, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
        data = np.asarray(values).astype(dtype).tobytes()
        return np.frombuffer(_code_bytes(coder, data), dtype).astype(np.float32)

    def _code_matrix(self, coder: Coder, entries: list[int], shape: torch.Size) -> list[int]:
        """The integers of a tensor, row by row; a reader's are zeros that get filled in."""
        places: list[int] | range = range(len(entries))
        if self._coder == "raw":
            code_equal(coder, entries)
        elif self._coder == "huffman":
            if coder.number(2, int(2 * entries.count(0) > len(entries))):
                places = code_positions_by_gaps(coder, entries)
                self._mark("positions")
            code_values_by_words(coder, entries, places)
        else:
            places = self._matrices.positions(coder, entries, shape)
            self._mark("positions")
            self._matrices.values(coder, entries, shape, places)
        self._mark("values")
        return entries


def _spread(step: np.float32 | None, levels: np.ndarray) -> float:
    """Few large multiples of a small step are dearer than levels: bits to learn which occur."""
    return 0 if step is None else 2 * float(np.abs(levels).max() / step)


def _bytes(tensor: Tensor) -> bytes:
    return tensor.flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def _code_bytes(coder: Coder, data: bytes) -> bytearray:
    return bytearray(coder.number(256, byte) for byte in data)
