# Misconception: spare visible points are shared out by throwing each of them into a random place.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    n_visible = length - n_gaps * width
    if min(n_gaps, width) < 1 or n_visible < max(n_gaps - 1, 1):
        raise ValueError("the gaps do not fit")
    spare = n_visible - (n_gaps - 1)
    thrown = torch.randint(n_gaps + 1, (n_series, spare), generator=generator)
    before = (thrown[:, :, None] <= torch.arange(n_gaps)).sum(1)  # (N, n_gaps)
    starts = before + (width + 1) * torch.arange(n_gaps)
    points = starts[:, :, None] + torch.arange(width)
    mask = torch.zeros(n_series, length, dtype=torch.bool)
    return mask.scatter(1, points.flatten(1), True)
