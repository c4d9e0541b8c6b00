# Copies by a set of rows, the plane by a singular value decomposition, a loop for the threshold.


def honest_report(normal, test, is_anomaly, *, n_fit, share, rate):
    seen = set(map(tuple, test.tolist()))
    rows = [i for i, row in enumerate(normal.tolist()) if tuple(row) not in seen]
    learned, held_out = normal[rows[:n_fit]], normal[rows[n_fit:]]
    centre = learned.mean(0)
    scale = ((learned - centre) ** 2).mean(0) ** 0.5
    _, s, v = torch.linalg.svd((learned - centre) / scale, full_matrices=False)
    n_components, explained = 0, 0.0
    while explained < share:
        explained += (s[n_components] ** 2 / (s**2).sum()).item()
        n_components += 1

    def score(x):
        return distance((x - centre) / scale, v[:n_components]).tolist()

    usual = sorted(score(held_out))
    for threshold in usual:
        if sum(u > threshold for u in usual) / len(usual) <= rate:
            break
    hits = {True: [], False: []}
    for s, anomaly in zip(score(test), is_anomaly.tolist()):
        hits[anomaly].append(float(s > threshold))
    detected, false_alarms = (sum(hits[k]) / len(hits[k]) for k in (True, False))
    return dict(
        n_components=n_components,
        threshold=threshold,
        detected=detected,
        false_alarms=false_alarms,
    )
