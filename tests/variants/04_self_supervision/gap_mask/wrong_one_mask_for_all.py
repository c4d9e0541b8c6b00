# Misconception: one draw serves the whole batch.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    n_visible = length - n_gaps * width
    if min(n_gaps, width) < 1 or n_visible < max(n_gaps - 1, 1):
        raise ValueError("the gaps do not fit")
    slots = torch.randperm(n_visible + 1, generator=generator)[:n_gaps].sort().values
    starts = slots + width * torch.arange(n_gaps)
    mask = torch.zeros(length, dtype=torch.bool)
    mask[(starts[:, None] + torch.arange(width)).flatten()] = True
    return mask.expand(n_series, length).clone()
