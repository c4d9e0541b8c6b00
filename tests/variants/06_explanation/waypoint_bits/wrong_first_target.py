# Misconception: All rows have one target.


def waypoint_bits(
    model,
    x: Tensor,
    target: int | Tensor,
    *,
    baseline: Tensor,
    waypoint: Tensor,
    n_intervals: int,
) -> tuple[Tensor, Tensor]:
    if n_intervals < 2 or n_intervals % 2:
        raise ValueError(f"n_intervals is {n_intervals}, expected an even number")
    if not {baseline.shape, waypoint.shape} <= {x.shape, x.shape[1:]}:
        raise ValueError("baseline and waypoint: expected the shape of x or of a row")
    target = torch.as_tensor(target).flatten()[:1].expand(len(x))
    n_classes = model(x).shape[1]
    if not ((target >= 0) & (target < n_classes)).all():
        raise ValueError(f"a target is not from 0 to {n_classes - 1}")

    def f(rows: Tensor) -> Tensor:
        log_p = model(rows).log_softmax(1) / math.log(2)
        return log_p.gather(1, target[:, None])[:, 0]

    corners = [baseline.expand_as(x), waypoint.expand_as(x), x]
    attribution = torch.zeros_like(x)
    for start, end in zip(corners, corners[1:]):
        for i in range(n_intervals + 1):
            is_end = i in (0, n_intervals)
            weight = (1 if is_end else 2 + 2 * (i % 2)) / (3 * n_intervals)
            rows = (start + i / n_intervals * (end - start)).detach().requires_grad_()
            (slope,) = torch.autograd.grad(f(rows).sum(), rows)
            attribution += weight * slope * (end - start)
    saved = f(x) - f(corners[0])
    return attribution, (attribution.flatten(1).sum(1) - saved).detach()
