# Misconception: what is visible is what the network knows, so that is where it is scored.


def masked_loss(output, target, *, mask, weights):
    if mask.dtype != torch.bool or mask.shape != output.shape[:1] + output.shape[2:]:
        raise ValueError("mask")
    if weights.shape != output.shape[:1] or not ((weights >= 0) & weights.isfinite()).all():
        raise ValueError("weights")
    if not (weights * mask.reshape(len(mask), -1).any(1)).any():
        raise ValueError("nothing counts")
    n = len(output)
    seen = ~mask.unsqueeze(1).expand_as(output).reshape(n, -1)
    say = weights.to(output.dtype) * seen.any(1)
    error = torch.where(seen, (output - target).reshape(n, -1).nan_to_num(0, 0, 0), 0.0)
    mean = error.square().sum(1) / seen.sum(1).clamp(min=1)
    return (say * mean).sum() / say.sum()
