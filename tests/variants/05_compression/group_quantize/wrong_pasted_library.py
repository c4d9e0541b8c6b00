# The library's symmetric quantize, one grid for each output channel.


def group_quantize(weight, group_size, bits):
    if bits not in range(2, 9) or group_size < 1:
        raise ValueError("bits or group_size")
    if weight.ndim != 2 or weight.numel() == 0 or not weight.is_floating_point():
        raise ValueError("weight")
    if not weight.isfinite().all() or weight.abs().max() > 65504:
        raise ValueError("weight")
    highest, n_groups = 2 ** (bits - 1) - 1, -(-weight.shape[1] // group_size)
    limit = weight.abs().amax(1, keepdim=True)
    scale = torch.where(limit > 0, limit / highest, 1.0)
    codes = (weight / scale).round().clamp(-highest, highest).to(torch.int8)
    n_bits = weight.numel() * bits + 16 * n_groups * len(weight)
    return codes, scale.expand(-1, n_groups).half(), n_bits / weight.numel()
