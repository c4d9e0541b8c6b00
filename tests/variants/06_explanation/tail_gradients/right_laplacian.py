# The symmetric forces as a matrix: row sums times y, less the matrix times y.


def tail_gradients(p, y, nu):
    n = len(y)
    if y.ndim != 2 or n < 2 or p.ndim != 2 or len(p) != n or p.shape[1] != n:
        raise ValueError("shapes")
    if not bool((p >= 0).all()):
        raise ValueError("p")
    if not nu > 0 or nu == math.inf:
        raise ValueError("nu")
    s = sum((column[:, None] - column[None, :]) ** 2 for column in y.T)
    growth = (s / nu).log1p()
    log_w = growth * (-(nu + 1) / 2)
    log_w.fill_diagonal_(-math.inf)
    q = (log_w - log_w.logsumexp((0, 1))).exp()
    p = p.clone().fill_diagonal_(0)
    both = p + p.T
    excess = (both - both.sum() * q) / math.log(2)
    matrix = excess * (nu + 1) / (nu + s)
    grad_y = matrix.sum(1, keepdim=True) * y - matrix @ y
    grad_nu = (excess * (growth - (nu + 1) * s / (nu * (nu + s)))).sum() / 4
    return grad_y, grad_nu
