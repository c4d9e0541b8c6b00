# The penalty's gradient is taken at the beginning of the step.


def ridge_descent(
    x: Tensor, y: Tensor, coefficients: Tensor, n_steps: int, learning_rate: float
) -> tuple[Tensor, Tensor]:
    if coefficients.shape != x.shape[1:] or not (coefficients >= 0).all():
        raise ValueError(f"expected one coefficient from 0 on, got {coefficients}")
    weight, intercept = x.new_zeros(x.shape[1]), x.new_zeros(())
    for _ in range(n_steps):
        residual = x @ weight + intercept - y
        slope = residual @ x / len(x)
        slope = slope + coefficients.nan_to_num(posinf=1e6).clamp(max=1e6) * weight
        weight = (weight - learning_rate * slope).clamp(-1e9, 1e9)
        intercept = intercept - learning_rate * residual.mean()
    return weight, intercept
