# Misconception: NaN is all that can spoil a visible value; after that a product with the mask is enough.


def masked_loss(
    output: Tensor, target: Tensor, *, mask: Tensor, weights: Tensor
) -> Tensor:
    if mask.dtype != torch.bool or mask.shape != output[:, 0].shape:
        raise ValueError("mask")
    if weights.shape != (len(output),):
        raise ValueError("weights")
    if not weights.isfinite().all() or (weights < 0).any():
        raise ValueError("weights")
    target = target.masked_fill(target.isnan(), 0.0)
    hidden = mask[:, None].expand_as(output).to(output.dtype)
    errors = ((output - target).square() * hidden).flatten(1).sum(1)
    counts = hidden.flatten(1).sum(1)
    w = torch.where(counts > 0, weights.to(output.dtype), 0.0)
    if w.sum() <= 0:
        raise ValueError("nothing counts")
    return (w * errors / counts.clamp(min=1)).sum() / w.sum()
