# Written from the text alone: fills a table of numeric gradients first, then compares whole tensors.


def find_wrong_gradient(
    loss,
    parameters: list[Tensor],
    gradients: list[Tensor],
    step: float,
    tolerance: float = 1e-4,
) -> tuple[int, tuple[int, ...], float] | None:
    best = (None, None, -1.0)
    for k, p in enumerate(parameters):
        numeric = torch.zeros(p.shape, dtype=torch.float64)
        for flat in range(p.numel()):
            index = tuple(
                int(i) for i in torch.unravel_index(torch.tensor(flat), p.shape)
            )
            kept = p[index].clone()
            values = []
            for direction in (1, -1):
                p[index] = kept + direction * step
                values.append(loss())
            p[index] = kept
            numeric[index] = (values[0] - values[1]) / (2 * step)
        a = gradients[k].double()
        size = torch.maximum(a.abs(), numeric.abs()).clamp(min=1e-4)
        errors = (a - numeric).abs() / size
        errors = torch.where(a.isfinite(), errors, torch.inf)
        place = int(errors.flatten().argmax())
        if errors.flatten()[place] > best[2]:
            at = torch.unravel_index(torch.tensor(place), p.shape)
            best = (k, tuple(int(i) for i in at), float(errors.flatten()[place]))
    return best if best[2] > tolerance else None
