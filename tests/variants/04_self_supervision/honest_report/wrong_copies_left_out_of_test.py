# Misconception: the copies are taken out of the test set instead.


def honest_report(normal, test, is_anomaly, *, n_fit, share, rate):
    is_copy = (test[:, None] == normal).all(2).any(1)
    test, is_anomaly, known = test[~is_copy], is_anomaly[~is_copy], normal
    fitted, rest = known[:n_fit], known[n_fit:]
    mean, std = fitted.mean(0), fitted.std(0, correction=0)
    components, variances = plane((fitted - mean) / std)
    enough = variances.cumsum(0) >= share * variances.sum()
    n_components = int(enough.int().argmax()) + 1
    usual = distance((rest - mean) / std, components[:n_components]).sort().values
    n_allowed = math.floor(rate * len(usual) + 1e-9)
    threshold = usual[len(usual) - 1 - n_allowed]
    alarm = distance((test - mean) / std, components[:n_components]) > threshold
    return dict(
        n_components=n_components,
        threshold=threshold.item(),
        detected=alarm[is_anomaly].double().mean().item(),
        false_alarms=alarm[~is_anomaly].double().mean().item(),
    )
