# Walks through the places from left to right and takes each with the odds of what is left.


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
    n_visible = length - n_gaps * width
    if n_visible < 1 or n_visible < n_gaps - 1:
        raise ValueError("the gaps do not fit, or hide everything")
    mask = torch.zeros(n, length, dtype=torch.bool)
    to_place = torch.full((n,), n_gaps)
    points = torch.arange(length)
    for place in range(n_visible + 1):  # a gap before this visible point, or none
        odds = n_visible + 1 - place
        takes = torch.randint(odds, (n,), generator=generator) < to_place
        first = (place + (n_gaps - to_place) * width)[:, None]
        inside = (points >= first) & (points < first + width)
        mask |= inside & takes[:, None]
        to_place = to_place - takes.long()
    return mask
