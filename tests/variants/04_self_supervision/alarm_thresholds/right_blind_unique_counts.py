# One sensor after the other: its different scores, how many lie above each, the first that holds.


def alarm_thresholds(
    scores: Tensor, sensor: Tensor, n_sensors: int, rate: float
) -> Tensor:
    if not 0 < rate < 1:
        raise ValueError("rate is above 0 and below 1")
    if scores.dim() != 1 or sensor.shape != scores.shape:
        raise ValueError("one sensor for each score")
    if not scores.isfinite().all():
        raise ValueError("scores are finite")
    if ((sensor < 0) | (sensor >= n_sensors)).any():
        raise ValueError("sensors are from 0 to K - 1")
    thresholds = torch.full((n_sensors,), math.inf, dtype=scores.dtype)
    for k in range(n_sensors):
        own = scores[sensor == k]
        values, counts = own.unique(return_counts=True)  # in ascending order
        above = len(own) - counts.cumsum(0)
        for value, n_above in zip(values, above.tolist()):
            if (1 + n_above) / (len(own) + 1) <= rate:
                thresholds[k] = value
                break
    return thresholds
