# Misconception: The limits are only for clipping.


def affine_quantize(x, bits, *, limits=None):
    if bits not in range(1, 9):
        raise ValueError("bits")
    if not x.is_floating_point() or x.numel() == 0 or not x.isfinite().all():
        raise ValueError("x")
    low, high = limits or (x.min().item(), x.max().item())
    if not -math.inf < low <= high < math.inf:
        raise ValueError("limits")
    first, last = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    low, high = min(x.min().item(), 0.0), max(x.max().item(), 0.0)
    scale = (high - low) / (last - first) or 1.0

    def rounded(v):
        return v.sign() * (v.abs() + 0.5).floor()

    zero_point = first - int(rounded(torch.tensor(low / scale, dtype=torch.float64)))
    codes = (rounded(x.double().clamp(*limits or (low, high)) / scale) + zero_point).clamp(
        first, last
    )
    return codes.to(torch.int8), scale, zero_point
