# The library's rank_for_energy, break_even_rank and factorize_linear, which look at the weights.


def rank_for_energy(singular_values, energy):
    energies = singular_values.double().square()
    return int((energies.cumsum(0) < energy * energies.sum()).sum()) + 1


def shrink_linear(weight, bias, input_scale, *, energy, budget):
    m, n = weight.shape if weight.ndim == 2 else (0, 0)
    if not m or not weight.isfinite().all() or bias.shape != (m,) or budget < m + n:
        raise ValueError("weight, bias or budget")
    if input_scale.shape != (n,) or not (input_scale > 0).all() or input_scale.isinf().any():
        raise ValueError("input_scale")
    if not 0 < energy <= 1:
        raise ValueError("energy")
    u, s, vh = torch.linalg.svd(weight, full_matrices=False)
    rank = min(rank_for_energy(s, energy), len(s), budget // (m + n))
    whole = nn.Linear(n, m).to(weight.dtype)
    whole.load_state_dict({"weight": weight, "bias": bias})
    if rank * (m + n) >= m * n:
        return whole
    root = s[:rank].sqrt()
    first, second = nn.Linear(n, rank, bias=False), nn.Linear(rank, m)
    first.weight = nn.Parameter(root[:, None] * vh[:rank])
    second.weight, second.bias = nn.Parameter(u[:, :rank] * root), whole.bias
    return nn.Sequential(first, second)
