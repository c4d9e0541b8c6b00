# One example at a time, with boolean indexing.


def masked_loss(output, target, *, mask, weights):
    if mask.dtype is not torch.bool or mask.shape != (len(output), *output.shape[2:]):
        raise ValueError("the mask is boolean, one entry for each place")
    if weights.shape != (len(output),) or (weights < 0).any() or not weights.isfinite().all():
        raise ValueError("one finite weight of at least 0 for each example")
    top, total = 0.0, 0.0
    for o, t, m, w in zip(output, target, mask, weights.tolist()):
        if w > 0 and m.any():
            top = top + w * F.mse_loss(o[:, m], t[:, m])
            total += w
    if total == 0:
        raise ValueError("nothing counts")
    return top / total
