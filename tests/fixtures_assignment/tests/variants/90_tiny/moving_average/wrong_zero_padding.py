# Zeros beyond the ends: the circle is cut open.
import torch


def moving_average(x, width):
    half = width // 2
    extended = torch.nn.functional.pad(x, (half, half))
    return extended.unfold(1, width, 1).mean(dim=2)
