# The library's choose_threshold for each sensor: the rate holds on the scores that are given.


def choose_threshold(normal_scores, *, false_alarm_rate):
    scores = normal_scores.detach().flatten()
    ordered = scores.sort().values
    n_allowed = math.floor(false_alarm_rate * len(scores))
    if (n_allowed + 1) / len(scores) <= false_alarm_rate:  # 0.29 * 100 is 28.999...
        n_allowed += 1
    return ordered[len(scores) - 1 - n_allowed].item()


def alarm_thresholds(scores, sensor, n_sensors, rate):
    if not 0 < rate < 1 or not scores.isfinite().all() or sensor.shape != scores.shape:
        raise ValueError("rate, scores or sensor")
    if ((sensor < 0) | (sensor >= n_sensors)).any():
        raise ValueError("no such sensor")
    thresholds = torch.full((n_sensors,), math.inf, dtype=scores.dtype)
    for k in sensor.unique().tolist():
        thresholds[k] = choose_threshold(scores[sensor == k], false_alarm_rate=rate)
    return thresholds
