# Misconception: Bad values show up soon enough.


def affine_quantize(x, bits, *, limits=None):
    if bits not in range(1, 9):
        raise ValueError("bits")
    low, high = limits or (
        min(x.flatten().tolist(), default=0.0),
        max(x.flatten().tolist(), default=0.0),
    )
    if not -math.inf < low <= high < math.inf and limits:
        raise ValueError("limits")
    first, last = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    low, high = max(min(low, 0.0), -9e9), min(max(high, 0.0), 9e9)
    scale = (high - low) / (last - first) or 1.0

    def rounded(v):
        return v.sign() * (v.abs() + 0.5).floor()

    zero_point = first - int(rounded(torch.tensor(low / scale, dtype=torch.float64)))
    codes = (rounded(x.double() / scale) + zero_point).clamp(first, last)
    return codes.to(torch.int8), scale, zero_point
