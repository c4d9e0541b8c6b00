# Written from the text alone: both signs of z apart, and an array of slopes filled in by cases.


def bend_backward(
    z: Tensor, cotangent: Tensor, kind: str, slope: float = 0.1, ceiling: float = 6.0
) -> tuple[Tensor, Tensor]:
    if kind == "leaky":
        y = z.clone()
        y[z < 0] = slope * z[z < 0]
        y[z > ceiling] = ceiling
        slopes = torch.ones_like(z)
        slopes[z < 0] = slope
        slopes[z == 0] = (slope + 1) / 2
        slopes[z == ceiling] = 0.5
        slopes[z > ceiling] = 0
        return y, slopes * cotangent
    if kind == "log_sigmoid":
        small = torch.exp(-torch.abs(z))  # at most 1
        y = torch.where(z > 0, -torch.log1p(small), z - torch.log1p(small))
        slopes = torch.where(z > 0, small, 1.0) / (1 + small)
        return y, slopes * cotangent
    raise ValueError(f"unknown kind {kind}")
