# The library's output_size and receptive_field, and a contiguous field for the points seen.


def output_size(n, *, kernel_size, stride=1, padding=0, dilation=1):
    span = dilation * (kernel_size - 1) + 1
    if n < 1 or n + 2 * padding < span:
        raise ValueError(
            f"a window that spans {span} points does not fit on {n} points"
        )
    return (n + 2 * padding - span) // stride + 1


def receptive_field(layers):
    field, jump = 1, 1
    for layer in layers:
        kernel_size, stride, dilation = (*layer, 1, 1)[:3]
        field += dilation * (kernel_size - 1) * jump
        jump *= stride
    return field


def stack_geometry(
    n_points: int, layers: list[tuple[int, int, int, int]], position: int
) -> dict:
    sizes, jump, start = [n_points], 1, 0
    for kernel_size, stride, padding, dilation in layers:
        arguments = dict(stride=stride, padding=padding, dilation=dilation)
        sizes.append(output_size(sizes[-1], kernel_size=kernel_size, **arguments))
        start -= padding * jump
        jump *= stride
    if not 0 <= position < sizes[-1]:
        raise ValueError("no such position")
    field = receptive_field([(k, s, d) for k, s, p, d in layers])
    first = start + position * jump
    seen = [point for point in range(first, first + field) if 0 <= point < n_points]
    return {"sizes": sizes[1:], "receptive_field": field, "jump": jump, "seen": seen}
