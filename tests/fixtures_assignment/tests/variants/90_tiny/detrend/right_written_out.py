# The trend written out, without the function of task 1.
import torch


def detrend(x, width):
    half = width // 2
    return x - sum(torch.roll(x, k, dims=1) for k in range(-half, half + 1)) / width
