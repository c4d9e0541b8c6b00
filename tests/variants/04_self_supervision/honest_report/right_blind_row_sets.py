# Rows as tuples in a set; the threshold by trying the held-out scores from the lowest up.


def honest_report(
    normal: Tensor,
    test: Tensor,
    is_anomaly: Tensor,
    *,
    n_fit: int,
    share: float,
    rate: float,
) -> dict[str, float]:
    known = {tuple(row) for row in test.tolist()}
    keep = [i for i, row in enumerate(normal.tolist()) if tuple(row) not in known]
    fit, held_out = normal[keep[:n_fit]], normal[keep[n_fit:]]
    mean, std = fit.mean(0), fit.std(0, correction=0)
    components, variances = plane((fit - mean) / std)
    n_components = 1
    while (
        n_components < len(variances)
        and variances[:n_components].sum() / variances.sum() < share
    ):
        n_components += 1
    held, asked = (
        distance((rows - mean) / std, components[:n_components]).tolist()
        for rows in (held_out, test)
    )
    for threshold in sorted(held):
        if sum(score > threshold for score in held) / len(held) <= rate:
            break
    alarms = {True: [], False: []}
    for score, label in zip(asked, is_anomaly.tolist()):
        alarms[bool(label)].append(score > threshold)
    detected, false_alarms = (
        sum(alarms[kind]) / len(alarms[kind]) if alarms[kind] else math.nan
        for kind in (True, False)
    )
    return dict(
        n_components=n_components,
        threshold=threshold,
        detected=detected,
        false_alarms=false_alarms,
    )
