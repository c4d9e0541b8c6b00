# A threshold over all layers, and a running count for the equals at it.


def prune_and_step(weights, gradients, velocities, masks, *, n_kept, lr, momentum, decay):
    if n_kept < len(weights) or n_kept > sum(m.sum().item() for m in masks):
        raise ValueError("n_kept")
    flat = torch.cat([w.flatten().abs() for w in weights])
    free = torch.cat([m.flatten() for m in masks])
    n_values = [w.numel() for w in weights]
    chosen = torch.zeros_like(free)
    start = 0
    for n in n_values:
        here = free[start : start + n].nonzero().flatten() + start
        if len(here) == 0:
            raise ValueError("empty layer")
        most = flat[here].max()
        chosen[here[flat[here] == most][0]] = True
        start += n
    free = free & ~chosen
    n_more = n_kept - len(weights)
    if n_more > 0:
        threshold = flat[free].topk(n_more).values[-1]
        above = free & (flat > threshold)
        equal = free & (flat == threshold)
        n_equal = n_more - int(above.sum())
        chosen |= above | (equal & (equal.long().cumsum(0) <= n_equal))
    kept = [c.reshape(m.shape) for c, m in zip(chosen.split(n_values), masks)]
    new = ([], [])
    for w, g, u, m in zip(weights, gradients, velocities, kept):
        velocity = torch.zeros_like(w)
        velocity[m] = momentum * u[m] + g[m] + decay * w[m]
        weight = torch.zeros_like(w)
        weight[m] = w[m] - lr * velocity[m]
        new[0].append(weight)
        new[1].append(velocity)
    return new[0], new[1], kept
