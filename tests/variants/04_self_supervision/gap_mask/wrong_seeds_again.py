# Misconception: the generator's seed is what matters, so a new generator with it does as well.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    n_visible = length - n_gaps * width
    if min(n_gaps, width) < 1 or n_visible < max(n_gaps - 1, 1):
        raise ValueError("the gaps do not fit")
    seed = generator.initial_seed() if generator is not None else 0
    own = torch.Generator().manual_seed(seed)
    keys = torch.rand(n_series, n_visible + 1, generator=own)
    slots = keys.topk(n_gaps, dim=1).indices.sort(dim=1).values
    starts = slots + width * torch.arange(n_gaps)
    points = starts[:, :, None] + torch.arange(width)
    mask = torch.zeros(n_series, length, dtype=torch.bool)
    return mask.scatter(1, points.flatten(1), True)
