# Misconception: half of the draws is enough, the second half of the batch repeats the first.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    n_visible = length - n_gaps * width
    if min(n_gaps, width) < 1 or n_visible < max(n_gaps - 1, 1):
        raise ValueError("the gaps do not fit")
    keys = torch.rand((n_series + 1) // 2, n_visible + 1, generator=generator)
    keys = keys.repeat_interleave(2, 0)[:n_series]
    slots = keys.topk(n_gaps, dim=1).indices.sort(dim=1).values
    starts = slots + width * torch.arange(n_gaps)
    points = starts[:, :, None] + torch.arange(width)
    mask = torch.zeros(n_series, length, dtype=torch.bool)
    return mask.scatter(1, points.flatten(1), True)
