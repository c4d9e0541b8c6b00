# Misconception: a large number is as good as infinity.


def ridge_descent(
    x: Tensor, y: Tensor, coefficients: Tensor, n_steps: int, learning_rate: float
) -> tuple[Tensor, Tensor]:
    if coefficients.shape != (x.shape[1],) or not (coefficients >= 0).all():
        raise ValueError("one coefficient from 0 to infinity for each feature")
    w, b = torch.zeros(x.shape[1], dtype=x.dtype), torch.zeros((), dtype=x.dtype)
    coefficients = coefficients.clamp(max=1e4)
    for step in range(n_steps):
        residual = x @ w + b - y
        w = (w - learning_rate * (x.T @ residual) / len(x)) / (1 + learning_rate * coefficients)
        b = b - learning_rate * residual.mean()
    return w, b
