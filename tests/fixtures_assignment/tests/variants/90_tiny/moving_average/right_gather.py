# Index of every neighbour, taken modulo the length, and one gather.
import torch


def moving_average(x, width):
    n, half = x.shape[1], width // 2
    index = (torch.arange(n)[:, None] + torch.arange(-half, half + 1)) % n  # (n, width)
    return x[:, index].mean(dim=2)
