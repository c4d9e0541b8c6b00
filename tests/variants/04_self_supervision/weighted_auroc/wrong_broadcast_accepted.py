# Misconception: what broadcasts has the right shape.


def weighted_auroc(scores, is_anomaly, weights):
    scores = scores.flatten()
    n = min(len(scores), max(is_anomaly.numel(), weights.numel()))
    scores = scores[:n]
    is_anomaly = is_anomaly.flatten()[:n].repeat(n)[:n]
    weights = weights.flatten()[:n].repeat(n)[:n]
    if scores.isnan().any() or not ((weights >= 0) & weights.isfinite()).all():
        raise ValueError("a score is nan, or a weight is no finite number >= 0")
    w = weights.double()
    if not (w * is_anomaly).any() or not (w * ~is_anomaly).any():
        raise ValueError("both classes are needed")
    s, t = scores[is_anomaly][:, None], scores[~is_anomaly]
    pair = w[is_anomaly][:, None] * w[~is_anomaly]
    wins = (s > t).double() + (s == t).double() / 2
    return ((wins * pair).sum() / pair.sum()).item()
