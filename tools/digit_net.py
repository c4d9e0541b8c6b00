"""Trains the two nets of assignment 05 and stores them: `python -m tools.digit_net`.

Both have 784 inputs, 100 hidden units and 10 outputs, and learned the 4,000 training images of the
shipped MNIST sample from shifted copies.  `digit_net.npz` is the one that the assignment gives;
`digit_net_other.npz` differs in the seed alone, and only the grader's checker loads it.  The
weights are stored as float16.  Another machine, or another version of torch, gives other weights.
"""

from __future__ import annotations

import json

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion.data import load
from tools.data import FILES, save

SEEDS = {"digit_net": 0, "digit_net_other": 1}
N_STEPS, BATCH_SIZE, MAX_SHIFT = 1890, 64, 2  # 30 epochs


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image (N, 784) moved by up to `MAX_SHIFT` pixels in both directions."""
    n, span = len(images), 2 * MAX_SHIFT
    wide = F.pad(images.view(n, 28, 28), (MAX_SHIFT,) * 4)  # (N, 32, 32)
    corner = torch.randint(0, span + 1, (n, 2), generator=generator)
    rows = (corner[:, :1] + torch.arange(28))[:, :, None]
    columns = (corner[:, 1:] + torch.arange(28))[:, None, :]
    return wide[torch.arange(n)[:, None, None], rows, columns].flatten(1)


def train(seed: int) -> dict[str, np.ndarray]:
    torch.set_num_threads(1)
    data = load("mnist")
    images, labels = data.inputs.flatten(1), data.targets
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    hidden, output = nn.Linear(784, 100), nn.Linear(100, 10)
    net = nn.Sequential(hidden, nn.ReLU(), output)
    optimizer = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=N_STEPS)
    for _ in range(N_STEPS):
        rows = torch.randint(len(images), (BATCH_SIZE,), generator=generator)
        loss = F.cross_entropy(net(shifted(images[rows], generator)), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    layers = {"hidden": hidden, "output": output}
    return {
        f"{name}.{part}": getattr(layer, part).detach().half().numpy()
        for name, layer in layers.items()
        for part in ("weight", "bias")
    }


def main() -> None:
    path = FILES / "SOURCES.json"
    sources = json.loads(path.read_text(encoding="utf-8"))
    for name, seed in SEEDS.items():
        sha256 = save(f"{name}.npz", train(seed))
        sources[f"{name}.npz"] = {
            "origin": "weights of a net with 100 hidden units, trained by `python -m "
            f"tools.digit_net` on the shipped MNIST sample, seed {seed}",
            "licence": "MIT",
            "sha256": sha256,
        }
    path.write_text(json.dumps(sources, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
