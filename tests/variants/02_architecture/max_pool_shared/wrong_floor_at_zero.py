# Windows begin with a maximum of zero, so negative series give zero.


def max_pool_shared(
    x: Tensor, kernel_size: int, stride: int, cotangent: Tensor, margin: float = 0.0
) -> tuple[Tensor, Tensor]:
    windows = x.unfold(-1, kernel_size, stride)  # (N, C, P, K)
    largest = windows.amax(dim=-1, keepdim=True).clamp(min=0)
    takes_part = windows >= windows.amax(dim=-1, keepdim=True) - margin
    n_sharing = takes_part.sum(dim=-1, keepdim=True)
    shares = cotangent.unsqueeze(-1) * takes_part / n_sharing
    points = torch.arange(x.shape[-1]).unfold(0, kernel_size, stride)  # (P, K)
    gradient = torch.zeros_like(x)
    gradient.index_add_(-1, points.flatten(), shares.flatten(2))
    return largest.squeeze(-1), gradient
