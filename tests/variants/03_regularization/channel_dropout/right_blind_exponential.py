# Exponential waiting times: one is over before -log(1 - keep) with probability keep.


def channel_dropout(
    x: Tensor,
    keep: Tensor,
    *,
    training: bool,
    generator: torch.Generator | None = None,
) -> Tensor:
    if keep.shape != x.shape[1:2]:
        raise ValueError("one probability for each channel")
    if not bool(((keep >= 0) & (keep <= 1)).all()):
        raise ValueError("probabilities lie from 0 to 1")
    keep = keep.double()
    if training:
        waiting = torch.empty(x.shape[:2], dtype=torch.float64).exponential_(generator=generator)
        factor = (waiting < -torch.log1p(-keep)).double()
    else:
        factor = keep.expand(x.shape[:2])
    return torch.einsum("nc...,nc->nc...", x.double(), factor).to(x.dtype)
