# One weight for each value, then a single sum of squares.


def masked_loss(output, target, *, mask, weights):
    n = output.shape[0]
    if mask.dtype != torch.bool or tuple(mask.shape) != (n, *output.shape[2:]):
        raise ValueError("mask: bool (N, ...)")
    bad = (weights < 0) | ~weights.isfinite()
    if weights.ndim != 1 or len(weights) != n or bad.any():
        raise ValueError("weights: (N,), finite, not negative")
    places = mask.reshape(n, -1).sum(1)
    share = torch.where(places > 0, weights, 0.0)
    if share.sum() <= 0:
        raise ValueError("no hidden value counts")
    share = share / share.sum() / (places.clamp(min=1) * output.shape[1])
    each = share.reshape(n, *[1] * (mask.ndim - 1)) * mask  # (N, ...)
    clean = torch.where(mask[:, None], target, output.detach())
    return ((output - clean) ** 2 * each[:, None]).sum().to(output.dtype)
