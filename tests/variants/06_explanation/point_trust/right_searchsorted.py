# Rows sorted without the diagonal; searchsorted from both sides counts the nearer and the equal.


def point_trust(distances, map_distances, k):

    n = len(distances)
    if tuple(distances.shape) != (n, n) or map_distances.shape != distances.shape:
        raise ValueError("tables")
    if (distances != distances).any() or (map_distances != map_distances).any():
        raise ValueError("nan")
    if k < 1 or 2 * k >= n:
        raise ValueError("k")

    keep = ~torch.eye(n, dtype=torch.bool)

    def both_sides(table):
        rows = table[keep].view(n, n - 1).contiguous()
        ordered = rows.sort(1).values.contiguous()
        first = torch.searchsorted(ordered, rows)
        return first, torch.searchsorted(ordered, rows, right=True)

    first, last = both_sides(distances)
    rank = (first + 1 + last).double() / 2
    start, end = both_sides(map_distances)
    places = end.clamp(max=k) - start.clamp(max=k)
    penalty = (places.double() / (end - start) * (rank - k).relu()).sum(1)
    return 1 - penalty * 2 / (k * (2 * n - 3 * k - 1))
