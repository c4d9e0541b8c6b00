# Different values only, errors of all stretches by a mean that grows.

import numpy as np


def best_levels(values, importance, n_levels):
    if n_levels < 1 or values.ndim != 1 or not len(values):
        raise ValueError("n_levels at least 1, values (N,)")
    if importance.shape != values.shape:
        raise ValueError("an importance for each value")
    if not values.isfinite().all() or not importance.isfinite().all():
        raise ValueError("numbers must be finite")
    if not (importance > 0).all():
        raise ValueError("importance above 0")
    points, place = np.unique(values.double().numpy(), return_inverse=True)
    mass = np.zeros(len(points))
    np.add.at(mass, place, importance.double().numpy())
    n, n_levels = len(points), min(n_levels, len(points))
    cost = np.full((n + 1, n + 1), np.inf)
    mean = np.zeros((n + 1, n + 1))
    for i in range(n):
        h = m = error = 0.0
        for j in range(i, n):  # the mean and the error grow with each value that joins
            h += mass[j]
            off = points[j] - m
            m += off * mass[j] / h
            error += mass[j] * off * (points[j] - m)
            cost[i, j + 1], mean[i, j + 1] = error, m
    best, cuts = cost[0], []
    for _ in range(n_levels - 1):
        table = best[:, None] + cost
        cuts.append(table.argmin(0))
        best = table.min(0)
    ends = [n]
    for cut in reversed(cuts):
        ends.append(int(cut[ends[-1]]))
    ends = [0, *reversed(ends)]
    codebook, code = [], np.zeros(n, dtype=np.int64)
    for k, (i, j) in enumerate(zip(ends, ends[1:], strict=False)):
        codebook.append(mean[i, j])
        code[i:j] = k
    book = torch.tensor(codebook, dtype=torch.float64).to(values.dtype)
    return book, torch.from_numpy(code[place.reshape(-1)])
