# Multilinear extension: means over the probability of being there, by Gauss-Legendre.


def shapley_matrix(values):

    n = len(values) if values.ndim == 1 else 0
    if n not in [2**d for d in range(2, 11)]:
        raise ValueError("values")
    if values.isnan().any() or values.isinf().any():
        raise ValueError("values")
    d = n.bit_length() - 1

    import numpy as np

    points, weights = np.polynomial.legendre.leggauss(8)
    result = torch.zeros(d, d, dtype=torch.float64)
    for t, w in zip((points + 1) / 2, weights / 2):

        def mean(**fixed):
            """Expected value where each feature is there with probability t, but the fixed."""
            cube = values.double().reshape([2] * d)
            for i in range(d - 1, -1, -1):  # the first axis is the highest feature
                p = fixed.get(f"f{i}", t)
                cube = (1 - p) * cube[0] + p * cube[1]
            return cube

        for i in range(d):
            result[i, i] += w * (mean(**{f"f{i}": 1.0}) - mean(**{f"f{i}": 0.0}))
            for j in range(i):
                delta = 0.0
                for a in (0, 1):
                    for b in (0, 1):
                        sign = 1 if a == b else -1
                        delta = delta + sign * mean(**{f"f{i}": float(a), f"f{j}": float(b)})
                result[i, j] += w * delta / 2
                result[j, i] += w * delta / 2
    off = result.clone().fill_diagonal_(0)
    return result - off.sum(1).diag()
