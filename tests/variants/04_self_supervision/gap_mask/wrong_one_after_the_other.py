# Misconception: each gap takes a place that is still free, so all pairs are equally likely.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    n_visible = length - n_gaps * width
    if min(n_gaps, width) < 1 or n_visible < max(n_gaps - 1, 1):
        raise ValueError("the gaps do not fit")
    mask = torch.zeros(n_series, length, dtype=torch.bool)
    for row in range(n_series):
        while True:
            mask[row], placed = False, 0
            for _ in range(n_gaps):
                starts = [
                    s
                    for s in range(length - width + 1)
                    if not mask[row, max(s - 1, 0) : s + width + 1].any()
                ]
                if not starts:
                    break
                s = starts[torch.randint(len(starts), (), generator=generator)]
                mask[row, s : s + width] = True
                placed += 1
            if placed == n_gaps:
                break
    return mask
