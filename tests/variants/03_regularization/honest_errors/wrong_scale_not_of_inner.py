# The scale comes from all rows but those of the outer fold, in the inner loop as well.


def honest_errors(
    x: Tensor,
    y: Tensor,
    coefficients: list[float],
    folds: list[Tensor],
    n_features: int,
) -> Tensor:

    def error(known, rows, coefficient, scaled_by=None) -> Tensor:
        rest = torch.cat(known)
        scaled_by = rest if scaled_by is None else scaled_by
        z = (x - x[scaled_by].mean(0)) / x[scaled_by].std(0, correction=0)
        target = y[rest] - y[rest].mean()
        strength = (z[rest] * target[:, None]).mean(0).abs()
        used = strength.topk(n_features).indices
        z = z[:, used]
        weight = ridge_weights(z[rest], target, coefficient)
        return (z[rows] @ weight + y[rest].mean() - y[rows]).square().mean()

    def without(parts: list[Tensor], k: int) -> list[Tensor]:
        return parts[:k] + parts[k + 1 :]

    errors = []
    for k, rows in enumerate(folds):
        known, scores = without(folds, k), []
        for c in coefficients:
            inner = [
                error(without(known, j), one, c, torch.cat(known))
                for j, one in enumerate(known)
            ]
            scores.append(sum(inner).item())
        errors.append(error(known, rows, coefficients[scores.index(min(scores))]))
    return torch.stack(errors)
