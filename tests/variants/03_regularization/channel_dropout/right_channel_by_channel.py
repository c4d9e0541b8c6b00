# A loop over the channels; each draws for all examples and zeroes with where.


def channel_dropout(x, keep, *, training, generator=None):
    if keep.ndim != 1 or len(keep) != x.shape[1]:
        raise ValueError("one keep probability for each channel")
    kept = []
    for channel, chance in zip(x.unbind(1), keep.tolist()):
        if not (chance >= 0 and chance <= 1):
            raise ValueError(f"a probability, got {chance}")
        if training:
            stays = (
                torch.rand(len(x), generator=generator, dtype=torch.float64) < chance
            )
            stays = stays.view(-1, *[1] * (channel.ndim - 1))
            kept.append(torch.where(stays, channel, torch.zeros((), dtype=x.dtype)))
        else:
            kept.append(channel * chance)
    return torch.stack(kept, dim=1)
