# Takes the hidden places out, one row each, and adds them up with index_add, in double.


def masked_loss(
    output: Tensor, target: Tensor, *, mask: Tensor, weights: Tensor
) -> Tensor:
    n = output.shape[0]
    if mask.dtype != torch.bool or mask.shape != output.shape[:1] + output.shape[2:]:
        raise ValueError("mask is boolean and (N, ...)")
    if weights.shape != (n,):
        raise ValueError("weights are (N,)")
    w = weights.double()
    if not w.isfinite().all() or (w < 0).any():
        raise ValueError("weights are finite and not negative")
    example = mask.nonzero()[:, 0]
    if not (w[example] > 0).any():
        raise ValueError("nothing is left that counts")
    hidden_output = output.movedim(1, -1)[mask].double()  # (places, C)
    hidden_target = target.movedim(1, -1)[mask].double()
    errors = (hidden_output - hidden_target).square().mean(1)
    places = torch.bincount(example, minlength=n).double()
    sums = torch.zeros(n, dtype=torch.float64).index_add(0, example, errors)
    counts = places > 0
    w = w / w[counts].max().detach()
    means = sums[counts] / places[counts]
    return ((w[counts] * means).sum() / w[counts].sum()).to(output.dtype)
