# Misconception: rows keep their coefficients when others are thrown out.


def careful_coefficient(
    losses: Tensor, coefficients: list[float], n_errors: float = 1.0
) -> tuple[float, float]:
    if losses.shape[0] != len(coefficients) or losses.shape[1] < 2:
        raise ValueError("one coefficient for each candidate, two folds or more")
    losses = losses[losses.isfinite().all(1)]
    n_folds, means = losses.shape[1], losses.mean(1)
    alive = [i for i in range(len(losses)) if losses[i].isfinite().all()]
    if not alive:
        raise ValueError("every candidate is out")
    alive.sort(key=lambda i: -coefficients[i])
    best = min(alive, key=lambda i: means[i].item())
    for i in alive:
        d = losses[i] - losses[best]
        if d.mean() <= n_errors * d.std() / n_folds**0.5:
            return coefficients[best], coefficients[i]
