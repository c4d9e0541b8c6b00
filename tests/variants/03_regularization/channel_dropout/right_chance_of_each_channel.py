# One Bernoulli draw per example and channel, from probabilities laid out in full.


def channel_dropout(x, keep, *, training, generator=None):
    n_channels = x.shape[1]
    if tuple(keep.shape) != (n_channels,):
        raise ValueError(
            f"{tuple(keep.shape)} keep probabilities for {n_channels} channels"
        )
    if not all(0.0 <= chance <= 1.0 for chance in keep.tolist()):
        raise ValueError("a keep probability lies between 0 and 1")
    if not training:
        scale = keep.to(x.dtype)
        return torch.einsum("nc...,c->nc...", x, scale)
    chances = keep.double().repeat(len(x), 1)  # (N, C)
    mask = torch.bernoulli(chances, generator=generator).to(x.dtype)
    return torch.einsum("nc...,nc->nc...", x, mask)
