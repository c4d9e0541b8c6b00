# The library's closed form, with the mean coefficient and centred columns.


def ridge_descent(x, y, coefficients, n_steps, learning_rate):
    if coefficients.shape != x.shape[1:] or not (coefficients >= 0).all():
        raise ValueError("a coefficient is negative or nan")
    centre, mean = x.mean(0), y.mean()
    coefficient = coefficients.nan_to_num(posinf=1e9).mean()
    gram = (x - centre).T @ (x - centre)
    identity = torch.eye(x.shape[1], dtype=x.dtype)
    penalty = (coefficient * len(x)).to(x.dtype) * identity
    weight = torch.linalg.pinv(gram + penalty) @ ((x - centre).T @ (y - mean))
    return weight, mean - centre @ weight
