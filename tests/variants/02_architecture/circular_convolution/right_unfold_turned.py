# Pads the front around the circle, unfolds, and turns the kernel.


def circular_convolution(x: Tensor, weight: Tensor, dilation: int = 1) -> Tensor:
    length, n_taps = x.shape[-1], weight.shape[-1]
    reach = dilation * (n_taps - 1)
    around = torch.arange(-reach, length) % length
    windows = x[..., around].unfold(-1, reach + 1, 1)[..., ::dilation]  # (N, C, L, K)
    return torch.tensordot(windows, weight.flip(-1), dims=([1, 3], [1, 2])).mT
