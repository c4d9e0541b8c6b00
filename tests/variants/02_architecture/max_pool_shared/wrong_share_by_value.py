# Shares follow the values (a softmax) instead of being equal.


def max_pool_shared(
    x: Tensor, kernel_size: int, stride: int, cotangent: Tensor, margin: float = 0.0
) -> tuple[Tensor, Tensor]:
    windows = x.unfold(-1, kernel_size, stride)  # (N, C, P, K)
    largest = windows.amax(dim=-1, keepdim=True)
    takes_part = windows >= largest - margin
    weights = (windows - largest).exp() * takes_part
    shares = cotangent.unsqueeze(-1) * weights / weights.sum(-1, keepdim=True)
    points = torch.arange(x.shape[-1]).unfold(0, kernel_size, stride)  # (P, K)
    gradient = torch.zeros_like(x)
    gradient.index_add_(-1, points.flatten(), shares.flatten(2))
    return largest.squeeze(-1), gradient
