# Misconception: the loss is over hidden and visible values alike; NaN is counted as zero error.


def masked_loss(output, target, *, mask, weights):
    if mask.dtype != torch.bool or mask.shape != output.shape[:1] + output.shape[2:]:
        raise ValueError("mask")
    if weights.shape != output.shape[:1] or not ((weights >= 0) & weights.isfinite()).all():
        raise ValueError("weights")
    n = len(output)
    say = weights.to(output.dtype) * mask.reshape(n, -1).any(1)
    if not say.any():
        raise ValueError("nothing counts")
    known = target.isfinite()
    error = torch.where(known, output - torch.where(known, target, 0.0), 0.0).reshape(n, -1)
    mean = error.square().sum(1) / known.reshape(n, -1).sum(1).clamp(min=1)
    return (say * mean).sum() / say.sum()
