# Misconception: one is added to the number above, and not to the number of all.


def alarm_thresholds(scores, sensor, n_sensors, rate):
    if not 0 < rate < 1 or not scores.isfinite().all() or sensor.shape != scores.shape:
        raise ValueError("rate, scores or sensor")
    if ((sensor < 0) | (sensor >= n_sensors)).any():
        raise ValueError("no such sensor")
    thresholds = torch.full((n_sensors,), math.inf, dtype=scores.dtype)
    for k in range(n_sensors):
        own = scores[sensor == k]
        n_above = (own > own[:, None]).sum(1)
        fits = own[1 + n_above <= rate * len(own)]
        if len(fits):
            thresholds[k] = fits.min()
    return thresholds
