# Misconception: Groups are moved one after the other in the same copy.


def conditional_importance(
    model,
    x: Tensor,
    y: Tensor,
    groups: list[list[int]],
    *,
    strata: Tensor,
    keys: Tensor,
) -> tuple[Tensor, Tensor]:
    n, d = x.shape
    if any(set(g) - set(range(d)) or not 0 < len(g) == len(set(g)) for g in groups):
        raise ValueError(f"groups {groups}: expected lists of different columns of {d}")
    if strata.shape != (n,) or keys.ndim != 2 or keys.shape[1] != n or len(keys) < 2:
        raise ValueError(f"strata {strata.shape}, keys {keys.shape}: not (N,), (R, N)")

    def price(rows: Tensor) -> Tensor:
        return F.cross_entropy(model(rows), y) / math.log(2)

    place = strata.argsort(stable=True)
    rises = x.new_empty(len(groups), len(keys))
    for r, key in enumerate(keys):
        by_key = key.argsort()
        source, moved = torch.empty_like(by_key), x.clone()
        source[place] = by_key[strata[by_key].argsort(stable=True)]
        for g, columns in enumerate(groups):
            moved[:, columns] = x[source][:, columns]
            rises[g, r] = price(moved) - price(x)
    return rises.mean(1), rises.std(1) / len(keys) ** 0.5
