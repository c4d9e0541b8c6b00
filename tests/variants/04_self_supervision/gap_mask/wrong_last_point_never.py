# Misconception: off by one, so that a visible point always follows the last gap.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    n_visible = length - n_gaps * width
    if min(n_gaps, width) < 1 or n_visible < max(n_gaps - 1, 1):
        raise ValueError("the gaps do not fit")
    n_slots = max(n_visible, n_gaps)
    keys = torch.rand(n_series, n_slots, generator=generator)
    slots = keys.topk(n_gaps, dim=1).indices.sort(dim=1).values
    starts = slots + width * torch.arange(n_gaps)
    points = starts[:, :, None] + torch.arange(width)
    mask = torch.zeros(n_series, length, dtype=torch.bool)
    return mask.scatter(1, points.flatten(1), True)
