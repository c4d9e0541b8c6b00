# Misconception: where nothing counts, the loss is 0 (a small number in the divisor avoids 0 / 0).


def masked_loss(
    output: Tensor, target: Tensor, *, mask: Tensor, weights: Tensor
) -> Tensor:
    if mask.dtype != torch.bool or mask.shape != output[:, 0].shape:
        raise ValueError("mask")
    if weights.shape != (len(output),):
        raise ValueError("weights")
    if not weights.isfinite().all() or (weights < 0).any():
        raise ValueError("weights")
    hidden = mask[:, None].expand_as(output)
    difference = torch.where(hidden, output, 0.0) - torch.where(hidden, target, 0.0)
    errors = difference.square().flatten(1).sum(1)
    counts = hidden.flatten(1).sum(1)
    w = torch.where(counts > 0, weights.to(output.dtype), 0.0)
    return (w * errors / counts.clamp(min=1)).sum() / (w.sum() + 1e-12)
