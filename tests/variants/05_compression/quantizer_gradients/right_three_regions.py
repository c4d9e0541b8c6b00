# Below, within and above the limits, each with its own formula.


def quantizer_gradients(x, step, grad_output, *, low, high):
    m = x.shape[0]
    if tuple(step.shape) != (m,) or not torch.isfinite(step).all() or (step <= 0).any():
        raise ValueError("one positive step for each row")
    if grad_output.shape != x.shape or not low < high:
        raise ValueError("grad_output or limits")
    step, grad_output = step.to(x.dtype), grad_output.to(x.dtype)
    v = x.reshape(m, -1) / step.unsqueeze(1)
    g = grad_output.reshape(m, -1)
    below, above = v < low, v > high
    within = ~(below | above)
    grad_step = torch.einsum("ij,ij->i", g, within * (torch.floor(v + 0.5) - v))
    grad_step = grad_step + low * (g * below).sum(1) + high * (g * above).sum(1)
    return (g * within).reshape(x.shape), grad_step
