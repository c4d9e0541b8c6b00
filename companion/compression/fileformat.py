"""A model as one file, as short as its weights allow: `compress` and `decompress`.

The file holds a header (2 bytes "LC", version and coder, fingerprint of the architecture, length),
one arithmetic code of all tensors in the order of the state dict, and a CRC-32 of all that.  Names,
shapes and dtypes are not in the file: the receiver has the architecture.
"""

from __future__ import annotations

import copy
import zlib
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from companion.compression.arithmetic import Decoder, Encoder
from companion.compression.sharing import share_weights
from companion.compression.tensorcode import TensorCode

Model = TypeVar("Model", bound=nn.Module)
MAGIC, VERSION, CODERS = b"LC", 1, ("arithmetic", "huffman", "raw")
CRC_BYTES = 4


def compress(
    model: nn.Module,
    *,
    coder: Literal["arithmetic", "huffman", "raw"] = "arithmetic",
    density: float | None = None,
    n_levels: int | None = None,
) -> bytes:
    """The model's parameters and buffers as bytes that `decompress` turns back."""
    if coder not in CODERS:
        raise ValueError(f"coder must be one of {', '.join(CODERS)}, got {coder!r}")
    if density is not None or n_levels is not None:
        model = _simplified(model, density, n_levels)
    encoder, code = Encoder(), TensorCode(coder)
    for tensor in model.state_dict().values():
        code.write(encoder, tensor.detach().cpu())
    body = encoder.finish()
    head = MAGIC + bytes([VERSION << 2 | CODERS.index(coder)]) + _fingerprint(model)
    head += _length(len(body))
    return head + body + zlib.crc32(head + body).to_bytes(CRC_BYTES, "big")


def decompress(blob: bytes, model: Model) -> Model:
    """Fills `model`, an instance of the architecture that was compressed, and returns it."""
    state = _read(blob, model)[0]
    with torch.no_grad():
        for target, value in zip(model.state_dict().values(), state, strict=True):
            target.copy_(value)
    return model


def _read(blob: bytes, model: nn.Module) -> tuple[list[Tensor], list[tuple[str, float]], int]:
    coder, body = _opened(blob, model)
    decoder, code = Decoder(body), TensorCode(coder)
    state = [code.read(decoder, tensor) for tensor in model.state_dict().values()]
    return state, [], 0


def _opened(blob: bytes, model: nn.Module) -> tuple[str, bytes]:
    """The coder and the body of a file that is whole and fits the model."""
    if blob[:2] != MAGIC[: len(blob)]:
        raise ValueError("not a compressed model: the file does not begin with b'LC'")
    if len(blob) > 2 and blob[2] >> 2 != VERSION:
        raise ValueError(f"a file of version {blob[2] >> 2}, but this reads version {VERSION}")
    start, length = 5, 0
    while start < len(blob) and start < 10:
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
    """A copy pruned by magnitude over all weight tensors, then shared tensor by tensor."""
    model = copy.deepcopy(model)
    weights = [p for p in model.parameters() if p.ndim > 1]
    with torch.no_grad():
        if density is not None:
            if not 0 < density <= 1:
                raise ValueError(f"density must be in (0, 1], got {density!r}")
            size = torch.cat([w.abs().flatten() for w in weights])
            n_kept = max(1, round(density * len(size)))
            is_kept = torch.zeros_like(size, dtype=torch.bool)
            is_kept[size.sort(descending=True, stable=True).indices[:n_kept]] = True
            for w, kept in zip(weights, is_kept.split([w.numel() for w in weights]), strict=True):
                w.mul_(kept.view_as(w))
        if n_levels is not None:
            for p in model.parameters():
                p.copy_(share_weights(p, n_levels, keep_zero=True).values())
    return model
