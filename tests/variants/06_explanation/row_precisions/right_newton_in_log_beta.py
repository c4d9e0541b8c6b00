# Newton steps for log beta with the variance of the distances, kept inside a bracket.


def row_precisions(squared_distances, bits):

    d, bits = squared_distances.double(), torch.as_tensor(bits, dtype=torch.float64)
    if d.dim() != 2 or d.isnan().any() or (d < 0).any():
        raise ValueError("squared_distances")
    if bits.dim() > 1 or (bits.dim() == 1 and len(bits) != len(d)):
        raise ValueError("bits")
    bits = bits.expand(len(d))

    counts = d.isfinite()
    near = d.min(1).values
    if not counts.any(1).all():
        raise ValueError("nothing counts")
    at_least = (d == near[:, None]).sum(1).double().log2()
    at_most = counts.sum(1).double().log2()
    if not ((bits > at_least) & (bits < at_most)).all():
        raise ValueError("out of reach")
    gap = torch.where(counts, d - near[:, None], 0.0)
    unit = gap.amax(1)
    gap = gap / unit[:, None]
    low, high = torch.full_like(unit, -60.0), torch.full_like(unit, 60.0)
    log_beta = torch.zeros_like(unit)
    for _ in range(200):
        beta = log_beta.exp()
        w = torch.where(counts, (-beta[:, None] * gap).exp(), 0.0)
        p = w / w.sum(1, keepdim=True)
        h = -(p * torch.where(p > 0, p, 1.0).log()).sum(1)
        mean = (p * gap).sum(1)
        variance = (p * (gap - mean[:, None]).square()).sum(1)
        off = h - bits * math.log(2)
        low = torch.where(off > 0, log_beta, low)
        high = torch.where(off > 0, high, log_beta)
        step = log_beta + off / (beta.square() * variance).clamp(min=1e-300)
        is_inside = (step > low) & (step < high)
        log_beta = torch.where(is_inside, step, (low + high) / 2)
    return p, log_beta.exp() / math.log(2) / unit
