# Misconception: after the channels come height and width, or nothing.


def channel_dropout(
    x: Tensor,
    keep: Tensor,
    *,
    training: bool,
    generator: torch.Generator | None = None,
) -> Tensor:
    if keep.shape != (x.shape[1],) or not ((keep >= 0) & (keep <= 1)).all():
        raise ValueError("keep holds one probability for each channel")
    shape = (1, -1) + (1,) * (x.dim() - 2)
    if x.dim() == 2:
        x4 = x[:, :, None, None]
    elif x.dim() == 3:
        x4 = x[:, :, :, None]
    else:
        x4 = x
    factor = keep[None, :, None, None].to(x.dtype)
    if training:
        u = torch.rand(x.shape[0], x.shape[1], 1, 1, generator=generator)
        factor = (u < keep[None, :, None, None]).to(x.dtype)
    return (x4 * factor).reshape(x.shape)
