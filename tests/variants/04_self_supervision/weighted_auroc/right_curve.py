# The weighted ROC curve, one point for each score, and its area by trapezoids.


def weighted_auroc(scores, is_anomaly, weights):
    shape = (len(scores),)
    if scores.shape != shape or is_anomaly.shape != shape or weights.shape != shape:
        raise ValueError("one label and one weight for each score")
    if scores.isnan().any() or not weights.isfinite().all() or (weights < 0).any():
        raise ValueError("nan, or a weight that is negative or infinite")
    order = scores.argsort(descending=True)
    w, s, a = weights[order].double(), scores[order], is_anomaly[order]
    hits, alarms = (w * a).cumsum(0), (w * ~a).cumsum(0)
    if hits[-1] == 0 or alarms[-1] == 0:
        raise ValueError("one class alone has no curve")
    last = torch.cat([s[1:] != s[:-1], torch.tensor([True])])
    zero = torch.zeros(1, dtype=torch.float64)
    hits, alarms = torch.cat([zero, hits[last]]), torch.cat([zero, alarms[last]])
    return float(torch.trapezoid(hits / hits[-1], alarms / alarms[-1]))
