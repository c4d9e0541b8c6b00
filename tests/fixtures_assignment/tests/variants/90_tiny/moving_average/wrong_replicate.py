# The end values repeated: the circle is cut open, and constants survive.
import torch


def moving_average(x, width):
    half = width // 2
    extended = torch.nn.functional.pad(x[:, None], (half, half), mode="replicate")[:, 0]
    return extended.unfold(1, width, 1).mean(dim=2)
