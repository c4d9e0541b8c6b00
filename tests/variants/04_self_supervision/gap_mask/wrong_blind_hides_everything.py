# Misconception: gaps that fit are fine, also where nothing of the series stays visible.


def gap_mask(
    shape: tuple[int, int],
    *,
    n_gaps: int,
    width: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    n, length = shape
    places = length - n_gaps * width + 1
    if n_gaps < 1 or width < 1 or n_gaps > places:
        raise ValueError("the gaps do not fit")
    chosen = torch.rand(n, places, generator=generator).topk(n_gaps, 1).indices
    starts = chosen.sort(1).values + torch.arange(n_gaps) * width
    mask = torch.zeros(n, length, dtype=torch.bool)
    for k in range(width):
        mask.scatter_(1, starts + k, True)
    return mask
