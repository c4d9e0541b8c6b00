# Nearest level and mean in turn, from thirty random starts, the best of them.


def best_levels(values, importance, n_levels):
    if n_levels < 1 or values.ndim != 1 or not len(values):
        raise ValueError("n_levels at least 1, values (N,)")
    if importance.shape != values.shape or not values.isfinite().all():
        raise ValueError("an importance for each value")
    if not importance.isfinite().all() or not (importance > 0).all():
        raise ValueError("importance above 0")
    points = values.double().unique()
    k = min(n_levels, len(points))
    generator, least = torch.Generator().manual_seed(0), None
    h = importance.double()
    for _ in range(30):
        start = torch.randperm(len(points), generator=generator)[:k]
        levels = points[start].sort().values
        for _ in range(50):
            codes = (values.double()[:, None] - levels).abs().argmin(1)
            mass = torch.zeros(k).double().index_add(0, codes, h)
            total = torch.zeros(k).double().index_add(0, codes, h * values.double())
            levels = torch.where(mass > 0, total / mass, levels)
        error = (h * (values.double() - levels[codes]).square()).sum().item()
        if least is None or error < least[0]:
            least = error, levels, codes
    return least[1].to(values.dtype), least[2]
