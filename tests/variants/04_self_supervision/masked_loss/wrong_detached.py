# Misconception: a loss is a number, and a new tensor made from it is as good.


def masked_loss(output, target, *, mask, weights):
    if mask.dtype != torch.bool or mask.shape != output.shape[:1] + output.shape[2:]:
        raise ValueError("mask")
    if weights.shape != output.shape[:1] or not ((weights >= 0) & weights.isfinite()).all():
        raise ValueError("weights")
    top, total = 0.0, 0.0
    for o, t, m, w in zip(output, target, mask, weights.tolist()):
        if w > 0 and m.any():
            top += w * (o[:, m] - t[:, m]).square().mean().item()
            total += w
    if total == 0:
        raise ValueError("nothing counts")
    return torch.tensor(top / total, dtype=output.dtype)
