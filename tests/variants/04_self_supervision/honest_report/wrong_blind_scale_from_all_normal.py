# Misconception: held-out rows are normal, too, so means and standard deviations may come from all normal rows.


def honest_report(
    normal: Tensor,
    test: Tensor,
    is_anomaly: Tensor,
    *,
    n_fit: int,
    share: float,
    rate: float,
) -> dict[str, float]:
    normal = normal[~(normal[:, None] == test).all(2).any(1)]
    fit, held_out = normal[:n_fit], normal[n_fit:]
    mean, std = normal.mean(0), normal.std(0, correction=0)
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
