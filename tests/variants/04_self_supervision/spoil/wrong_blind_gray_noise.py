# Misconception: weak noise, too, is one number for each pixel, the same in all channels.


def spoil(
    x: Tensor,
    *,
    sigma: Tensor,
    share: float,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    if sigma.shape != x.shape[:1] or not sigma.isfinite().all() or (sigma < 0).any():
        raise ValueError("sigma")
    if not 0 <= share <= 1:
        raise ValueError("share")
    noise = torch.randn(x[:, :1].shape, generator=generator, dtype=x.dtype)
    noisy = (x + sigma.to(x.dtype)[:, None, None, None] * noise).clamp(0, 1)
    is_hit = torch.rand(x[:, 0].shape, generator=generator) < share
    white = torch.rand(x[:, 0].shape, generator=generator) < 0.5
    return torch.where(is_hit[:, None], white[:, None].to(x.dtype), noisy), is_hit
