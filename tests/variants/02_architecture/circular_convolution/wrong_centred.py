# The kernel's middle lies on the point, as in padding to the same size.


def circular_convolution(x: Tensor, weight: Tensor, dilation: int = 1) -> Tensor:
    length, n_taps = x.shape[-1], weight.shape[-1]
    delays = dilation * torch.arange(n_taps)
    places = torch.arange(length)

    source = (places[:, None] - delays + dilation * (n_taps // 2)) % length
    return torch.einsum("nclk,ock->nol", x[..., source], weight)
