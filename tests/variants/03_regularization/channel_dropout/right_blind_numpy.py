# The mask from numpy, whose seed is drawn from the generator; the product in PyTorch.


def channel_dropout(
    x: Tensor,
    keep: Tensor,
    *,
    training: bool,
    generator: torch.Generator | None = None,
) -> Tensor:
    import numpy

    k = keep.numpy()
    if k.shape != (x.shape[1],):
        raise ValueError("one entry for each channel")
    if not numpy.all((0 <= k) & (k <= 1)):
        raise ValueError("not between 0 and 1")
    factor = numpy.broadcast_to(k, (x.shape[0], x.shape[1]))
    if training:
        seed = torch.randint(2**62, (1,), generator=generator).item()
        factor = numpy.random.default_rng(seed).random(factor.shape) < k
    factor = torch.tensor(factor.tolist(), dtype=x.dtype)
    return (x.movedim((0, 1), (-2, -1)) * factor).movedim((-2, -1), (0, 1))
