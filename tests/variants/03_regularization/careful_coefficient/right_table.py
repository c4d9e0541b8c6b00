# Whole tables at once; candidates that are out get an infinite mean.


def careful_coefficient(losses, coefficients, n_errors=1.0):
    values = torch.tensor(coefficients, dtype=torch.float64)
    n_candidates, n_folds = losses.shape
    is_in = torch.isfinite(losses).all(dim=1)
    if n_folds < 2 or len(values) != n_candidates or not is_in.any():
        raise ValueError(
            "two folds, a coefficient for each candidate, one that is finite"
        )
    losses = losses.double()
    means = torch.where(is_in, losses.mean(1), math.inf)
    best = torch.where(means == means.min(), values, -math.inf).argmax()
    gaps = torch.where(is_in[:, None], losses - losses[best], 0.0)
    errors = ((gaps - gaps.mean(1, keepdim=True)) ** 2).sum(1) / (n_folds - 1) / n_folds
    fits = is_in & (gaps.mean(1) <= n_errors * errors.sqrt())
    return values[best].item(), values[fits].max().item()
