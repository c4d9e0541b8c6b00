# Differentiates the mean over the points within the margin, held as constants.


def max_pool_shared(
    x: Tensor, kernel_size: int, stride: int, cotangent: Tensor, margin: float = 0.0
) -> tuple[Tensor, Tensor]:
    points = x.detach().clone().requires_grad_()
    windows = points.unfold(-1, kernel_size, stride)
    largest = windows.amax(-1, keepdim=True).detach()
    sharing = (windows.detach() >= largest - margin).to(x.dtype)
    means = (windows * sharing).sum(-1) / sharing.sum(-1)
    (gradient,) = torch.autograd.grad((means * cotangent).sum(), points)
    return largest.squeeze(-1), gradient
