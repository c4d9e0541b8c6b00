# Recursion: the places below one place, asked layer by layer, with arithmetic for the rest.


def stack_geometry(
    n_points: int, layers: list[tuple[int, int, int, int]], position: int
) -> dict:
    sizes = []
    for kernel_size, stride, padding, dilation in layers:
        below = sizes[-1] if sizes else n_points
        last_start = below + padding - dilation * (kernel_size - 1) - 1
        starts = range(-padding, last_start + 1, stride)
        if not starts:
            raise ValueError(f"layer {len(sizes)} does not fit on {below} places")
        sizes.append(len(starts))
    if position not in range(sizes[-1] if sizes else n_points):
        raise ValueError(f"position {position} does not exist")

    def points_below(depth, place):
        below = ([n_points] + sizes)[depth]
        if not 0 <= place < below:
            return set()
        if depth == 0:
            return {place}
        kernel_size, stride, padding, dilation = layers[depth - 1]
        found = set()
        for k in range(kernel_size):
            found |= points_below(depth - 1, place * stride - padding + k * dilation)
        return found

    jumps = [1]
    for layer in layers:
        jumps.append(jumps[-1] * layer[1])
    reaches = [d * (k - 1) * j for (k, _, _, d), j in zip(layers, jumps)]
    return {
        "sizes": sizes,
        "receptive_field": 1 + sum(reaches),
        "jump": jumps[-1],
        "seen": sorted(points_below(len(layers), position)),
    }
