# Misconception: std is std (K - 1 in place of K).


def honest_errors(
    x: Tensor,
    y: Tensor,
    coefficients: list[float],
    folds: list[Tensor],
    n_features: int,
) -> Tensor:
    def error(parts, held, coefficient):
        rows = torch.cat(parts)
        mean, scale = x[rows].mean(0), x[rows].std(0)
        z, centre = (x - mean) / scale, y[rows].mean()
        strength = (z[rows] * (y[rows] - centre)[:, None]).mean(0).abs()
        z = z[:, strength.topk(n_features).indices]
        weight = ridge_weights(z[rows], y[rows] - centre, coefficient)
        return (z[held] @ weight + centre - y[held]).square().mean()

    def without(parts, k):
        return parts[:k] + parts[k + 1 :]

    found = []
    for k in range(len(folds)):
        others, means = without(folds, k), []
        for coefficient in coefficients:
            inner = [error(without(others, j), others[j], coefficient) for j in range(len(others))]
            means.append(torch.stack(inner).mean().item())
        chosen = coefficients[means.index(min(means))]
        found.append(error(others, folds[k], chosen))
    return torch.stack(found)
