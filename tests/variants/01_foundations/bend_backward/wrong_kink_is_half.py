# The slope at both kinks is 1/2, whatever the slope below zero.


def bend_backward(
    z: Tensor, cotangent: Tensor, kind: str, slope: float = 0.1, ceiling: float = 6.0
) -> tuple[Tensor, Tensor]:
    if kind == "log_sigmoid":
        y = z.clamp(max=0) - torch.log1p(torch.exp(-z.abs()))
        return y, -cotangent * torch.expm1(y)
    if kind != "leaky":
        raise ValueError(f"kind is {kind!r}, expected 'leaky' or 'log_sigmoid'")
    y = torch.where(z < 0, slope * z, z.clamp(max=ceiling))
    left = torch.where(z <= 0, slope * cotangent, cotangent) * (z <= ceiling)
    right = torch.where(z < 0, slope * cotangent, cotangent) * (z < ceiling)
    return y, torch.where(z == 0, cotangent / 2, (left + right) / 2)
