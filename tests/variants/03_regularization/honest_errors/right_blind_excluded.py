# One table of errors by (left out, predicted): a model belongs to a set of left-out folds.


def honest_errors(
    x: Tensor,
    y: Tensor,
    coefficients: list[float],
    folds: list[Tensor],
    n_features: int,
) -> Tensor:
    models = {}

    def model(out, coefficient):
        key = out, coefficient
        if key not in models:
            seen = [i for k, fold in enumerate(folds) if k not in out for i in fold.tolist()]
            a, b = x[seen], y[seen]
            mean, scale = a.mean(0), a.std(0, correction=0)
            a, centre = (a - mean) / scale, b.mean()
            strength = ((b - centre) @ a / len(b)).abs()
            used = strength.sort(descending=True).indices[:n_features]
            w = ridge_weights(a[:, used], b - centre, coefficient)
            models[key] = mean, scale, used, w, centre
        return models[key]

    def error(out, k, coefficient):
        mean, scale, used, w, centre = model(frozenset(out), coefficient)
        z = ((x[folds[k]] - mean) / scale)[:, used]
        return ((z @ w + centre - y[folds[k]]) ** 2).mean()

    result, numbers = [], range(len(folds))
    for k in numbers:
        best, chosen = math.inf, None
        for coefficient in coefficients:
            inner = [error({k, j}, j, coefficient) for j in numbers if j != k]
            mean = sum(inner).item() / len(inner)
            if mean < best:
                best, chosen = mean, coefficient
        result.append(error({k}, k, chosen))
    return torch.stack(result)
