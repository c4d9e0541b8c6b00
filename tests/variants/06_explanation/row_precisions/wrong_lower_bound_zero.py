# Misconception: Any entropy above 0 can be reached.


def row_precisions(squared_distances: Tensor, bits: float | Tensor) -> tuple[Tensor, Tensor]:
    d = squared_distances
    bits = torch.as_tensor(bits, dtype=torch.float64)
    if d.ndim != 2 or not (d >= 0).all():
        raise ValueError("squared_distances: expected (n, m), none below 0 or nan")
    if bits.shape not in ((), (len(d),)):
        raise ValueError(f"bits has shape {tuple(bits.shape)}, expected () or (n,)")
    is_nearest = d == d.amin(1, keepdim=True)
    most, least = (s.sum(1).double().log2() for s in (d.isfinite(), is_nearest))
    if not ((0 < bits) & (bits < most)).all():
        raise ValueError("the bits of a row are out of reach for its distances")
    low, high = torch.zeros_like(most), torch.full_like(most, math.inf)
    beta = torch.ones_like(most)
    for _ in range(200):
        p = (-beta[:, None] * d * math.log(2)).softmax(1)  # takes the largest away
        is_wide = torch.special.entr(p).sum(1) > bits * math.log(2)
        low, high = torch.where(is_wide, beta, low), torch.where(is_wide, high, beta)
        beta = torch.where(high < math.inf, (low + high) / 2, 2 * beta)
    return p, beta
