# Misconception: a descent may end when little changes.


def ridge_descent(
    x: Tensor, y: Tensor, coefficients: Tensor, n_steps: int, learning_rate: float
) -> tuple[Tensor, Tensor]:
    if coefficients.shape != (x.shape[1],) or not (coefficients >= 0).all():
        raise ValueError("one coefficient from 0 to infinity for each feature")
    w, b = torch.zeros(x.shape[1], dtype=x.dtype), torch.zeros((), dtype=x.dtype)
    for step in range(n_steps):
        residual = x @ w + b - y
        w = (w - learning_rate * (x.T @ residual) / len(x)) / (1 + learning_rate * coefficients)
        if step > 0 and (x.T @ residual / len(x)).abs().max() < 1e-3:
            break
        b = b - learning_rate * residual.mean()
    return w, b
