# Misconception: one threshold from all scores, for every sensor that has scores.


def alarm_thresholds(scores, sensor, n_sensors, rate):
    if not 0 < rate < 1 or not scores.isfinite().all() or sensor.shape != scores.shape:
        raise ValueError("rate, scores or sensor")
    if ((sensor < 0) | (sensor >= n_sensors)).any():
        raise ValueError("no such sensor")
    thresholds = torch.full((n_sensors,), math.inf, dtype=scores.dtype)
    n_allowed = math.floor(rate * (len(scores) + 1)) - 1
    if n_allowed >= 0 and len(scores):
        thresholds[sensor.unique()] = scores.sort(descending=True).values[n_allowed]
    return thresholds
