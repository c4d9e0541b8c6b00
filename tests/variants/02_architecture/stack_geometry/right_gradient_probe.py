# Runs ones through real convolutions and sends gradients back, counting what they reach.


def stack_geometry(
    n_points: int, layers: list[tuple[int, int, int, int]], position: int
) -> dict:
    def run(n):
        points = torch.zeros(1, 1, n, dtype=torch.float64, requires_grad=True)
        y, sizes = points, []
        for kernel_size, stride, padding, dilation in layers:
            if y.shape[-1] + 2 * padding < dilation * (kernel_size - 1) + 1:
                raise ValueError("a window does not fit")
            ones = torch.ones(1, 1, kernel_size, dtype=torch.float64)
            y = F.conv1d(y, ones, stride=stride, padding=padding, dilation=dilation)
            sizes.append(y.shape[-1])
        return points, y, sizes

    def reached(points, y, place):
        (gradient,) = torch.autograd.grad(y[0, 0, place], points, retain_graph=True)
        return gradient[0, 0].nonzero().view(-1).tolist()

    points, y, sizes = run(n_points)
    if not 0 <= position < y.shape[-1]:
        raise ValueError("no such place")
    span = 1
    for kernel_size, stride, _, dilation in layers:
        span = span * stride + dilation * kernel_size * 64
    far, far_y, _ = run(min(40 * span, 60_000))
    middle = far_y.shape[-1] // 2
    here, there = reached(far, far_y, middle), reached(far, far_y, middle + 1)
    return {
        "sizes": sizes,
        "receptive_field": here[-1] - here[0] + 1,
        "jump": there[0] - here[0],
        "seen": reached(points, y, position),
    }
