# Shuffles a row of "visible" and "gap, then a visible point" tokens, series by series.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    if n_gaps < 1 or width < 1:
        raise ValueError("a gap or more, of a point or more")
    if n_gaps * (width + 1) - 1 > length or n_gaps * width >= length:
        raise ValueError("the gaps do not fit, or hide everything")
    # With one visible point more at the end, every gap has a visible point of its own after it.
    n_single = length + 1 - n_gaps * (width + 1)
    rows = []
    for _ in range(n_series):
        row = []
        for token in torch.randperm(n_single + n_gaps, generator=generator).tolist():
            row += [True] * width + [False] if token < n_gaps else [False]
        rows.append(row[:length])
    return torch.tensor(rows, dtype=torch.bool).reshape(n_series, length)
