# Misconception: Groups of consecutive weights go through the whole matrix, row after row.


def group_quantize(weight, group_size, bits):
    if bits not in range(2, 9) or group_size < 1:
        raise ValueError("bits or group_size")
    if weight.ndim != 2 or weight.numel() == 0 or not weight.is_floating_point():
        raise ValueError("weight")
    if not weight.isfinite().all():
        raise ValueError("weight")
    most, n = 2 ** (bits - 1) - 1, weight.shape[1]
    flat = weight.double().flatten()
    at = torch.arange(len(flat)) // group_size
    peak = torch.zeros(int(at.max()) + 1, dtype=torch.float64).scatter_reduce(
        0, at, flat.abs(), "amax"
    )
    count = -(-n // group_size)
    each = peak[at].reshape(weight.shape)
    exact = each[:, ::group_size][:, :count] / most
    scales = exact.half()
    if scales.isinf().any():
        raise ValueError("too large")
    stored = (each / most).half().double()
    steps = torch.where(stored > 0, stored, math.inf)
    codes = (weight.double() / steps).round().clamp(-most, most)
    n_bits = weight.numel() * bits + 16 * scales.numel()
    return codes.to(torch.int8), scales, n_bits / weight.numel()
