# scikit-learn's roc_auc_score, which takes weights.


def weighted_auroc(scores, is_anomaly, weights):
    if scores.ndim != 1 or not scores.shape == is_anomaly.shape == weights.shape:
        raise ValueError("shapes")
    if scores.isnan().any() or not ((weights >= 0) & weights.isfinite()).all():
        raise ValueError("a score is nan, or a weight is no finite number >= 0")
    w = weights.double()
    if not (w * is_anomaly).any() or not (w * ~is_anomaly).any():
        raise ValueError("both classes are needed")
    from sklearn.metrics import roc_auc_score

    finite = scores.double().clamp(-1e300, 1e300)
    return float(roc_auc_score(is_anomaly.numpy(), finite.numpy(), sample_weight=w.numpy()))
