# Divide and conquer: the best cut moves to the right with the end of the stretch.


def best_levels(values, importance, n_levels):
    if n_levels < 1 or values.ndim != 1 or len(values) == 0:
        raise ValueError("values or n_levels")
    if importance.shape != values.shape or not values.isfinite().all():
        raise ValueError("values or importance")
    if not ((importance > 0) & importance.isfinite()).all():
        raise ValueError("importance")

    order = values.argsort()
    x = (values.double() - values.double().mean())[order]
    h = importance.double()[order]
    n = len(x)
    W, S, Q = (
        torch.cat([torch.zeros(1, dtype=torch.float64), a.cumsum(0)]).tolist()
        for a in (h, h * x, h * x * x)
    )

    def cost(i, j):
        return Q[j] - Q[i] - (S[j] - S[i]) ** 2 / (W[j] - W[i])

    k = min(n_levels, len(values.unique()))
    best = [math.inf] + [cost(0, j) for j in range(1, n + 1)]
    back = []
    for _ in range(k - 1):
        new, cut = [math.inf] * (n + 1), [0] * (n + 1)
        todo = [(2, n, 1, n - 1)]
        while todo:
            low, high, first, last = todo.pop()
            if low > high:
                continue
            j = (low + high) // 2
            new[j], cut[j] = min(
                (best[i] + cost(i, j), i) for i in range(first, min(last, j - 1) + 1)
            )
            todo += [(low, j - 1, first, cut[j]), (j + 1, high, cut[j], last)]
        best = new
        back.append(cut)
    ends = [n]
    for cut in reversed(back):
        ends.insert(0, cut[ends[0]])
    codes = torch.zeros(n, dtype=torch.int64)
    start, levels = 0, []
    for number, end in enumerate(ends):
        some = order[start:end]
        weight = importance.double()[some]
        levels.append(((weight * values.double()[some]).sum() / weight.sum()).item())
        codes[some] = number
        start = end
    return torch.tensor(levels, dtype=values.dtype), codes
