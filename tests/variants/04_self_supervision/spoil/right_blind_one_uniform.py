# torch.normal with a mean for each value; one uniform number decides on hit, black and white.


def spoil(
    x: Tensor,
    *,
    sigma: Tensor,
    share: float,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    n, _, height, width = x.shape
    if sigma.shape != (n,):
        raise ValueError("sigma is (N,)")
    if not bool(torch.all(sigma.isfinite() & (sigma >= 0))):
        raise ValueError("sigma is finite and not negative")
    if not 0 <= share <= 1:
        raise ValueError("share is from 0 to 1")
    std = sigma.detach().to(x.dtype).reshape(n, 1, 1, 1).expand(x.shape)
    noisy = torch.normal(x.detach(), std, generator=generator).clamp(0, 1)
    fate = torch.rand(n, height, width, generator=generator, dtype=torch.float64)
    is_hit = fate < share
    noisy = noisy.masked_fill((fate < share / 2)[:, None], 0.0)
    noisy = noisy.masked_fill((is_hit & (fate >= share / 2))[:, None], 1.0)
    return noisy, is_hit
