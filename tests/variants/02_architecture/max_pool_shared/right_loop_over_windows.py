# Visits the windows one by one and adds to slices of the gradient.


def max_pool_shared(
    x: Tensor, kernel_size: int, stride: int, cotangent: Tensor, margin: float = 0.0
) -> tuple[Tensor, Tensor]:
    gradient, maxima = torch.zeros_like(x), []
    for p, start in enumerate(range(0, x.shape[-1] - kernel_size + 1, stride)):
        window = x[:, :, start : start + kernel_size]
        top = window.amax(2, keepdim=True)
        sharing = (window >= top - margin).to(x.dtype)
        part = cotangent[:, :, p : p + 1] / sharing.sum(2, keepdim=True)
        gradient[:, :, start : start + kernel_size] += sharing * part
        maxima.append(top)
    return torch.cat(maxima, dim=2), gradient
