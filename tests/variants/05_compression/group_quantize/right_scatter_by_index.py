# The number of its group for each column; the largest by scatter_reduce, the scale of each weight by gather, in float32.


def group_quantize(weight, group_size, bits):
    if bits not in (2, 3, 4, 5, 6, 7, 8):
        raise ValueError("bits")
    if group_size <= 0:
        raise ValueError("group_size")
    if weight.ndim != 2 or min(weight.shape) == 0 or not weight.is_floating_point():
        raise ValueError("weight")
    if weight.isnan().any() or weight.isinf().any():
        raise ValueError("weight")
    m, n = weight.shape
    most = 2 ** (bits - 1) - 1
    group = (torch.arange(n) // group_size).expand(m, n)
    n_groups = int(group.max()) + 1
    peak = torch.zeros(m, n_groups).scatter_reduce(1, group, weight.abs().float(), "amax")
    scales = (peak / most).half()
    if (scales == math.inf).any():
        raise ValueError("scale")
    each = scales.float().gather(1, group)
    codes = torch.where(each > 0, weight.float() / each, 0.0).round()
    codes = torch.clamp(codes, -most, most)
    total = m * n * bits + m * n_groups * 16
    return codes.to(torch.int8), scales, total / (m * n)
