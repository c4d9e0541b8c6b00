# Misconception: a series is a circle, and a gap may go on at its beginning.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    n_visible = length - n_gaps * width
    if min(n_gaps, width) < 1 or n_visible < max(n_gaps - 1, 1):
        raise ValueError("the gaps do not fit")
    if n_visible < n_gaps:
        keys = torch.rand(n_series, n_visible + 1, generator=generator)
        turn = torch.zeros(n_series, 1, dtype=torch.int64)
    else:
        keys = torch.rand(n_series, n_visible, generator=generator)
        turn = torch.randint(length, (n_series, 1), generator=generator)
    slots = keys.topk(n_gaps, dim=1).indices.sort(dim=1).values
    starts = slots + width * torch.arange(n_gaps)
    points = (starts[:, :, None] + torch.arange(width)).flatten(1)
    mask = torch.zeros(n_series, length, dtype=torch.bool)
    return mask.scatter(1, (points + turn) % length, True)
