# A loop over points with unique values, counts and cumulative sums.


def point_trust(distances, map_distances, k):

    n = len(distances)
    if tuple(distances.shape) != (n, n) or map_distances.shape != distances.shape:
        raise ValueError("tables")
    if (distances != distances).any() or (map_distances != map_distances).any():
        raise ValueError("nan")
    if k < 1 or 2 * k >= n:
        raise ValueError("k")

    result = []
    for i in range(n):
        others = torch.arange(n) != i
        _, group, sizes = distances[i][others].unique(return_inverse=True, return_counts=True)
        rank = (sizes.cumsum(0).double() - (sizes.double() - 1) / 2)[group]
        _, group, sizes = map_distances[i][others].unique(return_inverse=True, return_counts=True)
        taken = sizes.cumsum(0).clamp(max=k)
        share = (torch.diff(taken, prepend=torch.zeros(1).long()).double() / sizes)[group]
        result.append((share * (rank - k).clamp(min=0)).sum())
    return 1 - 2 * torch.stack(result) / (k * (2 * n - 3 * k - 1))
