# PyTorch's own Adam makes the step on a copy; the pull is subtracted beside it.


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
        raise ValueError(f"expected at least 0, got {weight_decay}")
    copy = nn.Parameter(p.detach().clone())
    adam = torch.optim.Adam([copy], lr=schedule * lr, betas=betas, eps=eps)
    if memory is not None:
        adam.load_state_dict(memory)
        adam.param_groups[0]["lr"] = schedule * lr
    home = weight_decay * (p - anchor)
    copy.grad = gradient + home if is_coupled else gradient.clone()
    adam.step()
    moved = copy.detach() if is_coupled else copy.detach() - schedule * home
    return moved, adam.state_dict()
