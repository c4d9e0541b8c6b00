# Misconception: to be safe, the largest score that fulfils the condition.


def alarm_thresholds(scores, sensor, n_sensors, rate):
    if not 0 < rate < 1 or not scores.isfinite().all() or sensor.shape != scores.shape:
        raise ValueError("rate, scores or sensor")
    if ((sensor < 0) | (sensor >= n_sensors)).any():
        raise ValueError("no such sensor")
    thresholds = torch.full((n_sensors,), math.inf, dtype=scores.dtype)
    for k in range(n_sensors):
        own = scores[sensor == k]
        n_above = (own > own[:, None]).sum(1)
        fits = own[1 + n_above <= rate * (len(own) + 1)]
        if len(fits):
            thresholds[k] = fits.max()
    return thresholds
