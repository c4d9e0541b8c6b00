# Misconception: p sums to 1.


def tail_gradients(p: Tensor, y: Tensor, nu: float) -> tuple[Tensor, Tensor]:
    if y.ndim != 2 or len(y) < 2 or p.shape != (len(y), len(y)):
        raise ValueError(f"p {tuple(p.shape)}, y {tuple(y.shape)}: not (n, n), (n, c)")
    if not (p >= 0).all() or not 0 < nu < math.inf:
        raise ValueError(f"p holds negative numbers, or nu is {nu}")
    is_itself = torch.eye(len(y), dtype=torch.bool)
    steps = y[:, None] - y  # (n, n, c)
    s = steps.square().sum(2)
    log_w = -(nu + 1) / 2 * torch.log1p(s / nu)
    q = log_w.masked_fill(is_itself, -math.inf).flatten().softmax(0).view_as(p)
    p = p.masked_fill(is_itself, 0.0)
    excess = (p - q) / math.log(2)  # -dL / d log w
    slope = (nu + 1) / (nu + s)  # -2 d log w / ds
    grad_nu = (excess * (torch.log1p(s / nu) - s * slope / nu)).sum() / 2
    force = excess * slope
    grad_y = ((force + force.T)[:, :, None] * steps).sum(1)
    return grad_y, grad_nu
