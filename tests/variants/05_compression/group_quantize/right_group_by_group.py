# A loop over the groups of a row, with slices and no padding, half rounded up.


def group_quantize(weight, group_size, bits):
    if not 2 <= bits <= 8 or group_size < 1:
        raise ValueError("2 to 8 bits, groups of one weight or more")
    if weight.dim() != 2 or not weight.is_floating_point() or weight.numel() == 0:
        raise ValueError("a matrix of floating-point numbers")
    if not torch.isfinite(weight).all():
        raise ValueError("finite weights")
    most = 2 ** (bits - 1) - 1
    codes = torch.zeros(weight.shape, dtype=torch.int8)
    scales = []
    for start in range(0, weight.shape[1], group_size):
        group = weight[:, start : start + group_size].double()
        scale = (group.abs().max(dim=1).values / most).to(torch.float16)
        if not torch.isfinite(scale).all():
            raise ValueError("a scale beyond float16")
        used = scale > 0
        v = group[used] / scale[used, None].double()
        codes[used, start : start + group_size] = (
            torch.floor(v + 0.5).clamp(min=-most, max=most).to(torch.int8)
        )
        scales.append(scale)
    scales = torch.stack(scales, dim=1)
    return codes, scales, bits + 16 * scales.shape[1] / weight.shape[1]
