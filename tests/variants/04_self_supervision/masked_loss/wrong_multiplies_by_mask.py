# Misconception: times zero removes whatever stands there.


def masked_loss(output, target, *, mask, weights):
    if mask.dtype != torch.bool or mask.shape != output.shape[:1] + output.shape[2:]:
        raise ValueError("mask")
    if weights.shape != output.shape[:1] or not ((weights >= 0) & weights.isfinite()).all():
        raise ValueError("weights")
    n = len(output)
    hidden = mask.unsqueeze(1).expand_as(output).reshape(n, -1)
    say = weights.to(output.dtype) * hidden.any(1)
    if not say.any():
        raise ValueError("nothing counts")
    error = (output - target).reshape(n, -1) * hidden
    mean = error.square().sum(1) / hidden.sum(1).clamp(min=1)
    return (say * mean).sum() / say.sum()
