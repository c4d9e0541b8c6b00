# Below zero the gradient is zero, as in a ReLU.


def bend_backward(
    z: Tensor, cotangent: Tensor, kind: str, slope: float = 0.1, ceiling: float = 6.0
) -> tuple[Tensor, Tensor]:
    if kind == "log_sigmoid":
        y = z.clamp(max=0) - torch.log1p(torch.exp(-z.abs()))
        return y, -cotangent * torch.expm1(y)
    if kind != "leaky":
        raise ValueError(f"kind is {kind!r}, expected 'leaky' or 'log_sigmoid'")
    y = torch.where(z < 0, slope * z, z.clamp(max=ceiling))
    sent = torch.where(z < 0, 0.0 * z, cotangent)
    left = torch.where(z == 0, slope * sent, sent) * (z <= ceiling)
    right = sent * (z < ceiling)
    return y, (left + right) / 2
