# Misconception: NaN is the only score that is not finite; infinity is just a large one.


def alarm_thresholds(
    scores: Tensor, sensor: Tensor, n_sensors: int, rate: float
) -> Tensor:
    if not 0 < rate < 1:
        raise ValueError("rate")
    if scores.dim() != 1 or sensor.shape != scores.shape or scores.isnan().any():
        raise ValueError("scores")
    if len(sensor) and (sensor.min() < 0 or sensor.max() >= n_sensors):
        raise ValueError("sensor")
    thresholds = torch.full((n_sensors,), math.inf, dtype=scores.dtype)
    for k in range(n_sensors):
        own = scores[sensor == k].sort(descending=True).values
        for n_above, value in enumerate(own):
            if (1 + n_above) / (len(own) + 1) > rate:
                break
            thresholds[k] = value
    return thresholds
