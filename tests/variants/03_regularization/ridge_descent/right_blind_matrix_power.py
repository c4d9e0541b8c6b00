# A step is an affine map: n_steps of it are a power of one matrix, in double.


def ridge_descent(
    x: Tensor, y: Tensor, coefficients: Tensor, n_steps: int, learning_rate: float
) -> tuple[Tensor, Tensor]:
    if list(coefficients.shape) != [x.shape[1]]:
        raise ValueError("shape")
    if any(math.isnan(c) or c < 0 for c in coefficients.tolist()):
        raise ValueError("negative or NaN")
    n, d = x.shape
    ones = torch.ones(n, 1, dtype=torch.float64)
    design = torch.cat([x.double(), ones], 1)
    step = torch.eye(d + 2, dtype=torch.float64)
    step[: d + 1, : d + 1] -= learning_rate * design.T @ design / n
    step[: d + 1, d + 1] = learning_rate * design.T @ y.double() / n
    step[:d] /= (1 + learning_rate * coefficients.double())[:, None]
    end = torch.linalg.matrix_power(step, n_steps)[:, -1].to(x.dtype)
    return end[:d], end[d]
