# Misconception: hit with probability share means that exactly this share of each image's pixels is hit.


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
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    noisy = (x + sigma.to(x.dtype)[:, None, None, None] * noise).clamp(0, 1)
    n, _, h, w = x.shape
    rank = torch.rand(n, h * w, generator=generator).argsort(1).argsort(1)
    is_hit = (rank < round(share * h * w)).view(n, h, w)
    white = torch.rand(n, h, w, generator=generator) < 0.5
    return torch.where(is_hit[:, None], white[:, None].to(x.dtype), noisy), is_hit
