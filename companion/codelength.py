"""Code lengths: how many bits a model saves when labels are sent, and the course's ledger."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion.data import Dataset
from companion.training import predict


def uniform_bits(n: int, n_classes: int) -> float:
    """Bits for `n` labels out of `n_classes` when nothing is known: `n * log2(n_classes)`."""
    if n < 0 or n_classes < 1:
        raise ValueError(f"need n >= 0 and n_classes >= 1, got n={n}, n_classes={n_classes}")
    return n * math.log2(n_classes)


def data_bits(logits: Tensor, targets: Tensor) -> float:
    """Bits to send `targets` (N,) to someone who has `logits` (N, K): sum of -log2 p(label).

    Raises:
        ValueError: labels outside 0 ... K-1, or logits that are nan.
    """
    _check_logits(logits, targets)
    return F.cross_entropy(logits.double(), targets, reduction="sum").item() / math.log(2)


@dataclass(frozen=True)
class TwoPartCode:
    """Bits for the model, and bits for the labels given the model."""

    model_bits: float
    data_bits: float

    @property
    def total_bits(self) -> float:
        return self.model_bits + self.data_bits


def two_part_bits(model: nn.Module, data: Dataset, *, blob: bytes | None = None) -> TwoPartCode:
    """Two-part code: first the model, then the labels of `data` given its predictions.

    The model costs the bits of its file `blob`, which should be the file that `model` was read
    from; without one, 32 bits for each value of its state.

    Source: Rissanen 1978.

    Raises:
        ValueError: a `blob` that is not bytes, labels out of range, or predictions that are nan.
    """
    if blob is not None and not isinstance(blob, (bytes, bytearray)):
        raise ValueError(
            f"blob is {blob!r}, expected the bytes of a file: compress(model) gives them, and a "
            "number of bits is no file"
        )
    values = sum(tensor.numel() for tensor in model.state_dict().values())
    model_bits = 32 * values if blob is None else 8 * len(blob)
    return TwoPartCode(model_bits, data_bits(_logits(model, data), data.targets.cpu()))


@dataclass(frozen=True)
class PrequentialCode:
    """Bits of each block of labels, in the order in which they were sent.

    `ends[i]` is the number of labels known after block i, `block_bits[i]` its cost.
    """

    ends: tuple[int, ...]
    block_bits: tuple[float, ...]
    n_classes: int

    @property
    def total_bits(self) -> float:
        return sum(self.block_bits)

    @cached_property
    def cumulative(self) -> tuple[float, ...]:
        """Bits sent up to the end of each block."""
        return tuple(torch.tensor(self.block_bits, dtype=torch.float64).cumsum(0).tolist())


def prequential_bits(
    make_model: Callable[[], nn.Module],
    data: Dataset,
    *,
    blocks: Sequence[int],
    fit: Callable[[nn.Module, Dataset, int], Any],
    seed: int,
    temperature: bool = True,
) -> PrequentialCode:
    """Sends the labels of `data` block by block; model bits are never paid.

    `blocks` are increasing end indices, the last one `len(data)`.  The first block is sent with the
    uniform code.  Each later one is coded by a fresh model that `fit(model, past, seed)` trained on
    everything sent before, which the receiver can train as well.  With `temperature=True` a tenth
    of the past is held back while a first model is trained, the temperature that codes it best
    is kept, and the coding model is then trained on the whole past.

    Source: Dawid 1984; for deep networks Blier & Ollivier, NeurIPS 2018.

    Raises:
        ValueError: `blocks` do not increase or do not end at `len(data)`, labels are out of range,
            or a trained model gives nan.
    """
    ends = tuple(int(end) for end in blocks)
    if not ends or ends[0] < 1 or list(ends) != sorted(set(ends)) or ends[-1] != len(data):
        raise ValueError(
            f"blocks must be increasing end indices that finish at {len(data)}, got {ends}"
        )
    n_classes = len(data.classes)
    _check_labels(data.targets, n_classes)
    bits = [uniform_bits(ends[0], n_classes)]
    for start, end in zip(ends, ends[1:], strict=False):
        past, block = data.subset(slice(0, start)), data.subset(slice(start, end))
        scale = _temperature(make_model, past, fit, seed) if temperature else 1.0
        torch.manual_seed(seed)
        model = make_model()
        fit(model, past, seed)
        bits.append(_coded(_logits(model, block) / scale, block.targets))
    return PrequentialCode(ends, tuple(bits), n_classes)


def _logits(model: nn.Module, data: Dataset) -> Tensor:
    logits = predict(model, data.inputs).cpu()
    _check_logits(logits, data.targets)
    return logits


def _check_logits(logits: Tensor, targets: Tensor) -> None:
    if logits.ndim != 2 or targets.shape != logits.shape[:1]:
        raise ValueError(
            f"logits {tuple(logits.shape)} and targets {tuple(targets.shape)} must be (N, K) and "
            "(N,): one row of logits and one label for each example"
        )
    n_bad = int((~torch.isfinite(logits.amax(1))).sum())  # -inf beside a finite value is p = 0
    if n_bad:
        raise ValueError(
            f"the logits of {n_bad} of {len(logits)} examples are nan or inf, which gives no code "
            "length: usually training diverged, so lower the learning rate"
        )
    _check_labels(targets, logits.shape[1])


def _check_labels(targets: Tensor, n_classes: int) -> None:
    if targets.dtype != torch.int64:
        raise ValueError(f"targets have dtype {targets.dtype}, expected torch.int64 class labels")
    n_bad = int(((targets < 0) | (targets >= n_classes)).sum())
    if n_bad:
        raise ValueError(
            f"{n_bad} of {len(targets)} labels lie outside 0 to {n_classes - 1}, the labels of "
            f"{n_classes} classes (labels that start at 1, or a model with too few outputs?)"
        )


def _coded(logits: Tensor, targets: Tensor, floor: float = 1e-4) -> float:
    """Bits under the model's code, mixed with a little of the uniform one.

    Without the floor one confident mistake costs without bound; with it at most 17 bits, and a
    right answer costs at most 0.0002 more.
    """
    n_classes = logits.shape[1]
    probability = F.softmax(logits.double(), 1).gather(1, targets[:, None]).squeeze(1)
    mixed = (1 - floor) * probability + floor / n_classes
    return -mixed.log2().sum().item()


def _temperature(
    make_model: Callable[[], nn.Module],
    past: Dataset,
    fit: Callable[[nn.Module, Dataset, int], Any],
    seed: int,
) -> float:
    """The temperature in 0.5 ... 16 that codes a held-back tenth of the past in fewest bits."""
    n_held_back = max(1, len(past) // 10)
    rest = past.subset(slice(0, len(past) - n_held_back))
    held_back = past.subset(slice(len(past) - n_held_back, None))
    if len(rest) == 0:
        return 1.0
    torch.manual_seed(seed)
    model = make_model()
    fit(model, rest, seed)
    logits = _logits(model, held_back)
    candidates = torch.logspace(-1, 4, 41, base=2).tolist()
    return min(candidates, key=lambda t: _coded(logits / t, held_back.targets))


LEDGER_COLUMNS = (
    "chapter", "data", "model", "code", "model_bits", "data_bits", "seeds", "command",
)  # fmt: skip


class Ledger:
    """The course's account of bits: rows of model bits and data bits, kept in one JSON file.

    Adding a row replaces the row of the same chapter, data, model and code.  Rows are written to
    `path` only where `COMPANION_LEDGER=write` is set (`make notebooks` does); everywhere else a
    chapter's additions live in memory.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        from companion.storage import ledger_path, may_write_ledger

        self.path = Path(path) if path is not None else ledger_path()
        self._writes = path is not None or may_write_ledger()
        self._rows: list[dict[str, Any]] = []
        if self.path.exists():
            try:
                self._rows = json.loads(self.path.read_text(encoding="utf-8"))
            except json.JSONDecodeError as error:
                raise ValueError(
                    f"the ledger {self.path} is damaged ({error}): restore it from the repository"
                ) from error

    def rows(self) -> list[dict[str, Any]]:
        """All rows, sorted by chapter, data, model and code."""
        return [dict(row) for row in self._rows]

    def add(self, row: dict[str, Any]) -> None:
        """Adds `{chapter, data, model, code, model_bits, data_bits, seeds, command}`.

        Raises:
            ValueError: a column is missing or unknown, or bits are negative or not finite.
        """
        if set(row) != set(LEDGER_COLUMNS):
            raise ValueError(
                f"a ledger row has the columns {', '.join(LEDGER_COLUMNS)}; "
                f"got {', '.join(sorted(row))}"
            )
        for name in ("model_bits", "data_bits"):
            bits = row[name]
            if not (isinstance(bits, int | float) and math.isfinite(bits) and bits >= 0):
                raise ValueError(f"{name} must be a finite number of bits >= 0, got {bits!r}")
        key = ("chapter", "data", "model", "code")
        rest = [r for r in self._rows if any(r[k] != row[k] for k in key)]
        clean = {name: row[name] for name in LEDGER_COLUMNS}
        clean |= {name: round(float(row[name]), 1) for name in ("model_bits", "data_bits")}
        self._rows = sorted([*rest, clean], key=lambda r: tuple(str(r[k]) for k in key))
        if self._writes:
            text = json.dumps(self._rows, indent=2, ensure_ascii=False) + "\n"
            self.path.write_text(text, encoding="utf-8")

    def figure(self, data: str = "mnist1d", *, n_labels: int = 4000, n_classes: int = 10):
        """Bars of all rows about `data`, longest code first; the uniform code is a line."""
        from companion import plotting

        rows = [r for r in self._rows if r["data"] == data]
        return plotting.ledger_bars(rows, uniform=uniform_bits(n_labels, n_classes))
