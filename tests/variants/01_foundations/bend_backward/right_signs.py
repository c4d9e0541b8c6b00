# Slopes from sign functions, which are zero at a kink; the sigmoid of minus z for the other.


def bend_backward(
    z: Tensor, cotangent: Tensor, kind: str, slope: float = 0.1, ceiling: float = 6.0
) -> tuple[Tensor, Tensor]:
    if kind not in ("leaky", "log_sigmoid"):
        raise ValueError("leaky or log_sigmoid")
    if kind == "log_sigmoid":
        y = -(torch.relu(-z) + torch.log1p(torch.exp(-z.abs())))
        return y, cotangent * torch.sigmoid(-z)
    above_zero = (1 + torch.sign(z)) / 2  # 0, 1/2 or 1
    above_ceiling = (1 + torch.sign(z - ceiling)) / 2
    y = torch.maximum(z, torch.zeros_like(z)).clamp(max=ceiling)
    y = y + slope * torch.minimum(z, torch.zeros_like(z))
    return y, cotangent * (slope * (1 - above_zero) + above_zero - above_ceiling)
