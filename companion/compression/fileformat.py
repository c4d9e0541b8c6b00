"""A model as one file, as short as its weights allow: `compress` and `decompress`.

The file holds a header (2 bytes "LC", version and coder, fingerprint of the architecture, length),
one arithmetic code of all tensors in the order of the state dict, and a CRC-32 of all that.  Names,
shapes and dtypes are not in the file: the receiver has the architecture.
"""

from __future__ import annotations

import copy
import zlib
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import nn

from companion.compression.arithmetic import Decoder, Encoder
from companion.compression.sharing import share_weights
from companion.compression.tensorcode import TensorCode

Model = TypeVar("Model", bound=nn.Module)
MAGIC, VERSION, CODERS = b"LC", 1, ("arithmetic", "huffman", "raw")
CRC_BYTES, MAX_LENGTH_BYTES = 4, 9


def compress(
    model: nn.Module,
    *,
    coder: Literal["arithmetic", "huffman", "raw"] = "arithmetic",
    density: float | None = None,
    n_levels: int | None = None,
) -> bytes:
    """All parameters and buffers of `model` as bytes, which `decompress` turns back.

    Lossless: every value comes back equal (but -0.0 may come back as 0.0).  It is the model that
    decides how long the file gets: tensors with few distinct values, pruned and shared or
    quantized ones, cost about their entropy, others 32 bits a value, or 16 where half precision
    loses nothing.  With `density` the smallest weights over all weight matrices are set to zero
    first, and with `n_levels` every parameter is shared among so many levels (zero is one of them),
    rounded to half precision; the model itself stays as it is.

    `coder`: "arithmetic" (adaptive, the shortest), "huffman" (gaps between weights and values in
    Huffman's words, as in Deep Compression) or "raw" (every entry in as many bits).

    Source: Han, Mao & Dally, "Deep Compression", ICLR 2016; contexts after Wiedemann et al.,
    "DeepCABAC", 2019 (from memory, unverified).

    Raises:
        ValueError: an unknown coder, a density outside (0, 1], a complex tensor,
            or what `share_weights` refuses.
    """
    if coder not in CODERS:
        raise ValueError(f"coder must be one of {', '.join(CODERS)}, got {coder!r}")
    model = _simplified(model, density, n_levels)
    encoder, code = Encoder(), TensorCode(coder)
    for tensor in model.state_dict().values():
        code.write(encoder, tensor)
    body = encoder.finish()
    head = MAGIC + bytes([VERSION << 2 | CODERS.index(coder)]) + _fingerprint(model)
    head += _length(len(body))
    return head + body + zlib.crc32(head + body).to_bytes(CRC_BYTES, "big")


def decompress(blob: bytes, model: Model) -> Model:
    """Fills `model`, an instance of the architecture that was compressed, and returns it.

    Raises:
        ValueError: the file is truncated, changed (any single bit is noticed), foreign, of another
            version or for another architecture.  The model is untouched then.
    """
    coder, body = _opened(blob, model)
    decoder, code = Decoder(body), TensorCode(coder)
    values = [code.read(decoder, tensor) for tensor in model.state_dict().values()]
    with torch.no_grad():
        for tensor, value in zip(model.state_dict().values(), values, strict=True):
            tensor.copy_(value)
    return model


@dataclass(frozen=True)
class SizeRow:
    """What a part of the file costs: how many values it tells, how many distinct, its bits."""

    part: str
    values: int
    distinct: int
    bits: int
    tensor: str = ""


def size_report(model: nn.Module, blob: bytes) -> list[SizeRow]:
    """Where the bits of a file are; they sum to 8 * len(blob).

    Parts of each tensor: "codebooks", "positions" (which weights are not zero), "values" (what
    those are) and "raw"; at the end the "header", with checksum and what fills the last byte.
    `model` is an instance of the architecture, as for `decompress`.

    Raises:
        ValueError: as `decompress`.
    """
    coder, body = _opened(blob, model)
    decoder, marks = Decoder(body), []
    code = TensorCode(coder, lambda part: marks.append((part, round(decoder.n_bits))))
    rows, start = [], 0
    for name, tensor in model.state_dict().items():
        marks.clear()
        value = code.read(decoder, tensor)
        kept = value[value != 0]
        n_told = {
            "codebooks": (len(value.unique()),) * 2,
            "positions": (value.numel(), 2),
            "values": (len(kept), len(kept.unique())) if len(marks) > 2 else None,
        }
        for part, end in marks:
            n_values, n_distinct = n_told.get(part) or (value.numel(), len(value.unique()))
            rows.append(SizeRow(part, n_values, n_distinct, end - start, name))
            start = end
    return [*rows, SizeRow("header", 0, 0, 8 * len(blob) - start)]


def _opened(blob: bytes, model: nn.Module) -> tuple[str, bytes]:
    """The coder and the body of a file that is whole and fits the model."""
    if not isinstance(blob, (bytes, bytearray)):
        raise ValueError(f"expected the bytes of a file, got {type(blob).__name__}")
    blob = bytes(blob)
    if blob[:2] != MAGIC[: len(blob)]:
        raise ValueError("not a compressed model: the file does not begin with b'LC'")
    if len(blob) > 2 and blob[2] >> 2 != VERSION:
        raise ValueError(f"a file of version {blob[2] >> 2}, but this reads version {VERSION}")
    start, length = 5, 0
    while start < min(len(blob), 5 + MAX_LENGTH_BYTES):
        length, start = length << 7 | blob[start] & 127, start + 1
        if blob[start - 1] < 128:
            break
    missing = start + length + CRC_BYTES - len(blob)
    if missing > 0:
        raise ValueError(f"truncated: {missing} of {len(blob) + missing} bytes are missing")
    if missing < 0:
        raise ValueError(f"changed: {-missing} bytes more than the header says")
    if zlib.crc32(blob[:-CRC_BYTES]) != int.from_bytes(blob[-CRC_BYTES:], "big"):
        raise ValueError("changed: the checksum of the file is wrong")
    if blob[3:5] != _fingerprint(model):
        raise ValueError("a file for another architecture: names, shapes or dtypes differ")
    if blob[2] & 3 >= len(CODERS):
        raise ValueError(f"changed: no coder {blob[2] & 3}")
    return CODERS[blob[2] & 3], blob[start:-CRC_BYTES]


def _fingerprint(model: nn.Module) -> bytes:
    """Two bytes that other names, shapes or dtypes change."""
    entries = [(name, tuple(t.shape), str(t.dtype)) for name, t in model.state_dict().items()]
    return zlib.crc32(repr(entries).encode()).to_bytes(4, "big")[:2]


def _length(n: int) -> bytes:
    """Seven bits a byte, the first bit set where more follow."""
    digits = [n & 127]
    while n := n >> 7:
        digits.append(n & 127 | 128)
    return bytes(reversed(digits))


def _simplified(model: nn.Module, density: float | None, n_levels: int | None) -> nn.Module:
    """The model itself, or a copy that is pruned over all weight matrices and then shared."""
    if density is None and n_levels is None:
        return model
    model = copy.deepcopy(model)
    with torch.no_grad():
        if density is not None:
            _prune([p for p in model.parameters() if p.ndim > 1], density)
        if n_levels is not None:
            for p in model.parameters():
                shared = share_weights(p, n_levels, keep_zero=True)
                half = shared.codebook.half().to(p.dtype)
                is_exact_enough = half.isfinite() & ((half != 0) | (shared.codebook == 0))
                p.copy_(torch.where(is_exact_enough, half, shared.codebook)[shared.codes])
    return model


def _prune(weights: list[nn.Parameter], density: float) -> None:
    if not 0 < density <= 1:
        raise ValueError(f"density must be in (0, 1], the share of weights kept, got {density!r}")
    if not weights:
        raise ValueError(
            "density is for models with weights, and there is no weight matrix to prune"
        )
    size = torch.cat([w.abs().flatten() for w in weights])
    n_bad = int((~size.isfinite()).sum())
    if n_bad:
        raise ValueError(f"{n_bad} of {len(size)} weights are nan or inf (did training diverge?)")
    n_kept = max(1, round(density * len(size)))
    is_kept = torch.zeros_like(size, dtype=torch.bool)
    is_kept[size.sort(descending=True, stable=True).indices[:n_kept]] = True
    for w, kept in zip(weights, is_kept.split([w.numel() for w in weights]), strict=True):
        w.mul_(kept.view_as(w))
