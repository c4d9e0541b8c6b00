# Misconception: a sort puts equal scores in some order, and the curve goes through each of them.


def weighted_auroc(scores, is_anomaly, weights):
    if scores.ndim != 1 or not scores.shape == is_anomaly.shape == weights.shape:
        raise ValueError("shapes")
    if scores.isnan().any() or not ((weights >= 0) & weights.isfinite()).all():
        raise ValueError("a score is nan, or a weight is no finite number >= 0")
    w = weights.double()
    if not (w * is_anomaly).any() or not (w * ~is_anomaly).any():
        raise ValueError("both classes are needed")
    order = scores.argsort(stable=True)
    w, a = w[order], is_anomaly[order]
    below = (w * ~a).cumsum(0)
    return ((w * a * below).sum() / ((w * a).sum() * below[-1])).item()
