# Misconception: candidates without a coefficient can be left out.


def careful_coefficient(
    losses: Tensor, coefficients: list[float], n_errors: float = 1.0
) -> tuple[float, float]:
    if losses.shape[1] < 2:
        raise ValueError("one coefficient for each candidate, two folds or more")
    n_folds, means = losses.shape[1], losses.mean(1)
    alive = [i for i in range(min(len(losses), len(coefficients))) if losses[i].isfinite().all()]
    if not alive:
        raise ValueError("every candidate is out")
    alive.sort(key=lambda i: -coefficients[i])
    best = min(alive, key=lambda i: means[i].item())
    for i in alive:
        d = losses[i] - losses[best]
        if d.mean() <= n_errors * d.std() / n_folds**0.5:
            return coefficients[best], coefficients[i]
