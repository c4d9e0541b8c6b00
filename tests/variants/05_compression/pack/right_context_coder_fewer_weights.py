# Pruned and rounded in training; binary arithmetic coding with counts for each context.
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
    encoder = Encoder()
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


class Model:
    """Counts of both bits in every context, for coder and decoder alike."""

    def __init__(self):
        self.width, self.counts = 2**32, {}

    def first(self, context):
        zeros, ones = self.counts.setdefault(context, [1, 1])
        return self.width // (zeros + ones) * zeros

    def saw(self, context, bit):
        counts = self.counts[context]
        counts[bit] += 1
        if sum(counts) > 400:
            counts[:] = [n // 2 + 1 for n in counts]


class Encoder(Model):
    low, n_bytes = 0, 4

    def bit(self, context, bit):
        first = self.first(context)
        if bit:
            self.low += first
        self.width = self.width - first if bit else first
        self.saw(context, bit)
        while self.width < 2**24:
            self.width, self.low = self.width << 8, self.low << 8
            self.n_bytes += 1
        return bit

    def end(self):
        return (self.low + 2**24).to_bytes(self.n_bytes + 1, "big")[:-3]


class Decoder(Model):
    def __init__(self, blob):
        super().__init__()
        self.rest = iter(blob + bytes(8))
        self.code = 0
        for _ in range(5):
            self.code = self.code << 8 | next(self.rest)

    def bit(self, context, _):
        first = self.first(context)
        bit = int(self.code >= first)
        if bit:
            self.code -= first
        self.width = self.width - first if bit else first
        self.saw(context, bit)
        while self.width < 2**24:
            self.width, self.code = self.width << 8, self.code << 8 | next(self.rest, 0)
        return bit


def walk(bit, codes=None):
    """Codes all values in the order of their pixels, or reads them where there are none."""
    found, n_kept = [], 0
    for i in range(79510):
        if i % 100 == 0:
            last, n_kept = n_kept, 0
        unit, code = i % 100, codes[i] if codes else 0
        if i < 78400:
            beside = [found[i - k] if i >= k else 0 for k in (100, 2800, 2700)]
            rate = n_kept * 100 // (unit + 12) if unit else last
            context = sum(map(bool, beside)), min(7, rate // 3)
            signs = sum(beside)
            near = context[0], (signs > 0) - (signs < 0)
        else:
            context = near = i >= 78500, i >= 79500
        size = sign = 0
        if bit((0, context), int(code != 0)):
            sign = bit((1, near), int(code < 0))
            size = 1
            while bit((2, min(size, 6), i < 78400), int(abs(code) > size)):
                size += 1
        found.append(-size if sign else size)
        n_kept += size > 0
    return found


def unpack(blob: bytes) -> dict[str, Tensor]:
    """Weights from a file of `pack`: float32, with the names and shapes of before.

    It runs alone: all that it needs stands in this cell, imports too.
    """
    codes = torch.tensor(walk(Decoder(blob).bit)).float().split([78400, 100, 1000, 10])
    found = {name: code * grid for code, (name, grid) in zip(codes, GRID.items())}
    for name in SHARES:
        found[name] = found[name].view(-1, len(found[name[:6] + ".bias"])).T.contiguous()
    return found
