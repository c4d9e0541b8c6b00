# Spreads the shares with a 0/1 matrix that says which point each window place is.


def max_pool_shared(
    x: Tensor, kernel_size: int, stride: int, cotangent: Tensor, margin: float = 0.0
) -> tuple[Tensor, Tensor]:
    n_windows = (x.shape[-1] - kernel_size) // stride + 1
    starts = stride * torch.arange(n_windows)
    points = starts[:, None] + torch.arange(kernel_size)  # (P, K)
    windows = x[..., points]
    maxima = windows.max(dim=-1).values
    weights = (maxima[..., None] - windows <= margin).to(x.dtype)
    shares = weights / weights.sum(-1, keepdim=True) * cotangent[..., None].to(x.dtype)
    spread = F.one_hot(points, x.shape[-1]).to(x.dtype)  # (P, K, L)
    return maxima, torch.einsum("ncpk,pkl->ncl", shares, spread)
