# Misconception: held-out rows may be used for mean and scale, as they are normal.


def honest_report(normal, test, is_anomaly, *, n_fit, share, rate):
    is_copy = (normal[:, None] == test).all(2).any(1)
    known = normal[~is_copy]
    fitted, rest = known[:n_fit], known[n_fit:]
    mean, std = known.mean(0), known.std(0, correction=0)
    own = (fitted - mean) / std
    components, variances = plane(own - own.mean(0))
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
