# Misconception: The cuts lie in the widest gaps.


def best_levels(values, importance, n_levels):
    if n_levels < 1 or values.ndim != 1 or len(values) == 0:
        raise ValueError("values or n_levels")
    if importance.shape != values.shape or not values.isfinite().all():
        raise ValueError("values or importance")
    if not ((importance > 0) & importance.isfinite()).all():
        raise ValueError("importance")

    x, place = values.double().unique(return_inverse=True)
    h = torch.zeros(len(x), dtype=torch.float64).index_add(0, place, importance.double())
    n, centre = len(x), x.mean()
    sums = torch.zeros(3, n + 1, dtype=torch.float64)
    sums[:, 1:] = torch.stack([h, h * (x - centre), h * (x - centre) ** 2]).cumsum(1)
    weight, first, second = sums[:, None, :] - sums[:, :, None]
    cost = second - first**2 / weight
    cost[torch.ones(n + 1, n + 1).tril().bool()] = math.inf
    gaps = x.diff().topk(min(n_levels, n) - 1).indices + 1
    ends = [0, *sorted(gaps.tolist()), n]
    pairs = list(zip(ends[:-1], ends[1:]))
    levels = torch.stack([(h[i:j] * x[i:j]).sum() / h[i:j].sum() for i, j in pairs])
    level = torch.repeat_interleave(torch.tensor([j - i for i, j in pairs]))
    codes = level[place]
    return levels.to(values.dtype), codes
