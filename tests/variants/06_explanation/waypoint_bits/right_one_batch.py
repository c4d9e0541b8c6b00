# All nodes of both legs in one batch, weights by a tensor.


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

    a = baseline.expand(x.shape)
    b = waypoint.expand(x.shape)
    weight = torch.full((n + 1,), 2.0, dtype=x.dtype)
    weight[1::2] = 4
    weight[[0, -1]] = 1
    weight = weight / (3 * n)
    t = (torch.arange(n + 1, dtype=x.dtype) / n).view(-1, *[1] * x.ndim)
    nodes = torch.stack([a + t * (b - a), b + t * (x - b)]).detach()  # (2, n + 1, N, ...)
    nodes.requires_grad_(True)
    with torch.enable_grad():
        log_p = model(nodes.flatten(0, 2)).log_softmax(1).view(2, n + 1, len(x), -1)
        chosen = log_p.gather(3, labels.expand(2, n + 1, -1)[..., None]).sum()
        slopes = torch.autograd.grad(chosen, nodes)[0] / math.log(2)
    means = torch.einsum("ln...,n->l...", slopes, weight)
    result = means[0] * (b - a) + means[1] * (x - b)
    log_p = log_p.detach()
    rows = torch.arange(len(x))
    saved = (log_p[1, -1, rows, labels] - log_p[0, 0, rows, labels]) / math.log(2)
    return result, result.reshape(len(x), -1).sum(1) - saved
