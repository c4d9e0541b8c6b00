# Everything in float32, with trunc in place of floor and the sign.


def affine_quantize(x, bits, *, limits=None):
    if bits < 1 or bits > 8:
        raise ValueError("bits")
    if x.numel() == 0 or not torch.is_floating_point(x) or bool((~torch.isfinite(x)).any()):
        raise ValueError("x")
    ends = torch.stack([x.min(), x.max()]) if limits is None else torch.tensor(limits)
    ends = ends.float()
    if not torch.isfinite(ends).all() or ends[0] > ends[1]:
        raise ValueError("limits")
    low, high = ends[0].clamp(max=0), ends[1].clamp(min=0)
    n = 2**bits
    width = high - low
    scale = torch.where(width > 0, width / (n - 1), torch.ones(()))

    def away(v):
        return torch.trunc(v + torch.copysign(torch.full_like(v, 0.5), v))

    zero = -(n // 2) - away(low / scale)
    codes = torch.clamp(away(x.float() / scale) + zero, -(n // 2), n // 2 - 1)
    return codes.to(torch.int8), scale.item(), int(zero.item())
