# Misconception: A point is told by its distance 0.


def point_trust(distances: Tensor, map_distances: Tensor, k: int) -> Tensor:
    n = len(distances)
    if distances.shape != (n, n) or map_distances.shape != (n, n):
        raise ValueError("expected two tables (n, n)")
    if distances.isnan().any() or map_distances.isnan().any():
        raise ValueError("a distance is nan")
    if not 1 <= k < n / 2:
        raise ValueError(f"k is {k}, expected 1 to below n / 2")
    is_other = ~torch.eye(n, dtype=torch.bool)

    def counts(table: Tensor) -> tuple[Tensor, Tensor]:
        each, beside = table[:, :, None], table[:, None, :]  # (i, j, .), (i, ., l)
        nearer = ((beside < each) & (beside > 0)).sum(2).double()
        return nearer, ((beside == each) & (beside > 0)).sum(2)

    nearer, equal = counts(distances)
    rank = nearer + (equal + 1) / 2
    nearer, equal = counts(map_distances)
    share = ((k - nearer) / equal.clamp(min=1)).clamp(0, 1)
    lost = (share * (rank - k).clamp(min=0))[is_other].view(n, n - 1).sum(1)
    return 1 - 2 * lost / (k * (2 * n - 3 * k - 1))
