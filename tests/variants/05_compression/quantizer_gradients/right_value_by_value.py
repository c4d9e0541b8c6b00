# Python numbers, one value after the other.


def quantizer_gradients(x, step, grad_output, *, low, high):
    if step.ndim != 1 or x.ndim < 1 or len(step) != len(x):
        raise ValueError("step must be (m,)")
    if any(not math.isfinite(s) or s <= 0 for s in step.tolist()):
        raise ValueError("steps must be finite and above 0")
    if grad_output.shape != x.shape or low >= high:
        raise ValueError("grad_output like x, low below high")
    grad_x, grad_step = torch.zeros_like(x), torch.zeros(len(x), dtype=x.dtype)
    for i in range(len(x)):
        s, total = step[i].item(), 0.0
        slopes = []
        for value, g in zip(
            x[i].flatten().tolist(), grad_output[i].flatten().tolist(), strict=True
        ):
            v = value / s
            if v < low:
                slopes.append(0.0)
                total += g * low
            elif v > high:
                slopes.append(0.0)
                total += g * high
            else:
                slopes.append(g)
                total += g * (round(v) - v)
        grad_x[i] = torch.tensor(slopes, dtype=x.dtype).view(x[i].shape)
        grad_step[i] = total
    return grad_x, grad_step
