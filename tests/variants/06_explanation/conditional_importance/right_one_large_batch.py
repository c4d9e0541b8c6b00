# One forward pass over all groups and repeats, permutations by sorting pairs of numbers.


def conditional_importance(model, x, y, groups, *, strata, keys):

    n, d = x.shape
    for group in groups:
        if len(group) == 0 or len(set(group)) < len(group) or min(group) < 0 or max(group) >= d:
            raise ValueError("groups")
    if tuple(strata.shape) != (n,):
        raise ValueError("strata")
    if keys.dim() != 2 or keys.shape[1] != n or keys.shape[0] < 2:
        raise ValueError("keys")

    names = strata.tolist()
    rows_in_order = sorted(range(n), key=lambda i: (names[i], i))
    batch = [x]
    for group in groups:
        is_moved = torch.zeros(d, dtype=torch.bool)
        is_moved[group] = True
        for key in keys.tolist():
            by_key = sorted(range(n), key=lambda i: (names[i], key[i]))
            source = dict(zip(rows_in_order, by_key))
            others = x[[source[i] for i in range(n)]]
            batch.append(torch.where(is_moved, others, x))
    log_p = model(torch.cat(batch)).log_softmax(1).view(len(batch), n, -1)
    prices = -log_p.gather(2, y.expand(len(batch), n)[:, :, None]).mean((1, 2)) / math.log(2)
    rises = (prices[1:] - prices[0]).view(len(groups), len(keys))
    spread = (rises - rises.mean(1, keepdim=True)).square().sum(1) / (len(keys) - 1)
    return rises.mean(1), (spread / len(keys)).sqrt()
