# The library: one perplexity for all rows, base e, the diagonal left out.


def row_precisions(squared_distances, bits):
    d, bits = squared_distances.double(), torch.as_tensor(bits, dtype=torch.float64)
    if d.ndim != 2 or not (d >= 0).all():
        raise ValueError("squared_distances")
    if bits.shape not in ((), (len(d),)):
        raise ValueError("bits")
    perplexity = 2 ** bits.mean()
    if not 1 < perplexity < d.shape[1]:
        raise ValueError("perplexity")
    others = torch.eye(*d.shape) < 1
    nearest = torch.where(others, d, math.inf).amin(1, keepdim=True)
    gaps = torch.where(others, d - nearest, math.inf).nan_to_num(posinf=math.inf)
    low, high = torch.zeros(len(d)).double(), torch.full((len(d),), math.inf).double()
    beta = low + 1
    for _ in range(200):
        p = (-beta[:, None] * gaps).softmax(1).nan_to_num()
        is_wide = torch.special.entr(p).sum(1) > perplexity.log()
        low, high = torch.where(is_wide, beta, low), torch.where(is_wide, high, beta)
        beta = torch.where(high < math.inf, (low + high) / 2, 2 * beta)
    return p, beta
