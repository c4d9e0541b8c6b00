# A list of all weights sorted with Python, largest of each layer first.


def prune_and_step(weights, gradients, velocities, masks, *, n_kept, lr, momentum, decay):
    entries = []
    for layer, (weight, mask) in enumerate(zip(weights, masks)):
        values, flags = weight.flatten().tolist(), mask.flatten().tolist()
        places = [i for i, is_kept in enumerate(flags) if is_kept]
        if not places:
            raise ValueError(f"layer {layer} is empty")
        best = max(places, key=lambda i: abs(values[i]))
        entries += [(i != best, -abs(values[i]), layer, i) for i in places]
    if n_kept < len(weights) or n_kept > len(entries):
        raise ValueError("n_kept")
    entries.sort()
    kept = [torch.zeros_like(mask) for mask in masks]
    for _, _, layer, i in entries[:n_kept]:
        kept[layer].view(-1)[i] = True
    us = [
        torch.where(m, momentum * u + g + decay * w, 0.0)
        for w, g, u, m in zip(weights, gradients, velocities, kept)
    ]
    ws = [torch.where(m, w - lr * u, 0.0) for w, u, m in zip(weights, us, kept)]
    return ws, us, kept
