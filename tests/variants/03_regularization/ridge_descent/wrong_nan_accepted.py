# Checks for negative coefficients by a comparison that NaN passes.


def ridge_descent(
    x: Tensor, y: Tensor, coefficients: Tensor, n_steps: int, learning_rate: float
) -> tuple[Tensor, Tensor]:
    if coefficients.shape != x.shape[1:] or (coefficients < 0).any():
        raise ValueError(f"expected one coefficient from 0 on, got {coefficients}")
    weight, intercept = x.new_zeros(x.shape[1]), x.new_zeros(())
    for _ in range(n_steps):
        residual = x @ weight + intercept - y
        slope = residual @ x / len(x)
        weight = (weight - learning_rate * slope) / (1 + learning_rate * coefficients)
        intercept = intercept - learning_rate * residual.mean()
    return weight, intercept
