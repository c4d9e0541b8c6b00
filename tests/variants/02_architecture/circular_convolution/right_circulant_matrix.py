# One circulant matrix for each pair of channels, built by scattering, then a product.


def circular_convolution(x: Tensor, weight: Tensor, dilation: int = 1) -> Tensor:
    n_out, n_in, n_taps = weight.shape
    length = x.shape[-1]
    target = torch.arange(length)[:, None].expand(length, n_taps)  # t
    source = (target - dilation * torch.arange(n_taps)) % length
    matrix = x.new_zeros(n_out, n_in, length * length)
    flat = (target * length + source).reshape(-1)
    values = weight[:, :, None, :].expand(-1, -1, length, -1).flatten(2)
    matrix = matrix.index_add(2, flat, values).view(n_out, n_in, length, length)
    return torch.einsum("ncs,octs->not", x, matrix)
