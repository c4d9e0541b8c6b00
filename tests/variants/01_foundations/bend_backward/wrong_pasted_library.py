# The library's relu and sigmoid with the slopes of its engine.


def bend_backward(
    z: Tensor, cotangent: Tensor, kind: str, slope: float = 0.1, ceiling: float = 6.0
) -> tuple[Tensor, Tensor]:
    if kind == "leaky":
        y = z.clamp(min=0)
        slopes = y > 0
        return y.clamp(max=ceiling) + slope * z.clamp(max=0), cotangent * slopes
    if kind == "log_sigmoid":
        y = z.sigmoid()
        return y.log(), cotangent * y * (1 - y) / y
    raise ValueError(f"kind is {kind!r}")
