# Recursion over the cuts with remembered results, sums by slices.


def best_levels(values, importance, n_levels):
    if n_levels < 1 or values.ndim != 1 or len(values) == 0:
        raise ValueError("values or n_levels")
    if importance.shape != values.shape or not values.isfinite().all():
        raise ValueError("values or importance")
    if not ((importance > 0) & importance.isfinite()).all():
        raise ValueError("importance")

    table = {}
    for v, h in zip(values.tolist(), importance.tolist()):
        table[v] = table.get(v, 0.0) + h
    xs = sorted(table)
    hs = [table[v] for v in xs]
    middle = sum(xs) / len(xs)
    zs = [v - middle for v in xs]

    rows = []
    for i in range(len(xs)):
        total = first = second = 0.0
        rows.append([])
        for z, h in zip(zs[i:], hs[i:]):
            total, first, second = total + h, first + h * z, second + h * z * z
            rows[-1].append(max(second - first * first / total, 0.0))
    memory = {}

    def solve(i, k):
        """Smallest error of the values from i on with k levels, and where the first ends."""
        if k == 1:
            return rows[i][-1], len(xs)
        if (i, k) not in memory:
            memory[i, k] = min(
                (rows[i][j - i - 1] + solve(j, k - 1)[0], j) for j in range(i + 1, len(xs) - k + 2)
            )
        return memory[i, k]

    start, levels, where = 0, [], {}
    for k in range(min(n_levels, len(xs)), 0, -1):
        end = solve(start, k)[1]
        weight = sum(hs[start:end])
        for v in xs[start:end]:
            where[v] = len(levels)
        levels.append(middle + sum(h * z for h, z in zip(hs[start:end], zs[start:end])) / weight)
        start = end
    codes = torch.tensor([where[v] for v in values.tolist()])
    return torch.tensor(levels, dtype=values.dtype), codes
