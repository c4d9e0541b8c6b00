# One uniform number decides hit and colour; images one by one.


def spoil(x, *, sigma, share, generator=None):
    if sigma.ndim != 1 or len(sigma) != len(x):
        raise ValueError("one sigma for each image")
    if not sigma.isfinite().all() or (sigma < 0).any() or not (share >= 0 and share <= 1):
        raise ValueError("sigma at least 0, share from 0 to 1")
    noisy, hits = [], []
    for image, s in zip(x, sigma.tolist()):
        u = torch.rand(image.shape[1:], generator=generator, dtype=torch.float64)
        weak = torch.randn(image.shape, generator=generator).to(x.dtype)
        one = (image + s * weak).clip(0.0, 1.0)
        one = one.masked_fill(u < share, 0.0).masked_fill(u < share / 2, 1.0)
        noisy.append(one)
        hits.append(u < share)
    return torch.stack(noisy), torch.stack(hits)
