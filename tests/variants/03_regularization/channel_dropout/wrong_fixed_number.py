# Keeps the same number of channels in every example, the likely ones more often.


def channel_dropout(x, keep, *, training, generator=None):
    if keep.shape != x.shape[1:2] or not ((keep >= 0) & (keep <= 1)).all():
        raise ValueError("keep holds a probability for each channel")
    further = (1,) * (x.ndim - 2)
    if not training:
        return x * keep.to(x.dtype).reshape(1, -1, *further)
    edges = torch.cat([torch.zeros(1), keep.double().cumsum(0)])
    start = torch.rand(len(x), 1, generator=generator).double()
    n_before = torch.floor(edges - start)  # systematic sampling: shares are exact
    mask = (n_before[:, 1:] - n_before[:, :-1]).clamp(max=1)
    return x * mask.to(x.dtype).reshape(*mask.shape, *further)
