# Misconception: there is always a first step.


def ridge_descent(
    x: Tensor, y: Tensor, coefficients: Tensor, n_steps: int, learning_rate: float
) -> tuple[Tensor, Tensor]:
    if coefficients.shape != (x.shape[1],) or not (coefficients >= 0).all():
        raise ValueError("one coefficient from 0 to infinity for each feature")
    w, b = torch.zeros(x.shape[1], dtype=x.dtype), torch.zeros((), dtype=x.dtype)
    for step in range(max(n_steps, 1)):
        residual = x @ w + b - y
        w = (w - learning_rate * (x.T @ residual) / len(x)) / (1 + learning_rate * coefficients)
        b = b - learning_rate * residual.mean()
    return w, b
