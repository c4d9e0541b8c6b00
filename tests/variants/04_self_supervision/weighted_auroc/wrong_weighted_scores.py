# Misconception: a weight multiplies the score.


def weighted_auroc(scores, is_anomaly, weights):
    if scores.ndim != 1 or not scores.shape == is_anomaly.shape == weights.shape:
        raise ValueError("shapes")
    if scores.isnan().any() or not ((weights >= 0) & weights.isfinite()).all():
        raise ValueError("a score is nan, or a weight is no finite number >= 0")
    w = weights.double()
    if not (w * is_anomaly).any() or not (w * ~is_anomaly).any():
        raise ValueError("both classes are needed")
    s, t = (scores * weights)[is_anomaly][:, None], (scores * weights)[~is_anomaly]
    pair = torch.ones(s.shape[0], t.shape[0], dtype=torch.float64)
    wins = (s > t).double() + (s == t).double() / 2
    return ((wins * pair).sum() / pair.sum()).item()
