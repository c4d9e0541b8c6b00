# Row by row: slope of f at each node by torch.func, Simpson as a third of two thirds midpoint and one third trapezoid.


def waypoint_bits(model, x, target, *, baseline, waypoint, n_intervals):

    n = n_intervals
    if n % 2 == 1 or n <= 0:
        raise ValueError("n_intervals")
    for point in (baseline, waypoint):
        if tuple(point.shape) not in (tuple(x.shape), tuple(x.shape[1:])):
            raise ValueError("shape")
    with torch.no_grad():
        n_classes = model(x).shape[1]
    labels = torch.full((len(x),), target) if isinstance(target, int) else target.long()
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError("target")

    def f(row, label):
        return model(row[None])[0].softmax(0)[label].log2()

    slope = torch.func.grad(f)
    result, gaps = torch.zeros_like(x), []
    for r, row in enumerate(x):
        label = int(labels[r])
        a = baseline[r] if baseline.shape == x.shape else baseline
        b = waypoint[r] if waypoint.shape == x.shape else waypoint
        for start, end in ((a, b), (b, row)):
            at = [slope(start + (end - start) * (i / n), label).detach() for i in range(n + 1)]
            middle = sum(at[1::2]) / (n // 2)
            ends = (sum(at[0:-1:2]) + sum(at[2::2])) / 2 / (n // 2)
            result[r] += (2 * middle + ends) / 3 * (end - start)
        gaps.append(result[r].sum() - (f(row, label) - f(a, label)).detach())
    return result, torch.stack(gaps)
