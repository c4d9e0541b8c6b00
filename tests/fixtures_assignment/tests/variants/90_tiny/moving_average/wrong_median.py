# The median of the neighbours instead of their mean.
import torch


def moving_average(x, width):
    half = width // 2
    shifted = [torch.roll(x, shift, dims=1) for shift in range(-half, half + 1)]
    return torch.stack(shifted).median(dim=0).values
