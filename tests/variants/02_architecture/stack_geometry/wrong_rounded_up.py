# The number of places is rounded up (ceil_mode).


def stack_geometry(
    n_points: int, layers: list[tuple[int, int, int, int]], position: int
) -> dict:
    lengths, field, jump = [n_points], 1, 1
    for kernel_size, stride, padding, dilation in layers:
        reach = dilation * (kernel_size - 1)
        free = lengths[-1] + 2 * padding - reach
        if free < 1:
            raise ValueError(f"a window over {reach + 1} points does not fit")
        lengths.append((free - 2 + stride) // stride + 1)
        field, jump = field + reach * jump, jump * stride
    if not 0 <= position < lengths[-1]:
        raise ValueError(f"there is no place {position} among {lengths[-1]}")
    seen = {position}
    for length, layer in zip(lengths[-2::-1], layers[::-1]):
        kernel_size, stride, padding, dilation = layer
        taps = [dilation * k - padding for k in range(kernel_size)]
        seen = {stride * i + tap for i in seen for tap in taps} & set(range(length))
    found = dict(sizes=lengths[1:], receptive_field=field, jump=jump)
    return found | dict(seen=sorted(seen))
