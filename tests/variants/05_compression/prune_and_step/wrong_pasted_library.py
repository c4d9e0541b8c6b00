# The library's magnitude_mask, one density for all layers, and torch's step with masked weights.


def magnitude_mask(weight, density):
    n_kept = round(density * weight.numel())
    order = weight.abs().flatten().argsort(descending=True, stable=True)
    mask = torch.zeros(weight.numel(), dtype=torch.bool)
    mask[order[:n_kept]] = True
    return mask.view(weight.shape)


def prune_and_step(weights, gradients, velocities, masks, *, n_kept, lr, momentum, decay):
    if not len(weights) <= n_kept <= sum(int(mask.sum()) for mask in masks):
        raise ValueError("n_kept")
    if not all(mask.any() for mask in masks):
        raise ValueError("empty layer")
    density = n_kept / sum(w.numel() for w in weights)
    kept = [magnitude_mask(w * m, density) & m for w, m in zip(weights, masks)]
    us = [
        momentum * u + (g + decay * w) * m
        for w, g, u, m in zip(weights, gradients, velocities, kept)
    ]
    return [(w - lr * u) * m for w, u, m in zip(weights, us, kept)], us, kept
