# The library's spatial_dropout, with a drop probability for each channel.


def channel_dropout(x, keep, *, training, generator=None):
    p = 1 - keep
    if p.shape != x.shape[1:2] or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p is {p!r}, expected probabilities from 0 to 1")
    if not training:
        return x
    shape = x.shape[:2] + (1,) * (x.ndim - 2)  # (N, C, 1, ...)
    p = p.view(1, -1, *shape[2:]).to(x.dtype)
    mask = torch.bernoulli((1 - p).expand(shape), generator=generator)
    return x * mask / (1 - p).clamp(min=1e-9)
