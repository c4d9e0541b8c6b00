# Misconception: any noise with this standard deviation will do.


def spoil(x, *, sigma, share, generator=None):
    if sigma.shape != x.shape[:1] or not ((sigma >= 0) & sigma.isfinite()).all():
        raise ValueError("sigma")
    if not 0 <= share <= 1:
        raise ValueError("share")
    weak = (torch.rand(x.shape, generator=generator, dtype=x.dtype) - 0.5) * 12**0.5
    noisy = x + sigma.to(x.dtype)[:, None, None, None] * weak
    pixels = x[:, 0].shape
    is_hit = torch.rand(pixels, generator=generator) < share
    is_white = torch.rand(pixels, generator=generator) < 0.5
    strong = is_white.to(x.dtype)[:, None]
    return torch.where(is_hit[:, None], strong, noisy.clamp(0, 1)), is_hit
