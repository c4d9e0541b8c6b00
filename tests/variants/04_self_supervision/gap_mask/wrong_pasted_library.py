# The library's stretch_mask: one stretch in each series, as long as all gaps together.


def stretch_mask(shape, *, length, generator=None):
    n_series, n_points = shape
    if not 0 < length < n_points:
        raise ValueError(f"a stretch of {length} points does not fit into {n_points}")
    starts = torch.randint(n_points - length + 1, (n_series, 1), generator=generator)
    points = torch.arange(n_points)
    return (points >= starts) & (points < starts + length)


def gap_mask(shape, *, n_gaps, width, generator=None):
    if n_gaps < 1 or width < 1 or n_gaps * (width + 1) - 1 > shape[1]:
        raise ValueError("the gaps do not fit")
    return stretch_mask(shape, length=n_gaps * width, generator=generator)
