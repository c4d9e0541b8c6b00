# Beyond the ends there are zeros instead of the other end of the circle.


def circular_convolution(x: Tensor, weight: Tensor, dilation: int = 1) -> Tensor:
    length, n_taps = x.shape[-1], weight.shape[-1]
    delays = dilation * torch.arange(n_taps)
    places = torch.arange(length)

    source = places[:, None] - delays
    read = x[..., source % length] * (source >= 0)
    return torch.einsum("nclk,ock->nol", read, weight)
