# Misconception: All weights as large as the threshold stay.


def prune_and_step(weights, gradients, velocities, masks, *, n_kept, lr, momentum, decay):
    if not len(weights) <= n_kept <= sum(int(mask.sum()) for mask in masks):
        raise ValueError("n_kept")
    if not all(mask.any() for mask in masks):
        raise ValueError("empty layer")
    sizes = [torch.where(m, w.abs(), -1.0).flatten() for w, m in zip(weights, masks)]
    for size in sizes:
        size[size.sort(descending=True, stable=True).indices[0]] = math.inf
    order = torch.cat(sizes).sort(descending=True, stable=True).indices
    chosen = torch.zeros(len(order), dtype=torch.bool)
    flat = torch.cat(sizes)
    chosen = (flat >= flat[order[n_kept - 1]]) & (flat >= 0)
    parts = chosen.split([len(size) for size in sizes])
    kept = [part.reshape(mask.shape) for part, mask in zip(parts, masks)]
    new_weights, new_velocities = [], []
    for w, g, u, mask in zip(weights, gradients, velocities, kept):
        u = torch.where(mask, momentum * u + g + decay * w, 0.0)
        w = torch.where(mask, w - lr * u, 0.0)
        new_velocities.append(u)
        new_weights.append(w)
    return new_weights, new_velocities, kept
