# Plain Python numbers, row by row and feature by feature.


def ridge_descent(
    x: Tensor, y: Tensor, coefficients: Tensor, n_steps: int, learning_rate: float
) -> tuple[Tensor, Tensor]:
    rows, targets, lambdas = x.tolist(), y.tolist(), coefficients.tolist()
    n_features = x.shape[1]
    if coefficients.dim() != 1 or len(lambdas) != n_features:
        raise ValueError("one coefficient for each feature")
    if not all(value >= 0 for value in lambdas):
        raise ValueError("coefficients from 0 to infinity")
    w, b = [0.0] * n_features, 0.0
    for _ in range(n_steps):
        slope, slope_b = [0.0] * n_features, 0.0
        for row, target in zip(rows, targets):
            residual = sum(a * c for a, c in zip(row, w)) + b - target
            slope_b += residual / len(rows)
            for j, value in enumerate(row):
                slope[j] += residual * value / len(rows)
        w = [
            (w[j] - learning_rate * slope[j]) / (1 + learning_rate * lambdas[j])
            for j in range(n_features)
        ]
        b -= learning_rate * slope_b
    return torch.tensor(w, dtype=x.dtype), torch.tensor(b, dtype=x.dtype)
