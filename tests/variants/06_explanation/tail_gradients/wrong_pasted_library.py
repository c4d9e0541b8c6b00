# The library: Student with one degree of freedom, symmetric p that sums to 1, nats.


def tail_gradients(p, y, nu):
    if y.ndim != 2 or len(y) < 2 or p.shape != (len(y), len(y)):
        raise ValueError("shapes")
    if not (p >= 0).all() or not 0 < nu < math.inf:
        raise ValueError("p or nu")
    weights = 1 / (1 + (y[:, None] - y).square().sum(2))
    weights = weights.masked_fill(torch.eye(len(y), dtype=torch.bool), 0.0)
    force = 4 * (p - weights / weights.sum()) * weights
    return force.sum(1, keepdim=True) * y - force @ y, torch.zeros(())
