# The data's gradient by autograd, for one vector that holds the intercept as well.


def ridge_descent(x, y, coefficients, n_steps, learning_rate):
    if (
        len(coefficients) != x.shape[1]
        or coefficients.isnan().any()
        or coefficients.min() < 0
    ):
        raise ValueError(f"coefficients {coefficients} for {x.shape[1]} features")
    w = torch.zeros(x.shape[1], dtype=x.dtype, requires_grad=True)
    b = torch.zeros((), dtype=x.dtype, requires_grad=True)
    for _ in range(n_steps):
        loss = ((x @ w + b - y) ** 2).mean() / 2
        loss.backward()
        with torch.no_grad():
            w -= learning_rate * w.grad
            w /= 1 + learning_rate * coefficients.to(x.dtype)
            b -= learning_rate * b.grad
        w.grad, b.grad = None, None
    return w.detach(), b.detach()
