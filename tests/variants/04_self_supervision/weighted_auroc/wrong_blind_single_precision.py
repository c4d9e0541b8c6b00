# Misconception: single precision is enough to compare scores.


def weighted_auroc(scores: Tensor, is_anomaly: Tensor, weights: Tensor) -> float:
    if scores.dim() != 1 or not scores.shape == is_anomaly.shape == weights.shape:
        raise ValueError("shapes")
    if scores.isnan().any() or not weights.isfinite().all() or (weights < 0).any():
        raise ValueError("values")
    s, w = scores.float(), weights.float()
    a, n = w[is_anomaly], w[~is_anomaly]
    if a.sum() <= 0 or n.sum() <= 0:
        raise ValueError("one class")
    high, low = s[is_anomaly][:, None], s[~is_anomaly]
    wins = (high > low).float() + 0.5 * (high == low).float()
    return (a @ wins @ n / (a.sum() * n.sum())).item()
