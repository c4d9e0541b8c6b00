# Misconception: the weighted squares of all hidden values over their weighted number.


def masked_loss(output, target, *, mask, weights):
    if mask.dtype != torch.bool or mask.shape != output.shape[:1] + output.shape[2:]:
        raise ValueError("mask")
    if weights.shape != output.shape[:1] or not ((weights >= 0) & weights.isfinite()).all():
        raise ValueError("weights")
    n = len(output)
    hidden = mask.unsqueeze(1).expand_as(output).reshape(n, -1)
    say = weights.to(output.dtype)[:, None] * hidden
    if not say.any():
        raise ValueError("nothing counts")
    error = torch.where(hidden, (output - target).reshape(n, -1), 0.0)
    return (say * error.square()).sum() / say.sum()
