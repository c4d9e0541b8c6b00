# In the inner loop the features are those that suit the inner held-out rows as well.


def honest_errors(
    x: Tensor,
    y: Tensor,
    coefficients: list[float],
    folds: list[Tensor],
    n_features: int,
) -> Tensor:

    def error(known, rows, coefficient, choose_by=None) -> Tensor:
        rest = torch.cat(known)
        chosen_by = rest if choose_by is None else choose_by
        z = (x - x[rest].mean(0)) / x[rest].std(0, correction=0)
        target = y[rest] - y[rest].mean()
        other = (x[chosen_by] - x[chosen_by].mean(0)) / x[chosen_by].std(
            0, correction=0
        )
        strength = (other * (y[chosen_by] - y[chosen_by].mean())[:, None]).mean(0).abs()
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
