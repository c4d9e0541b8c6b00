# One value after the other in Python numbers, rounded by hand.


def affine_quantize(x, bits, *, limits=None):
    if not 1 <= bits <= 8 or not x.is_floating_point() or x.numel() == 0:
        raise ValueError("bits from 1 to 8, floating values")
    values = x.flatten().tolist()
    if not all(math.isfinite(v) for v in values):
        raise ValueError("values are finite")
    low, high = (min(values), max(values)) if limits is None else limits
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        raise ValueError("limits are finite and in order")

    def away(v):
        return math.floor(v + 0.5) if v >= 0 else math.ceil(v - 0.5)

    half = 2 ** (bits - 1)
    low, high = min(0.0, low), max(0.0, high)
    scale = (high - low) / (2 * half - 1) if high > low else 1.0
    zero_point = -half - away(low / scale)
    codes = [min(half - 1, max(-half, away(v / scale) + zero_point)) for v in values]
    return torch.tensor(codes, dtype=torch.int8).reshape(x.shape), scale, zero_point
