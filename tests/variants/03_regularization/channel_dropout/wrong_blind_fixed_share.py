# Misconception: a probability of 0.7 drops exactly 30 % of the examples.


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
    if not training:
        return (x * keep.view(shape)).to(x.dtype)
    n, mask = len(x), torch.zeros(x.shape[:2], dtype=torch.bool)
    for c, k in enumerate(keep.tolist()):
        mask[torch.randperm(n, generator=generator)[: round(k * n)], c] = True
    return x * mask.view(n, *shape[1:])
