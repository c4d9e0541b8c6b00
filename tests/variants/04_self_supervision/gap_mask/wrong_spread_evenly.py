# Misconception: one gap in each of n equal parts of the series.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    n_visible = length - n_gaps * width
    if min(n_gaps, width) < 1 or n_visible < max(n_gaps - 1, 1):
        raise ValueError("the gaps do not fit")
    part = (length + 1) // n_gaps  # a gap and the visible point after it
    room = part - width
    shifts = torch.randint(room, (n_series, n_gaps), generator=generator)
    starts = shifts + part * torch.arange(n_gaps)
    points = starts[:, :, None] + torch.arange(width)
    mask = torch.zeros(n_series, length, dtype=torch.bool)
    return mask.scatter(1, points.flatten(1), True)
