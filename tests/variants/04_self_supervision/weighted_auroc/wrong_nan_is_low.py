# Misconception: NaN can be taken for a very low score.


def weighted_auroc(scores, is_anomaly, weights):
    if scores.ndim != 1 or not scores.shape == is_anomaly.shape == weights.shape:
        raise ValueError("shapes")
    scores = torch.where(scores.isnan(), -torch.inf, scores)
    if not ((weights >= 0) & weights.isfinite()).all():
        raise ValueError("a score is nan, or a weight is no finite number >= 0")
    w = weights.double()
    if not (w * is_anomaly).any() or not (w * ~is_anomaly).any():
        raise ValueError("both classes are needed")
    s, t = scores[is_anomaly][:, None], scores[~is_anomaly]
    pair = w[is_anomaly][:, None] * w[~is_anomaly]
    wins = (s > t).double() + (s == t).double() / 2
    return ((wins * pair).sum() / pair.sum()).item()
