# The place in the sorted scores, computed from n and the rate.


def alarm_thresholds(scores, sensor, n_sensors, rate):
    if not (rate > 0 and rate < 1):
        raise ValueError(f"rate {rate}")
    if sensor.ndim != 1 or len(sensor) != len(scores) or not scores.isfinite().all():
        raise ValueError("one sensor for each score, and finite scores")
    found = []
    if len(sensor) and not (0 <= int(sensor.min()) and int(sensor.max()) < n_sensors):
        raise ValueError("sensors are 0 ... K - 1")
    for k in range(n_sensors):
        own = scores[sensor == k].sort(descending=True).values
        n_allowed = math.floor(rate * (len(own) + 1) + 1e-9) - 1
        if n_allowed < 0 or len(own) == 0:
            found.append(math.inf)
        else:
            found.append(own[min(n_allowed, len(own) - 1)].item())
    return torch.tensor(found, dtype=scores.dtype)
