# Keeps a copy of each parameter and restores all of it after every loss; sorts the errors.


def find_wrong_gradient(
    loss,
    parameters: list[Tensor],
    gradients: list[Tensor],
    step: float,
    tolerance: float = 1e-4,
) -> tuple[int, tuple[int, ...], float] | None:
    errors = []
    for k, p in enumerate(parameters):
        saved = p.clone()

        def shifted(index, amount):
            p[index] += amount
            value = loss()
            p.copy_(saved)
            return value

        for index in (
            torch.cartesian_prod(*map(torch.arange, p.shape)) if p.ndim else [()]
        ):
            index = tuple(index.reshape(-1).tolist()) if p.ndim else ()
            n = (shifted(index, step) - shifted(index, -step)) / (2 * step)
            a = float(gradients[k][index])
            size = max(abs(n), 1e-4)
            error = abs(a - n) / (abs(a) if abs(a) > size else size)
            errors.append((k, index, error if abs(a) < math.inf else math.inf))
    first = sorted(errors, key=lambda entry: -entry[2])[0]
    return first if first[2] > tolerance else None
