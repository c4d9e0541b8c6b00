# Takes the smallest coefficient that qualifies.


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
    for coefficient, row in pairs[::-1]:
        difference = row - least
        error = difference.std() / len(row) ** 0.5
        if difference.mean() <= n_errors * error:
            break
    return float(best), float(coefficient)
