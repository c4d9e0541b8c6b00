# Misconception: sorted random offsets, with repeats, make all placements equally likely.


def gap_mask(
    shape: tuple[int, int],
    *,
    n_gaps: int,
    width: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    n, length = shape
    if n_gaps < 1 or width < 1:
        raise ValueError("at least one gap of at least one point")
    slack = length - n_gaps * width - (n_gaps - 1)
    if slack < 0 or n_gaps * width >= length:
        raise ValueError("the gaps do not fit")
    offsets = torch.randint(slack + 1, (n, n_gaps), generator=generator)
    starts = offsets.sort(1).values + torch.arange(n_gaps) * (width + 1)
    mask = torch.zeros(n, length, dtype=torch.bool)
    for k in range(width):
        mask.scatter_(1, starts + k, True)
    return mask
