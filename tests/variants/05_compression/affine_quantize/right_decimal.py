# Every value as an exact decimal number, rounded half up in size.

from decimal import ROUND_HALF_UP, Decimal


def affine_quantize(x, bits, *, limits=None):
    if isinstance(bits, bool) or bits not in range(1, 9):
        raise ValueError(f"bits is {bits}, expected 1 to 8")
    if not x.is_floating_point() or not x.numel() or not x.isfinite().all():
        raise ValueError("x must be floating, not empty and finite")
    if limits is None:
        low, high = x.min().item(), x.max().item()
    else:
        if len(limits) != 2:
            raise ValueError("limits are two numbers")
        low, high = (float(limit) for limit in limits)
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError("limits must be finite, low at most high")
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (2**bits - 1) if high > low else 1.0
    lowest, highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def nearest(value):
        return int(Decimal(value).quantize(Decimal(1), rounding=ROUND_HALF_UP))

    zero_point = lowest - nearest(low / scale)
    codes = [
        min(max(nearest(v / scale) + zero_point, lowest), highest) for v in x.flatten().tolist()
    ]
    return torch.tensor(codes, dtype=torch.int8).view(x.shape), scale, zero_point
