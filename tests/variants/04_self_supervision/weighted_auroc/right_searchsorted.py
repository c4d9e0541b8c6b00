# Weight of normal examples below, and up to, each anomaly, by binary search.


def weighted_auroc(scores, is_anomaly, weights):
    if scores.ndim != 1 or scores.shape != is_anomaly.shape or scores.shape != weights.shape:
        raise ValueError("scores, is_anomaly, weights: (N,)")
    if scores.isnan().any():
        raise ValueError("nan")
    if (weights < 0).any() or not torch.isfinite(weights).all():
        raise ValueError("weights")
    normal, order = scores[~is_anomaly].sort()
    mass = weights[~is_anomaly].double()[order]
    own, asked = weights[is_anomaly].double(), scores[is_anomaly].contiguous()
    if mass.sum() <= 0 or own.sum() <= 0:
        raise ValueError("two classes, please")
    upto = torch.cat([torch.zeros(1, dtype=torch.float64), mass.cumsum(0)])
    left = upto[torch.searchsorted(normal, asked)]
    right = upto[torch.searchsorted(normal, asked, right=True)]
    share = (left + right) / 2 / upto[-1]
    return ((own * share).sum() / own.sum()).item()
