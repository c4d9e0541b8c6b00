# The library's auroc: every example has one vote, whatever its weight.


def roc_curve(scores, is_positive):
    positive = is_positive.bool()
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        raise ValueError("a ROC curve needs both classes")
    thresholds, order = scores.double().sort(descending=True)
    hits = positive[order].double().cumsum(0)
    false_alarms = (~positive[order]).double().cumsum(0)
    is_last_of_tie = torch.ones_like(hits, dtype=torch.bool)
    is_last_of_tie[:-1] = thresholds[1:] != thresholds[:-1]
    zero = hits.new_zeros(1)
    return (
        torch.cat([zero, false_alarms[is_last_of_tie] / n_negative]),
        torch.cat([zero, hits[is_last_of_tie] / n_positive]),
    )


def weighted_auroc(scores, is_anomaly, weights):
    if scores.ndim != 1 or not scores.shape == is_anomaly.shape == weights.shape:
        raise ValueError("shapes")
    if scores.isnan().any() or not ((weights >= 0) & weights.isfinite()).all():
        raise ValueError("a score is nan, or a weight is no finite number >= 0")
    if not (weights * is_anomaly).any() or not (weights * ~is_anomaly).any():
        raise ValueError("both classes are needed")
    false_positive, true_positive = roc_curve(scores, is_anomaly)
    return torch.trapezoid(true_positive, false_positive).item()
