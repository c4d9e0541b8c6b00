# Misconception: The slope of a staircase is zero.


def quantizer_gradients(x, step, grad_output, *, low, high):
    if step.shape != x.shape[:1] or not ((step > 0) & step.isfinite()).all():
        raise ValueError("step")
    if grad_output.shape != x.shape or low >= high:
        raise ValueError("grad_output or limits")
    s = step.reshape(-1, *[1] * (x.ndim - 1))
    v = x / s
    is_inside = (v >= low) & (v <= high)
    slope = v.clamp(low, high).round()
    grad_x = 0 * grad_output
    return grad_x, (grad_output * slope).reshape(len(x), -1).sum(1)
