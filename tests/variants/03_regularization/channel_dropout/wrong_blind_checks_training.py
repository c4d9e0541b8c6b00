# Misconception: keep needs a check only where masks are drawn.


def channel_dropout(
    x: Tensor,
    keep: Tensor,
    *,
    training: bool,
    generator: torch.Generator | None = None,
) -> Tensor:
    shape = (1, -1) + (1,) * (x.dim() - 2)
    if not training:
        return (x * keep.view(shape)).to(x.dtype)
    if keep.shape != (x.shape[1],) or not ((keep >= 0) & (keep <= 1)).all():
        raise ValueError("keep holds one probability for each channel")
    mask = torch.rand(x.shape[0], x.shape[1], generator=generator) < keep
    return x * mask.view(x.shape[0], *shape[1:])
