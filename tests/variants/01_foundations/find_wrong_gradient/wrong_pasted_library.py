# The library's grad_check, whose errors are relative to one for every gradient below one.


def find_wrong_gradient(
    loss,
    parameters: list[Tensor],
    gradients: list[Tensor],
    step: float,
    tolerance: float = 1e-4,
) -> tuple[int, tuple[int, ...], float] | None:
    errors = []
    for k, p in enumerate(parameters):
        slopes = []
        for index in product(*map(range, p.shape)):
            value = p[index].item()
            p[index] = value + step
            above = loss()
            p[index] = value - step
            below = loss()
            p[index] = value
            slopes.append((above - below) / (2 * step))
        n = torch.tensor(slopes, dtype=torch.float64).reshape(p.shape)
        a = gradients[k].double()
        errors.append((a - n).abs() / torch.maximum(a.abs(), n.abs()).clamp(min=1))
    worst = [float(e.nan_to_num(torch.inf).max()) for e in errors]
    k = worst.index(max(worst))
    place = int(errors[k].nan_to_num(torch.inf).argmax())
    index = torch.unravel_index(torch.tensor(place), errors[k].shape)
    found = k, tuple(int(i) for i in index), worst[k]
    return found if worst[k] > tolerance else None
