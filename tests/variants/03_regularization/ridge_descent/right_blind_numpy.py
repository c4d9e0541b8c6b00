# numpy, with an intercept column whose coefficient is 0.


def ridge_descent(
    x: Tensor, y: Tensor, coefficients: Tensor, n_steps: int, learning_rate: float
) -> tuple[Tensor, Tensor]:
    import numpy

    lambdas = coefficients.numpy()
    if lambdas.shape != (x.shape[1],):
        raise ValueError("wrong number of coefficients")
    if numpy.isnan(lambdas).any() or (lambdas < 0).any():
        raise ValueError("bad coefficients")
    design = numpy.column_stack([x.numpy(), numpy.ones(len(x))])
    shrink = 1 / (1 + learning_rate * numpy.append(lambdas, 0))
    w = numpy.zeros(design.shape[1])
    for _ in range(n_steps):
        w = shrink * (w - learning_rate * design.T @ (design @ w - y.numpy()) / len(x))
    w = torch.as_tensor(w, dtype=x.dtype)
    return w[:-1], w[-1]
