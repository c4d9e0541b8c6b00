# The library's masked_mse: one mean over all hidden values, whatever example they are from.


def masked_loss(output, target, *, mask, weights):
    if mask.dtype != torch.bool or mask.shape != output.shape[:1] + output.shape[2:]:
        raise ValueError("the mask has another shape than the data")
    if weights.shape != output.shape[:1] or not ((weights >= 0) & weights.isfinite()).all():
        raise ValueError("weights (N,)")
    hidden = mask[:, None].expand_as(output)
    if not hidden[weights > 0].any():
        raise ValueError("nothing is hidden")
    return (output[hidden] - target[hidden]).square().mean()
