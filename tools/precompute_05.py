"""Chapter 05's two-part code: a small network of integers and 4,000 labels in one file."""

from __future__ import annotations

import base64
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion.compression import labelfile
from companion.compression.labelfile import Convolution, IntegerNet, read_net, write_labels
from companion.data import load
from companion.device import seed_everything

SEEDS = (0, 1, 2)
N_CHANNELS, KERNEL_SIZE, STRIDES = 6, 5, (2, 1, 2, 1)
BATCH_SIZE, FLOAT_EPOCHS, INTEGER_EPOCHS, PLAIN_EPOCHS = 100, 100, 250, 60
LARGEST_CODE = 40


def shifted(x: Tensor, generator: torch.Generator) -> Tensor:
    """Series (N, L) moved around in a circle by up to 6 points and scaled by up to a tenth."""
    n, length = x.shape
    offset = torch.randint(-6, 7, (n, 1), generator=generator)
    x = x.gather(1, (torch.arange(length) + offset) % length)
    return x * (1 + 0.1 * (2 * torch.rand(n, 1, generator=generator) - 1))


class RoundedNet(nn.Module):
    """Four convolutions, the largest value over time, a linear layer; weights rounded to a grid.

    Until `round_weights` is called it is an ordinary network with batch norm.
    """

    def __init__(self) -> None:
        super().__init__()
        sizes = [1] + [N_CHANNELS] * len(STRIDES)
        self.layers = nn.ModuleList(
            nn.Conv1d(n_in, n_out, KERNEL_SIZE, stride, padding=KERNEL_SIZE // 2)
            for n_in, n_out, stride in zip(sizes, sizes[1:], STRIDES, strict=False)
        )
        self.layers.append(nn.Conv1d(N_CHANNELS, 10, 1))  # the linear layer
        self.norms: nn.ModuleList | None = nn.ModuleList(nn.BatchNorm1d(c) for c in sizes[1:])
        self.log_steps: nn.Parameter | None = None
        self.bias_exponents: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        h, rounded = x.unsqueeze(1), self.rounded()
        for i, layer in enumerate(self.layers[:-1]):
            h = F.conv1d(h, *rounded[i], layer.stride, layer.padding)
            h = F.relu(self.norms[i](h) if self.norms else h)
        return F.conv1d(h.amax(2, keepdim=True), *rounded[-1]).squeeze(2)

    @torch.no_grad()
    def fold(self) -> None:
        """Batch norm goes into the weights, and the channels of a layer get equal norms."""
        for layer, norm, later in zip(self.layers, self.norms, self.layers[1:], strict=False):
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            layer.weight *= gain[:, None, None]
            layer.bias.copy_((layer.bias - norm.running_mean) * gain + norm.bias)
            size = layer.weight.pow(2).mean((1, 2)).sqrt().clamp_min(1e-3)
            size /= size.mean()
            layer.weight /= size[:, None, None]
            layer.bias /= size
            later.weight *= size[None, :, None]
        self.norms = None

    @torch.no_grad()
    def round_weights(self) -> None:
        """From here on weights are integers times a step of their layer, which is learned."""
        steps = torch.stack([0.8 * layer.weight.std() for layer in self.layers])
        self.log_steps = nn.Parameter(steps.log())
        units = steps.cumprod(0) / labelfile.INPUT_STEPS
        self.bias_exponents = (2 * steps / units).log2().round().int().tolist()

    def steps(self) -> tuple[Tensor, list[Tensor]]:
        """Steps of the weights (layers,), and of the biases."""
        steps = self.log_steps.exp()
        units = steps.detach().cumprod(0) / labelfile.INPUT_STEPS  # what 1 in a layer stands for
        return steps, [u * 2.0**e for u, e in zip(units, self.bias_exponents, strict=True)]

    def rounded(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of each layer; rounding has the gradient 1 (straight through)."""
        if self.log_steps is None:
            return [(layer.weight, layer.bias) for layer in self.layers]
        parts = zip(self.layers, *self.steps(), strict=True)
        return [
            (straight(layer.weight / step) * step, straight(layer.bias / bias_step) * bias_step)
            for layer, step, bias_step in parts
        ]

    def relative(self) -> Tensor:
        """All weights in units of their steps, before rounding."""
        parts = zip(self.layers, self.steps()[0], strict=True)
        return torch.cat([(layer.weight / step).flatten() for layer, step in parts])

    @torch.no_grad()
    def integers(self, temperature: float) -> IntegerNet:
        steps, bias_steps = self.steps()
        layers = [
            Convolution(
                (layer.weight / step).round().long(), (layer.bias / bias_step).round().long(),
                exponent, layer.stride[0],
            )
            for layer, step, bias_step, exponent in zip(
                self.layers, steps, bias_steps, self.bias_exponents, strict=True
            )
        ]  # fmt: skip
        unit = steps.double().prod().item() / labelfile.INPUT_STEPS  # nats in a logit of 1
        per_step = unit / math.log(2) * labelfile.PROBABILITY_STEPS / temperature
        exponent = 7 - math.floor(math.log2(per_step))  # eight binary digits of scale
        return IntegerNet(layers, round(per_step * 2**exponent), exponent)


def straight(x: Tensor) -> Tensor:
    return x + (x.round() - x).detach()


def weight_bits(relative: Tensor) -> Tensor:
    """Bits of the integers under their own frequencies, between integers by interpolation.

    So a weight feels how many bits its neighbour on the grid would save.
    """
    relative = relative.clamp(0.5 - LARGEST_CODE, LARGEST_CODE - 0.5)
    codes = relative.detach().round().long() + LARGEST_CODE
    prior = 0.5 * torch.exp2(-0.7 * torch.arange(-LARGEST_CODE, LARGEST_CODE + 1).abs())
    counts = torch.bincount(codes, minlength=2 * LARGEST_CODE + 1) + prior
    bits = -(counts / counts.sum()).log2()
    below = relative.detach().floor()
    part, i = relative - below, below.long() + LARGEST_CODE
    return ((1 - part) * bits[i] + part * bits[i + 1]).sum()


def small_net(seed: int) -> RoundedNet:
    """Trained with shifts, first as it is, then rounded, with the price of its weights."""
    data = load("mnist1d")
    seed_everything(seed)
    generator = torch.Generator().manual_seed(seed)
    net = RoundedNet()
    n_steps = len(data) // BATCH_SIZE

    def batches(n_epochs: int):
        for epoch in range(n_epochs):
            order = torch.randperm(len(data), generator=generator)
            for rows in order.split(BATCH_SIZE):
                yield epoch, data.inputs[rows], data.targets[rows]

    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.02, total_steps=FLOAT_EPOCHS * n_steps
    )
    for _, x, targets in batches(FLOAT_EPOCHS):
        loss = F.cross_entropy(net(shifted(x, generator)), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    net.eval()
    net.fold()
    net.round_weights()
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, INTEGER_EPOCHS * n_steps)
    for epoch, x, targets in batches(INTEGER_EPOCHS):
        if epoch < INTEGER_EPOCHS - PLAIN_EPOCHS:
            x = shifted(x, generator)
        price = min(1.0, epoch / (0.4 * INTEGER_EPOCHS)) * math.log(2) / len(data)
        loss = F.cross_entropy(net(x), targets) + price * weight_bits(net.relative())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net


def label_file_row(seed: int) -> dict[str, Any]:
    data, test = load("mnist1d"), load("mnist1d", split="test")
    net = small_net(seed)
    files = [
        write_labels(net.integers(t), data.inputs, data.targets) for t in (0.9, 1.0, 1.1, 1.2, 1.35)
    ]
    blob = min(files, key=len)
    integers, model_bits = read_net(blob)
    predicted = integers.logits(test.inputs).argmax(1)
    return {
        "seed": seed,
        "total_bits": 8 * len(blob),
        "model_bits": round(model_bits),
        "test_accuracy": (predicted == test.targets).float().mean().item(),
        "n_weights": sum(layer.weight.numel() + layer.bias.numel() for layer in integers.layers),
        "file": base64.b64encode(blob).decode(),
    }


def label_file() -> dict[str, Any]:
    """The file for each seed: network and labels together, nothing else."""
    return {"seeds": list(SEEDS), "rows": [label_file_row(seed) for seed in SEEDS]}


JOBS = {"label_file": label_file}
COVERS = {
    "label_file": [
        shifted, RoundedNet, straight, weight_bits, small_net, label_file_row, write_labels,
        IntegerNet, labelfile._code_net, labelfile._code_labels, "mnist1d.npz",
    ],
}  # fmt: skip
