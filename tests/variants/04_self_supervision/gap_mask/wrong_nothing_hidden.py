# Misconception: no gap, or gaps of no points, are a mask that hides nothing.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    n_gaps, width = max(n_gaps, 0), max(width, 0)
    n_visible = length - n_gaps * width
    if n_visible < max(n_gaps - 1, 1):
        raise ValueError("the gaps do not fit")
    keys = torch.rand(n_series, n_visible + 1, generator=generator)
    slots = keys.topk(n_gaps, dim=1).indices.sort(dim=1).values
    starts = slots + width * torch.arange(n_gaps)
    points = starts[:, :, None] + torch.arange(width)
    mask = torch.zeros(n_series, length, dtype=torch.bool)
    return mask.scatter(1, points.flatten(1), True)
