# The library's max_pool1d and autograd, which know no margin.


def max_pool1d(x, kernel_size, stride=None, padding=0):
    return x.unfold(-1, kernel_size, stride or kernel_size).amax(-1)


def max_pool_shared(
    x: Tensor, kernel_size: int, stride: int, cotangent: Tensor, margin: float = 0.0
) -> tuple[Tensor, Tensor]:
    x = x.detach().clone().requires_grad_()
    y = max_pool1d(x, kernel_size, stride)
    (gradient,) = torch.autograd.grad(y, x, cotangent.to(y.dtype))
    return y, gradient
