# Misconception: each channel is hit on its own; is_hit says where any of them was.


def spoil(x, *, sigma, share, generator=None):
    if sigma.shape != x.shape[:1] or not ((sigma >= 0) & sigma.isfinite()).all():
        raise ValueError("sigma")
    if not 0 <= share <= 1:
        raise ValueError("share")
    weak = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    noisy = x + sigma.to(x.dtype)[:, None, None, None] * weak
    pixels = x[:, 0].shape
    hit = torch.rand(x.shape, generator=generator) < 1 - (1 - share) ** (1 / x.shape[1])
    is_white = torch.rand(pixels, generator=generator) < 0.5
    strong = is_white.to(x.dtype)[:, None]
    return torch.where(hit, strong, noisy.clamp(0, 1)), hit.any(1)
