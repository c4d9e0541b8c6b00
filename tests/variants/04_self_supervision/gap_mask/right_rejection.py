# Draws first points until none of the gaps touch; whole placements are thrown away.


def gap_mask(shape, *, n_gaps, width, generator=None):
    n_series, length = shape
    if n_gaps < 1 or width < 1:
        raise ValueError("at least one gap of at least one point")
    n_visible = length - n_gaps * width
    if n_visible < n_gaps - 1 or n_visible == 0:
        raise ValueError("no room for these gaps")
    n_starts = length - n_gaps * width + n_gaps  # first points, if each gap were one point wide
    mask = torch.zeros(n_series, length, dtype=torch.bool)
    todo = torch.arange(n_series)
    while len(todo):
        places = torch.randint(n_starts, (len(todo), n_gaps), generator=generator).sort(1).values
        room = places.diff(dim=1) >= 2
        good = room.all(1) if n_gaps > 1 else torch.ones(len(todo), dtype=torch.bool)
        for row, place in zip(todo[good].tolist(), places[good].tolist()):
            for i, p in enumerate(place):
                mask[row, p + i * (width - 1) : p + i * (width - 1) + width] = True
        todo = todo[~good]
    return mask
