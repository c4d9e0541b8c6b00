# The range is where limits and data overlap.


def affine_quantize(x, bits, *, limits=None):
    if bits not in range(1, 9):
        raise ValueError("bits")
    if not x.is_floating_point() or x.numel() == 0 or not x.isfinite().all():
        raise ValueError("x")
    if limits is not None:
        low, high = limits
        low, high = max(low, x.min().item()), min(high, x.max().item())
        if not math.isfinite(low) or not math.isfinite(high) or limits[0] > limits[1]:
            raise ValueError("limits")
    else:
        low, high = x.min().item(), x.max().item()
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (2**bits - 1) if high > low else 1.0
    lowest, highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def away(v):
        return v.sign() * (v.abs() + 0.5).floor()

    v = x.double() / scale
    zero_point = lowest - int(away(torch.tensor(low / scale, dtype=torch.float64)))
    codes = (away(v) + zero_point).clamp(lowest, highest)
    return codes.to(torch.int8), scale, zero_point
