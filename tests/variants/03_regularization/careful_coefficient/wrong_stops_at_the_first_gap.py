# Goes up from the best and stops before the first that does not qualify.


def careful_coefficient(
    losses: Tensor, coefficients: list[float], n_errors: float = 1.0
) -> tuple[float, float]:
    if len(coefficients) != len(losses) or losses.shape[1] < 2:
        raise ValueError(f"{len(coefficients)} coefficients, losses {losses.shape}")
    pairs = [(c, row) for c, row in zip(coefficients, losses) if row.isfinite().all()]
    if not pairs:
        raise ValueError("no candidate has finite losses")
    pairs.sort(key=lambda pair: -pair[0])
    best, least = min(pairs, key=lambda pair: pair[1].mean().item())
    coefficient = best
    for c, row in [pair for pair in pairs[::-1] if pair[0] >= best]:
        difference = row - least
        error = difference.std() / len(row) ** 0.5
        if difference.mean() <= n_errors * error:
            coefficient = c
        else:
            break
    return float(best), float(coefficient)
