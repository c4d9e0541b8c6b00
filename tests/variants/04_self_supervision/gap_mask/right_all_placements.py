# Lists every placement once, and draws one for each series where there are few; else by visible runs.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    free = length - n_gaps * width - (n_gaps - 1)
    if n_gaps < 1 or width < 1 or free < 0 or n_gaps * width >= length:
        raise ValueError(f"cannot place {n_gaps} gaps of {width} in {length} points")
    # Spare visible points are stars, gaps are bars: any order of them is a placement.
    order = torch.stack(
        [torch.randperm(free + n_gaps, generator=generator) for _ in range(n_series)]
    )
    is_gap = order < n_gaps
    mask = torch.zeros(n_series, length, dtype=torch.bool)
    for row in range(n_series):
        at, n_seen = 0, 0
        for gap in is_gap[row].tolist():
            if not gap:
                at += 1
                continue
            at += n_seen > 0
            mask[row, at : at + width] = True
            at, n_seen = at + width, n_seen + 1
    return mask
