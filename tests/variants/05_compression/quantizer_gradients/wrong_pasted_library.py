# The library's fake_quantize: 1 where the rounded code lies on the grid, and the step is a constant.


def quantizer_gradients(x, step, grad_output, *, low, high):
    if step.shape != x.shape[:1] or not ((step > 0) & step.isfinite()).all():
        raise ValueError("step")
    if grad_output.shape != x.shape or low >= high:
        raise ValueError("grad_output or limits")
    scale = step.reshape(-1, *[1] * (x.ndim - 1))
    code = (x / scale).round()
    is_inside = (code >= low) & (code <= high)
    return grad_output * is_inside, torch.zeros_like(step)
