# The convolution theorem: a circular convolution is a product of spectra.


def circular_convolution(x: Tensor, weight: Tensor, dilation: int = 1) -> Tensor:
    length, n_taps = x.shape[-1], weight.shape[-1]
    delays = dilation * torch.arange(n_taps) % length
    kernel = x.new_zeros(*weight.shape[:2], length).index_add(-1, delays, weight)
    spectrum = torch.einsum("ncf,ocf->nof", torch.fft.rfft(x), torch.fft.rfft(kernel))
    return torch.fft.irfft(spectrum, n=length)
