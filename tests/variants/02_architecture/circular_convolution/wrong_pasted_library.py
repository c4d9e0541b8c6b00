# The library's conv1d, with padding that keeps the length.


def _windows(x, kernel, stride, padding, dilation, fill=0.0):
    n_dims = len(kernel)
    if any(padding):
        x = F.pad(x, [p for p in reversed(padding) for _ in range(2)], value=fill)
    for dim in range(n_dims):
        span = dilation[dim] * (kernel[dim] - 1) + 1
        x = x.unfold(2 + dim, span, stride[dim])[..., :: dilation[dim]]
    return x


def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    windows = _windows(x, weight.shape[-1:], (stride,), (padding,), (dilation,))
    y = torch.einsum("nclk,ock->nol", windows, weight)
    return y if bias is None else y + bias[:, None]


def circular_convolution(x: Tensor, weight: Tensor, dilation: int = 1) -> Tensor:
    reach = dilation * (weight.shape[-1] - 1)
    y = conv1d(x, weight, padding=(reach + 1) // 2, dilation=dilation)
    return y[..., : x.shape[-1]]
