# What is pruned is multiplied by 0, and stays nan where it was.


def prune_and_step(weights, gradients, velocities, masks, *, n_kept, lr, momentum, decay):
    n_left = sum(int(mask.sum()) for mask in masks)
    if not len(weights) <= n_kept <= n_left or any(not mask.any() for mask in masks):
        raise ValueError("n_kept out of range, or a layer without weights")
    entries, chosen = [], set()
    for layer, (weight, mask) in enumerate(zip(weights, masks, strict=True)):
        flat = weight.flatten().tolist()
        own = [(-abs(flat[i]), layer, i) for i, kept in enumerate(mask.flatten().tolist()) if kept]
        chosen.add(min(own))
        entries += own
    rest = heapq.nsmallest(n_kept - len(chosen), set(entries) - chosen)
    chosen.update(rest)
    new_weights, new_velocities, new_masks = [], [], []
    for layer, (w, g, u) in enumerate(zip(weights, gradients, velocities, strict=True)):
        kept = torch.zeros(w.numel(), dtype=torch.bool)
        kept[[i for _, at, i in chosen if at == layer]] = True
        kept = kept.view(w.shape)
        moved = momentum * u + (g + decay * w)
        moved = moved * kept
        new_weights.append((w - lr * moved) * kept)
        new_velocities.append(moved)
        new_masks.append(kept)
    return new_weights, new_velocities, new_masks
