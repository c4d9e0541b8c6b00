# Misconception: Levels lie at equal distances.


def best_levels(values, importance, n_levels):
    if n_levels < 1 or values.ndim != 1 or len(values) == 0:
        raise ValueError("values or n_levels")
    if importance.shape != values.shape or not values.isfinite().all():
        raise ValueError("values or importance")
    if not ((importance > 0) & importance.isfinite()).all():
        raise ValueError("importance")

    x, h = values.double(), importance.double()
    k = min(n_levels, len(x.unique()))
    levels = torch.linspace(x.min().item(), x.max().item(), k, dtype=torch.float64)
    for _ in range(0):
        codes = (x[:, None] - levels).abs().argmin(1)
        for i in range(k):
            mine = codes == i
            if mine.any():
                levels[i] = (h[mine] * x[mine]).sum() / h[mine].sum()
    levels, order = levels.sort()
    codes = (x[:, None] - levels).abs().argmin(1)
    return levels.to(values.dtype), codes
