# Computes in float32 whatever the data are.


def ridge_descent(
    x: Tensor, y: Tensor, coefficients: Tensor, n_steps: int, learning_rate: float
) -> tuple[Tensor, Tensor]:
    if coefficients.shape != x.shape[1:] or not (coefficients >= 0).all():
        raise ValueError(f"expected one coefficient from 0 on, got {coefficients}")
    weight, intercept = torch.zeros(x.shape[1]), torch.zeros(())
    for _ in range(n_steps):
        residual = x.float() @ weight + intercept - y.float()
        slope = residual @ x.float() / len(x)
        weight = (weight - learning_rate * slope) / (
            1 + learning_rate * coefficients.float()
        )
        intercept = intercept - learning_rate * residual.mean()
    return weight, intercept
