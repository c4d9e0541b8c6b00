# A loop over pairs in Python numbers, with the sum of the weights by its logarithm.


def tail_gradients(p, y, nu):
    if y.dim() != 2 or y.shape[0] < 2 or tuple(p.shape) != (y.shape[0], y.shape[0]):
        raise ValueError("shapes")
    if (p < 0).any() or p.isnan().any() or not (nu > 0 and math.isfinite(nu)):
        raise ValueError("p or nu")
    points, table, n = y.tolist(), p.tolist(), len(y)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    s = {(i, j): sum((a - b) ** 2 for a, b in zip(points[i], points[j])) for i, j in pairs}
    log_w = {k: -(nu + 1) / 2 * math.log1p(v / nu) for k, v in s.items()}
    top = max(log_w.values())
    log_sum = top + math.log(sum(math.exp(v - top) for v in log_w.values()))
    total = sum(table[i][j] for i, j in pairs)
    grad = [[0.0] * y.shape[1] for _ in points]
    grad_nu = 0.0
    for i, j in pairs:
        d = s[i, j]
        by_log_w = (total * math.exp(log_w[i, j] - log_sum) - table[i][j]) / math.log(2)
        by_s = by_log_w * -(nu + 1) / 2 / (nu + d)
        grad_nu += by_log_w * (-math.log1p(d / nu) / 2 + (nu + 1) / 2 * d / nu / (nu + d))
        for axis, (a, b) in enumerate(zip(points[i], points[j])):
            grad[i][axis] += by_s * 2 * (a - b)
            grad[j][axis] -= by_s * 2 * (a - b)
    return torch.tensor(grad, dtype=y.dtype), torch.tensor(grad_nu, dtype=y.dtype)
