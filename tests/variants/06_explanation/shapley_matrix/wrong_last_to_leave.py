# Misconception: A feature gains what is lost without it.


def shapley_matrix(values: Tensor) -> Tensor:
    d = values.numel().bit_length() - 1
    if values.shape != (2**d,) or not 2 <= d <= 10 or not values.isfinite().all():
        raise ValueError(f"values {tuple(values.shape)}: expected 2**d finite numbers")
    masks, v = torch.arange(2**d), values.double()
    size = sum(masks >> i & 1 for i in range(d)).tolist()
    result = torch.empty(d, d, dtype=torch.float64)
    for i in range(d):
        for j in range(d):
            a, b = 1 << i, (1 << j) * (i != j)  # b is nobody on the diagonal
            rest = masks[masks & (a | b) == 0]
            k = 2 if b else 1
            parts = [1 / math.comb(d - k, size[m]) for m in rest.tolist()]
            gain = v[rest + a] - v[rest] if b else (v[-1] - v[-1 - a]).expand(len(rest))
            if b:
                gain = (v[rest + a + b] - v[rest + b] - gain) / 2
            parts = torch.tensor(parts, dtype=torch.float64) / (d + 1 - k)
            result[i, j] = (parts * gain).sum()
    alone = 2 * result.diagonal() - result.sum(1)
    return result.diagonal_scatter(alone)
