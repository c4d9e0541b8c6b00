# Arithmetic coding with a mixture of three guesses: by unit, by pixel, by neighbours.
import math

import torch
import torch.nn.functional as F
from torch import Tensor


def pack(weights: dict[str, Tensor], images: Tensor, labels: Tensor, n_steps: int = 1400) -> bytes:
    """The shortest file from which `unpack` makes a net that predicts as well.

    `weights` are those of the given net; `images` (N, 784) and `labels` (N,) are its
    training data, for at most `n_steps` steps of an optimizer.

    >>> isinstance(pack(digit_net, digit_images, digit_labels, n_steps=0), bytes)
    True
    """
    values = {name: value.clone().requires_grad_() for name, value in weights.items()}
    kept = {name: torch.ones_like(value) for name, value in weights.items()}
    optimizer = torch.optim.Adam(values.values())
    generator = torch.Generator().manual_seed(0)
    for step in range(n_steps):
        optimizer.param_groups[0]["lr"] = 0.003 * (1 - step / n_steps) + 1e-5
        if step % 50 == 0 and step <= 0.6 * n_steps:
            prune(values, kept, 1 - (1 - step / (0.6 * n_steps)) ** 3)
        rows = torch.randint(len(images), (64,), generator=generator)
        x = shifted(images[rows], generator)
        found = {name: value * kept[name] for name, value in values.items()}
        if step > 0.4 * n_steps:  # straight through the rounding
            for name, value in found.items():
                grid = GRID[name] * (value / GRID[name]).round()
                found[name] = value + (grid - value).detach()
        logits = scores_of(found, x)
        with torch.no_grad():
            wanted = (scores_of(weights, x) / 2).softmax(1)
        soft = F.kl_div((logits / 2).log_softmax(1), wanted, reduction="batchmean")
        loss = F.cross_entropy(logits, labels[rows]) / 2 + 2 * soft
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    prune(values, kept, 1.0)
    codes = [(values[name].detach() * kept[name] / grid).round() for name, grid in GRID.items()]
    encoder = Writer()
    walk(
        encoder.bit,
        torch.cat([code.reshape(len(code), -1).T.flatten() for code in codes]).int().tolist(),
    )
    return encoder.end()


GRID = {
    "hidden.weight": 0.2,
    "hidden.bias": 0.2,
    "output.weight": 0.3,
    "output.bias": 0.3,
}
SHARES = {"hidden.weight": 0.13, "output.weight": 0.6}


def prune(values: dict[str, Tensor], kept: dict[str, Tensor], progress: float) -> None:
    for name, share in SHARES.items():
        sizes = values[name].detach().abs().flatten()
        n_pruned = round(len(sizes) * (1 - share) * progress)
        if n_pruned:
            kept[name] = (values[name].abs() > sizes.kthvalue(n_pruned).values).float()


def scores_of(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    hidden = F.linear(x, weights["hidden.weight"], weights["hidden.bias"]).relu()
    return F.linear(hidden, weights["output.weight"], weights["output.bias"])


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    n = len(images)
    wide = F.pad(images.view(n, 28, 28), (2, 2, 2, 2))
    corner = torch.randint(0, 5, (n, 2), generator=generator)
    rows = (corner[:, :1] + torch.arange(28))[:, :, None]
    columns = (corner[:, 1:] + torch.arange(28))[:, None, :]
    return wide[torch.arange(n)[:, None, None], rows, columns].flatten(1)


class Mixed:
    """Three running guesses for each bit, weighed by how well each did so far."""

    def __init__(self):
        self.guesses, self.trust = {}, {}

    def chance(self, kind, keys):
        self.slots = [(kind, i, key) for i, key in enumerate(keys)]
        self.inputs = [self.guesses.get(slot, (0.0, 0))[0] for slot in self.slots]
        self.weights = self.trust.setdefault(kind, [0.5] * len(keys))
        total = sum(w * x for w, x in zip(self.weights, self.inputs))
        return 1 / (1 + math.exp(-max(-8.0, min(8.0, total))))

    def learn(self, bit, chance):
        for i, (slot, x) in enumerate(zip(self.slots, self.inputs)):
            self.weights[i] += 0.02 * (bit - chance) * x
            guess, n = self.guesses.get(slot, (0.0, 0))
            error = bit - 1 / (1 + math.exp(-guess))
            rate = max(0.1, 3.0 / (n + 1.5))
            self.guesses[slot] = max(-8.0, min(8.0, guess + rate * error)), n + 1


class Writer(Mixed):
    """Narrows an interval [low, low + width) of whole numbers."""

    def __init__(self):
        super().__init__()
        self.low, self.width, self.n_bits = 0, 1 << 48, 48

    def bit(self, kind, keys, bit):
        chance = self.chance(kind, keys)
        ones = max(1, min(self.width - 1, int(self.width * chance)))
        if bit:
            self.width = ones
        else:
            self.low, self.width = self.low + ones, self.width - ones
        self.learn(bit, chance)
        while self.width < 1 << 40:
            self.low, self.width = self.low << 8, self.width << 8
            self.n_bits += 8
        return bit

    def end(self):
        return ((self.low >> 32) + 1).to_bytes((self.n_bits - 32) // 8 + 1, "big")


class Reader(Mixed):
    def __init__(self, blob):
        super().__init__()
        self.blob, self.place, self.width = blob, 7, 1 << 48
        self.value = int.from_bytes((blob + bytes(8))[:7], "big")

    def bit(self, kind, keys, _):
        chance = self.chance(kind, keys)
        ones = max(1, min(self.width - 1, int(self.width * chance)))
        bit = int(self.value < ones)
        if bit:
            self.width = ones
        else:
            self.value, self.width = self.value - ones, self.width - ones
        self.learn(bit, chance)
        while self.width < 1 << 40:
            more = self.blob[self.place] if self.place < len(self.blob) else 0
            self.value, self.width = self.value << 8 | more, self.width << 8
            self.place += 1
        return bit


def walk(bit, codes=None):
    """First where weights are kept, by unit, pixel and neighbours; then their values."""
    kept = []
    for i in range(79510):
        pixel, unit = divmod(i, 100) if i < 78400 else (-(i > 78499), -1)
        near = sum(kept[i - k] if i >= k else 0 for k in (100, 200, 2800, 5600))
        diagonal = sum(kept[i - k] if i >= k else 0 for k in (2700, 2900))
        keys = unit, pixel, (near, diagonal)
        kept.append(bit("kept", keys, int(codes[i] != 0) if codes else 0))
    found = [0] * 79510
    for i in range(79510):
        if kept[i]:
            code, is_last = codes[i] if codes else 0, i >= 78400
            beside = found[i - 100] if i >= 100 else 0
            above = found[i - 2800] if i >= 2800 else 0
            signs = (beside > 0) - (beside < 0), (above > 0) - (above < 0)
            sign = bit("sign", (is_last, signs, i % 100), int(code < 0))
            size = 1
            while bit("size", (size, is_last, i % 100), int(abs(code) > size)):
                size += 1
            found[i] = -size if sign else size
    return found


def unpack(blob: bytes) -> dict[str, Tensor]:
    """Weights from a file of `pack`: float32, with the names and shapes of before.

    It runs alone: all that it needs stands in this cell, imports too.
    """
    codes = torch.tensor(walk(Reader(blob).bit)).float().split([78400, 100, 1000, 10])
    found = {name: code * grid for code, (name, grid) in zip(codes, GRID.items())}
    for name in SHARES:
        found[name] = found[name].view(-1, len(found[name[:6] + ".bias"])).T.contiguous()
    return found
