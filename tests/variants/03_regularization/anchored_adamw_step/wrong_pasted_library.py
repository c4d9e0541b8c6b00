# The library's adamw_step and adam_l2_step, around the anchor.


def anchored_adamw_step(
    p,
    gradient,
    memory=None,
    *,
    anchor,
    lr,
    weight_decay,
    schedule=1.0,
    is_coupled=False,
    betas=(0.9, 0.999),
    eps=1e-8,
):
    if weight_decay < 0:
        raise ValueError(f"weight_decay is {weight_decay!r}, expected at least 0")
    lr = lr * schedule
    weight = p - anchor
    if is_coupled:
        gradient = gradient + weight_decay * weight
    else:
        weight.mul_(1 - lr * weight_decay)
    state = memory
    if not state:
        state = {"step": 0, "mean": torch.zeros_like(p), "square": torch.zeros_like(p)}
    state["step"] += 1
    beta1, beta2 = betas
    state["mean"].mul_(beta1).add_((1 - beta1) * gradient)
    state["square"].mul_(beta2).add_((1 - beta2) * gradient**2)
    mean = state["mean"] / (1 - beta1 ** state["step"])
    square = state["square"] / (1 - beta2 ** state["step"])
    weight.sub_(lr * mean / (square.sqrt() + eps))
    return anchor + weight, state
