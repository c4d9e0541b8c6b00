# NumPy with a seed from the generator; indices of hit pixels get a coin each.


def spoil(x, *, sigma, share, generator=None):
    import numpy as np

    seed = int(torch.randint(2**31, (), generator=generator))
    rng, s = np.random.default_rng(seed), np.asarray(sigma)
    if s.shape != (len(x),) or not np.isfinite(s).all() or (s < 0).any():
        raise ValueError("sigma")
    if np.isnan(share) or share < 0 or share > 1:
        raise ValueError("share")
    values = np.asarray(x) + rng.normal(size=x.shape) * s.reshape(-1, 1, 1, 1)
    values = np.minimum(np.maximum(values, 0), 1)
    hit = rng.random((x.shape[0], *x.shape[2:])) < share
    n, i, j = np.nonzero(hit)
    values[n, :, i, j] = rng.integers(0, 2, len(n))[:, None]
    return torch.from_numpy(values).to(x.dtype), torch.from_numpy(hit)
