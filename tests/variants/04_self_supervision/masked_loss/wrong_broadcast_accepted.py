# Misconception: a mask or a weight that broadcasts is good enough.


def masked_loss(output, target, *, mask, weights):
    if (weights < 0).any() or not weights.isfinite().all():
        raise ValueError("weights")
    n = len(output)
    if mask.ndim == output.ndim - 1:
        mask = mask.unsqueeze(1)
    hidden = mask.bool().expand(output.shape).reshape(n, -1)
    say = weights.reshape(-1)[:n].expand(n).to(output.dtype) * hidden.any(1)
    if not say.any():
        raise ValueError("nothing counts")
    error = torch.where(hidden, (output - target).reshape(n, -1), 0.0)
    mean = error.square().sum(1) / hidden.sum(1).clamp(min=1)
    return (say * mean).sum() / say.sum()
