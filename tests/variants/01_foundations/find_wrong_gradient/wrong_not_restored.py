# Leaves every entry a step below where it was.


def find_wrong_gradient(
    loss,
    parameters: list[Tensor],
    gradients: list[Tensor],
    step: float,
    tolerance: float = 1e-4,
) -> tuple[int, tuple[int, ...], float] | None:
    worst, largest = None, tolerance
    for k, (p, gradient) in enumerate(zip(parameters, gradients)):
        for index in product(*map(range, p.shape)):
            value = p[index].item()
            p[index] = value + step
            above = loss()
            p[index] = value - step
            below = loss()
            numeric, analytic = (above - below) / (2 * step), gradient[index].item()
            error = abs(analytic - numeric) / max(abs(numeric), abs(analytic), 1e-4)
            error = error if math.isfinite(analytic) else math.inf
            if error > largest:
                worst, largest = (k, index, error), error
    return worst
