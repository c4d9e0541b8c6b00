# p(s) just above every different score, by a search in the sorted scores.


def alarm_thresholds(scores, sensor, n_sensors, rate):
    import bisect

    if math.isnan(rate) or rate <= 0 or rate >= 1:
        raise ValueError("rate")
    if scores.shape != sensor.shape:
        raise ValueError("shapes")
    own = {k: [] for k in range(n_sensors)}
    for s, k in zip(scores.tolist(), sensor.tolist()):
        if not math.isfinite(s) or k not in own:
            raise ValueError("score or sensor")
        bisect.insort(own[k], s)
    result = []
    for k, row in own.items():
        threshold = math.inf
        for x in sorted(set(row), reverse=True):
            above = len(row) - bisect.bisect_right(row, x)
            if (1 + above) / (1 + len(row)) > rate:
                break
            threshold = x
        result.append(threshold)
    return torch.tensor(result).to(scores.dtype) if not result else scores.new_tensor(result)
