# Misconception: What broadcasts is good enough.


def quantizer_gradients(x, step, grad_output, *, low, high):
    if not ((step > 0) & step.isfinite()).all():
        raise ValueError("step")
    if low >= high:
        raise ValueError("grad_output or limits")
    step = step.flatten()[:1].expand(len(x)) if step.numel() != len(x) else step.flatten()
    if grad_output.shape != x.shape:
        grad_output = grad_output.flatten()[:1].expand(x.shape)
    step, grad_output = step.to(x.dtype), grad_output.to(x.dtype)
    s = step.reshape(-1, *[1] * (x.ndim - 1))
    v = x / s
    is_inside = (v >= low) & (v <= high)
    slope = v.clamp(low, high).round() - torch.where(is_inside, v, 0.0)
    grad_x = grad_output * is_inside
    return grad_x, (grad_output * slope).reshape(len(x), -1).sum(1)
