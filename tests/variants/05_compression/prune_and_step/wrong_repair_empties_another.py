# All layers together first; a layer left empty takes the place of the smallest chosen.


def prune_and_step(weights, gradients, velocities, masks, *, n_kept, lr, momentum, decay):
    n_left = sum(int(mask.sum()) for mask in masks)
    if not len(weights) <= n_kept <= n_left or any(not mask.any() for mask in masks):
        raise ValueError("n_kept out of range, or a layer without weights")
    entries, chosen = [], set()
    for layer, (weight, mask) in enumerate(zip(weights, masks, strict=True)):
        flat = weight.flatten().tolist()
        own = [(-abs(flat[i]), layer, i) for i, kept in enumerate(mask.flatten().tolist()) if kept]
        tops = [*(tops if layer else []), min(own)]
        entries += own
    chosen = set(heapq.nsmallest(n_kept, entries))
    for top in tops:
        if not any(at == top[1] for _, at, _ in chosen):
            chosen.remove(max(chosen))
            chosen.add(top)
    new_weights, new_velocities, new_masks = [], [], []
    for layer, (w, g, u) in enumerate(zip(weights, gradients, velocities, strict=True)):
        kept = torch.zeros(w.numel(), dtype=torch.bool)
        kept[[i for _, at, i in chosen if at == layer]] = True
        kept = kept.view(w.shape)
        moved = momentum * u + (g + decay * w)
        moved = torch.where(kept, moved, 0.0)
        new_weights.append(torch.where(kept, w - lr * moved, 0.0))
        new_velocities.append(moved)
        new_masks.append(kept)
    return new_weights, new_velocities, new_masks
