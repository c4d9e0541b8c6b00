# Misconception: Large inputs need no large weights, so the weights are divided by their size.


def shrink_linear(weight, bias, input_scale, *, energy, budget):
    if weight.ndim != 2 or not weight.isfinite().all():
        raise ValueError("weight")
    m, n = weight.shape
    if bias.shape != (m,) or input_scale.shape != (n,):
        raise ValueError("bias or input_scale")
    if not ((input_scale > 0) & input_scale.isfinite()).all():
        raise ValueError("input_scale")
    most = budget // (m + n)
    if not 0 < energy <= 1 or most < 1:
        raise ValueError("energy or budget")
    scale = 1 / input_scale.double()
    u, s, vh = torch.linalg.svd(weight.double() * scale, full_matrices=False)
    sizes = s.square()
    share = sizes.cumsum(0) / sizes.sum()
    rank = min(int((share < energy).sum()) + 1, len(s), most)
    if rank * (m + n) >= m * n:
        whole = nn.Linear(n, m).to(weight.dtype)
        whole.load_state_dict({"weight": weight, "bias": bias})
        return whole
    root = s[:rank].sqrt()
    layers = nn.Sequential(nn.Linear(n, rank, bias=False), nn.Linear(rank, m)).to(weight.dtype)
    with torch.no_grad():
        layers[0].weight.copy_(root[:, None] * vh[:rank] / scale)
        layers[1].weight.copy_(u[:, :rank] * root)
        layers[1].bias.copy_(bias)
    return layers
