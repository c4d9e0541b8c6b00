# Eigenvectors of W D D W^T for the outputs, and a loop for the rank.


def shrink_linear(weight, bias, input_scale, *, energy, budget):
    if weight.dim() != 2:
        raise ValueError("weight is (m, n)")
    m, n = weight.shape
    if not torch.isfinite(weight).all() or tuple(bias.shape) != (m,):
        raise ValueError("weight or bias")
    if tuple(input_scale.shape) != (n,) or not torch.isfinite(input_scale).all():
        raise ValueError("input_scale")
    if (input_scale <= 0).any() or not (energy > 0 and energy <= 1):
        raise ValueError("input_scale or energy")
    if budget < m + n:
        raise ValueError("the budget pays for no rank")
    scaled = weight.double() * input_scale.double()
    values, vectors = torch.linalg.eigh(scaled @ scaled.T)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    rank = 1
    while rank < min(m, n) and values[:rank].sum() < energy * values.sum():
        rank += 1
    while rank * (m + n) > budget:
        rank -= 1
    if rank * (m + n) >= m * n:
        layer = nn.Linear(n, m)
        layer.weight, layer.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.to(weight.dtype))
        return layer
    quarter = values[:rank] ** 0.25
    second = vectors[:, :rank] * quarter
    first = (vectors[:, :rank] / quarter).T @ weight.double()
    layers = nn.Sequential(nn.Linear(n, rank, bias=False), nn.Linear(rank, m))
    layers[0].weight = nn.Parameter(first.to(weight.dtype))
    layers[1].weight = nn.Parameter(second.to(weight.dtype))
    layers[1].bias = nn.Parameter(bias.to(weight.dtype))
    return layers
