# Each anomaly looks its score up among the sorted normal scores, from the left and from the right.


def weighted_auroc(scores: Tensor, is_anomaly: Tensor, weights: Tensor) -> float:
    if scores.dim() != 1:
        raise ValueError("scores are (N,)")
    if is_anomaly.shape != scores.shape or weights.shape != scores.shape:
        raise ValueError("one shape (N,) for all three")
    if scores.isnan().any():
        raise ValueError("a score is NaN")
    weights = weights.detach().double()
    if not weights.isfinite().all() or (weights < 0).any():
        raise ValueError("weights are finite and not negative")
    is_anomaly, scores = is_anomaly.bool(), scores.detach()
    ours, theirs = weights[is_anomaly], weights[~is_anomaly]
    if not (ours > 0).any() or not (theirs > 0).any():
        raise ValueError("both kinds need weight")
    ours, theirs = ours / ours.max(), theirs / theirs.max()
    normal, order = scores[~is_anomaly].sort()
    below = torch.cat([torch.zeros(1, dtype=torch.float64), theirs[order].cumsum(0)])
    asked = scores[is_anomaly].contiguous()
    lower = below[torch.searchsorted(normal, asked)]
    upper = below[torch.searchsorted(normal, asked, right=True)]
    won = (ours * (lower + upper)).sum() / 2
    return (won / (ours.sum() * below[-1])).item()
