# The library's share_weights: linear initialization, then Lloyd's algorithm on sorted values.


def best_levels(values, importance, n_levels):
    if n_levels < 1 or values.ndim != 1 or len(values) == 0:
        raise ValueError("values or n_levels")
    if importance.shape != values.shape or not values.isfinite().all():
        raise ValueError("values or importance")
    if not ((importance > 0) & importance.isfinite()).all():
        raise ValueError("importance")

    ordered = values.double().sort().values
    n_levels = min(n_levels, len(ordered.unique()))
    levels = torch.linspace(ordered[0].item(), ordered[-1].item(), n_levels, dtype=torch.float64)
    sums = torch.cat([torch.zeros(1, dtype=torch.float64), ordered.cumsum(0)])
    previous = None
    while True:
        middles = (levels[1:] + levels[:-1]) / 2
        inner = torch.searchsorted(ordered, middles)
        ends = torch.cat([torch.tensor([0]), inner, torch.tensor([len(ordered)])])
        if previous is not None and torch.equal(ends, previous):
            break
        counts = ends.diff()
        means = sums[ends].diff() / counts.clamp(min=1)
        levels, previous = torch.where(counts > 0, means, levels), ends
    codes = torch.bucketize(values.double(), (levels[1:] + levels[:-1]) / 2)
    return levels.to(values.dtype), codes
