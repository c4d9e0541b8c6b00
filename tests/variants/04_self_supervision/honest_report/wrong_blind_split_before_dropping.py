# Misconception: the first n_fit rows are counted before the copies are dropped.


def honest_report(
    normal: Tensor,
    test: Tensor,
    is_anomaly: Tensor,
    *,
    n_fit: int,
    share: float,
    rate: float,
) -> dict[str, float]:
    first, rest = normal[:n_fit], normal[n_fit:]
    fit = first[~(first[:, None] == test).all(2).any(1)]
    held_out = rest[~(rest[:, None] == test).all(2).any(1)]
    mean, std = fit.mean(0), fit.std(0, correction=0)
    components, variances = plane((fit - mean) / std)
    explained = [variances[: k + 1].sum() for k in range(len(variances))]
    n_components = 1 + sum(bool(e < share * variances.sum()) for e in explained)
    used = components[:n_components]
    held = distance((held_out - mean) / std, used).sort().values
    above = (held > held[:, None]).double().mean(1)
    threshold = held[above <= rate][0]
    score = distance((test - mean) / std, used)
    return dict(
        n_components=n_components,
        threshold=threshold.item(),
        detected=(score[is_anomaly] > threshold).double().mean().item(),
        false_alarms=(score[~is_anomaly] > threshold).double().mean().item(),
    )
