# Misconception: the penalty is part of the gradient where it is small.


def ridge_descent(
    x: Tensor, y: Tensor, coefficients: Tensor, n_steps: int, learning_rate: float
) -> tuple[Tensor, Tensor]:
    if coefficients.shape != (x.shape[1],) or not (coefficients >= 0).all():
        raise ValueError("one coefficient from 0 to infinity for each feature")
    w, b = torch.zeros(x.shape[1], dtype=x.dtype), torch.zeros((), dtype=x.dtype)
    small = coefficients < 1
    for step in range(n_steps):
        residual = x @ w + b - y
        gradient = x.T @ residual / len(x)
        explicit = w - learning_rate * (gradient + coefficients * w)
        implicit = (w - learning_rate * gradient) / (1 + learning_rate * coefficients)
        w = torch.where(small, explicit, implicit)
        b = b - learning_rate * residual.mean()
    return w, b
