# The library: one number for the whole map, ties by index.


def point_trust(distances, map_distances, k):

    n = len(distances)
    if tuple(distances.shape) != (n, n) or map_distances.shape != distances.shape:
        raise ValueError("tables")
    if (distances != distances).any() or (map_distances != map_distances).any():
        raise ValueError("nan")
    if k < 1 or 2 * k >= n:
        raise ValueError("k")

    itself = torch.eye(n, dtype=torch.bool)
    order = distances.double().masked_fill(itself, -math.inf).argsort(dim=1, stable=True)
    rank = torch.empty(n, n).long().scatter_(1, order, torch.arange(n).expand(n, n))
    near = map_distances.double().masked_fill(itself, math.inf).argsort(dim=1, stable=True)[:, :k]
    lost = (rank.gather(1, near).double() - k).clamp(min=0)

    return (1 - 2 * lost.sum() / (n * k * (2 * n - 3 * k - 1))).expand(n).clone()
