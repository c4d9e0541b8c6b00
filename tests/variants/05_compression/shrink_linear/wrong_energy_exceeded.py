# The rank is the smallest whose energy is above the one asked for, not at least it.


def shrink_linear(weight, bias, input_scale, *, energy, budget):
    if weight.ndim != 2 or not weight.isfinite().all():
        raise ValueError("weight must be (m, n) and finite")
    m, n = weight.shape
    if bias.shape != (m,) or input_scale.shape != (n,):
        raise ValueError("bias (m,), input_scale (n,)")
    if not (input_scale > 0).all() or not input_scale.isfinite().all():
        raise ValueError("input_scale must be finite and above 0")
    if not 0 < energy <= 1 or budget < m + n:
        raise ValueError("energy in (0, 1], budget at least m + n")
    d = input_scale.double()
    q, triangle = torch.linalg.qr(weight.double() * d)
    u, sigma, vt = torch.linalg.svd(triangle, full_matrices=False)
    u = q @ u
    squares = sigma.square().tolist()
    total, running, r = sum(squares), 0.0, 0
    while r < len(squares) and (r == 0 or running <= energy * total):
        running += squares[r]
        r += 1
    r = min(r, budget // (m + n))
    if r * (m + n) >= m * n:
        layer = nn.Linear(n, m, dtype=weight.dtype)
        with torch.no_grad():
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        return layer
    first = nn.Linear(n, r, bias=False, dtype=weight.dtype)
    second = nn.Linear(r, m, dtype=weight.dtype)
    root = sigma[:r].sqrt()
    with torch.no_grad():
        first.weight.copy_(root[:, None] * vt[:r] / d)
        second.weight.copy_(u[:, :r] * root)
        second.bias.copy_(bias)
    return nn.Sequential(first, second)
