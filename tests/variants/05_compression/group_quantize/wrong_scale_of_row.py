# Misconception: The scale of a group is that of its row.


def group_quantize(weight, group_size, bits):
    if bits not in range(2, 9) or group_size < 1:
        raise ValueError("bits or group_size")
    if weight.ndim != 2 or weight.numel() == 0 or not weight.is_floating_point():
        raise ValueError("weight")
    if not weight.isfinite().all():
        raise ValueError("weight")
    most, n = 2 ** (bits - 1) - 1, weight.shape[1]
    groups = F.pad(weight.double(), (0, -n % group_size)).unflatten(1, (-1, group_size))
    exact = groups.abs().amax((1, 2))[:, None].expand(groups.shape[:2]) / most
    scales = exact.half()
    if scales.isinf().any():
        raise ValueError("too large")
    steps = torch.where(scales > 0, scales.double(), math.inf)
    codes = (groups / steps[:, :, None]).round().clamp(-most, most)
    n_bits = weight.numel() * bits + 16 * scales.numel()
    return codes.flatten(1)[:, :n].to(torch.int8), scales, n_bits / weight.numel()
