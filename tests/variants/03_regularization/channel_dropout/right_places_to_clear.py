# Draws which (example, channel) pairs fall, and fills these rows with zero.


def channel_dropout(x, keep, *, training, generator=None):
    if keep.shape != (x.shape[1],) or bool(
        (keep < 0).any() | (keep > 1).any() | keep.isnan().any()
    ):
        raise ValueError(f"keep must hold {x.shape[1]} numbers from 0 to 1")
    if not training:
        return (x.movedim(1, -1) * keep.to(x.dtype)).movedim(-1, 1)
    drawn = torch.rand(x.shape[1], x.shape[0], generator=generator).T
    example, channel = torch.nonzero(drawn >= keep, as_tuple=True)
    y = x.clone()
    y[example, channel] = 0.0
    return y
