# Dropped channels are subtracted outside the graph, so they still send a gradient.


def channel_dropout(
    x: Tensor,
    keep: Tensor,
    *,
    training: bool,
    generator: torch.Generator | None = None,
) -> Tensor:
    if keep.shape != x.shape[1:2] or not ((keep >= 0) & (keep <= 1)).all():
        raise ValueError(f"keep holds a probability for each channel, got {keep}")
    factor = keep.expand(x.shape[:2])  # (N, C)
    if training:
        factor = torch.rand(x.shape[:2], generator=generator) < keep
    further = (1,) * (x.ndim - 2)
    factor = factor.to(x.dtype).reshape(*x.shape[:2], *further)
    return x - (x * (1 - factor)).detach()
