# The sign of each difference, which torch calls 0 also between two infinite scores.


def weighted_auroc(scores: Tensor, is_anomaly: Tensor, weights: Tensor) -> float:
    if scores.dim() != 1 or not scores.shape == is_anomaly.shape == weights.shape:
        raise ValueError("shapes")
    if scores.isnan().any() or not weights.isfinite().all() or (weights < 0).any():
        raise ValueError("values")
    s, w = scores.double(), weights.double()
    a, n = w[is_anomaly], w[~is_anomaly]
    if a.sum() <= 0 or n.sum() <= 0:
        raise ValueError("one class")
    wins = ((s[is_anomaly][:, None] - s[~is_anomaly]).sign() + 1) / 2
    return (a @ wins @ n / (a.sum() * n.sum())).item()
