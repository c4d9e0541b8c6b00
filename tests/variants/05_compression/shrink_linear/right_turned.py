# The same product with the factors turned by an orthogonal matrix, which keeps them balanced.


def shrink_linear(weight, bias, input_scale, *, energy, budget):
    if weight.ndim != 2 or not bool(weight.isfinite().all()):
        raise ValueError("weight")
    m, n = weight.shape
    if bias.ndim != 1 or len(bias) != m:
        raise ValueError("bias")
    if input_scale.ndim != 1 or len(input_scale) != n or not (input_scale > 0).all():
        raise ValueError("input_scale")
    if input_scale.isinf().any() or energy <= 0 or not energy <= 1 or budget < m + n:
        raise ValueError("input_scale, energy or budget")
    u, s, v = torch.svd(weight.double() @ torch.diag(input_scale.double()))
    total, running, rank = (s**2).sum().item(), 0.0, 0
    for value in (s**2).tolist():
        running, rank = running + value, rank + 1
        if running >= energy * total:
            break
    rank = min(rank, budget // (m + n))
    if rank * (m + n) >= m * n:
        rank = 0
    generator = torch.Generator().manual_seed(0)
    turn, _ = torch.linalg.qr(torch.randn(rank, rank, generator=generator, dtype=torch.float64))
    a = turn.T @ (s[:rank].sqrt() * v[:, :rank]).T / input_scale.double()
    b = u[:, :rank] * s[:rank].sqrt() @ turn
    sizes = [n, rank, m] if rank else [n, m]
    layers = [nn.Linear(i, o, bias=o == m and i != n or not rank) for i, o in zip(sizes, sizes[1:])]
    for layer, value in zip(layers, [a, b] if rank else [weight]):
        layer.weight = nn.Parameter(value.to(weight.dtype))
    layers[-1].bias = nn.Parameter(bias.to(weight.dtype))
    return nn.Sequential(*layers) if rank else layers[0]
