# Misconception: a layer is its numbers, so numpy will do (and no gradient comes back).


def channel_dropout(
    x: Tensor,
    keep: Tensor,
    *,
    training: bool,
    generator: torch.Generator | None = None,
) -> Tensor:
    if keep.shape != (x.shape[1],) or not ((keep >= 0) & (keep <= 1)).all():
        raise ValueError("keep holds one probability for each channel")
    values = x.detach().numpy().copy()
    for c, k in enumerate(keep.tolist()):
        if training:
            is_dropped = torch.rand(len(x), generator=generator) >= k
            values[is_dropped.numpy(), c] = 0
        else:
            values[:, c] *= k
    return torch.from_numpy(values)
