# Lets autograd differentiate a stable formula.


def bend_backward(
    z: Tensor, cotangent: Tensor, kind: str, slope: float = 0.1, ceiling: float = 6.0
) -> tuple[Tensor, Tensor]:
    if kind == "log_sigmoid":
        z = z.detach().clone().requires_grad_()
        right = -torch.log1p(torch.exp(-z.clamp(min=0)))
        left = z - torch.log1p(torch.exp(z.clamp(max=1)))
        y = torch.where(z > 0, right, left)
        (gradient,) = torch.autograd.grad(y, z, cotangent)
        return y.detach(), gradient
    if kind != "leaky":
        raise ValueError(f"kind is {kind!r}, expected 'leaky' or 'log_sigmoid'")
    y = torch.where(z < 0, slope * z, z.clamp(max=ceiling))
    left = torch.where(z <= 0, slope * cotangent, cotangent) * (z <= ceiling)
    right = torch.where(z < 0, slope * cotangent, cotangent) * (z < ceiling)
    return y, (left + right) / 2
