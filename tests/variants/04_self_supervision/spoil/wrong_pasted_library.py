# The library's add_noise: salt-and-pepper where share is above zero, else Gaussian; where it changed.


def add_noise(x, *, kind, amount, generator=None):
    if kind == "gaussian":
        return x + amount * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    hit = torch.rand(x.shape, generator=generator) < amount
    white = torch.rand(x.shape, generator=generator) < 0.5
    return torch.where(hit, white.to(x.dtype), x)


def spoil(x, *, sigma, share, generator=None):
    if sigma.shape != x.shape[:1] or not ((sigma >= 0) & sigma.isfinite()).all():
        raise ValueError("sigma")
    if not 0 <= share <= 1:
        raise ValueError("share")
    weak = add_noise(x, kind="gaussian", amount=sigma.mean().item(), generator=generator)
    noisy = add_noise(weak, kind="salt_and_pepper", amount=share, generator=generator)
    return noisy, (noisy != weak).any(1)
