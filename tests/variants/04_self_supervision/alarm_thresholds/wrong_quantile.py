# Misconception: the quantile, interpolated between two scores.


def alarm_thresholds(scores, sensor, n_sensors, rate):
    if not 0 < rate < 1 or not scores.isfinite().all() or sensor.shape != scores.shape:
        raise ValueError("rate, scores or sensor")
    if ((sensor < 0) | (sensor >= n_sensors)).any():
        raise ValueError("no such sensor")
    thresholds = torch.full((n_sensors,), math.inf, dtype=scores.dtype)
    for k in range(n_sensors):
        own = scores[sensor == k]
        if 1 <= rate * (len(own) + 1):
            thresholds[k] = own.quantile(1 - rate)
    return thresholds
