# Misconception: gaps fit wherever their points do; those that do not fit are left out.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    n_visible = length - n_gaps * width
    if min(n_gaps, width) < 1 or n_visible < 1:
        raise ValueError("the gaps do not fit")
    n_gaps = min(n_gaps, n_visible + 1)
    keys = torch.rand(n_series, n_visible + 1, generator=generator)
    slots = keys.topk(n_gaps, dim=1).indices.sort(dim=1).values
    starts = slots + width * torch.arange(n_gaps)
    points = (starts[:, :, None] + torch.arange(width)).clamp(max=length - 1)
    mask = torch.zeros(n_series, length, dtype=torch.bool)
    return mask.scatter(1, points.flatten(1), True)
