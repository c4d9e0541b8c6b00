# A loop over strata, whose rows are found by a mask; rises in a list.


def conditional_importance(model, x, y, groups, *, strata, keys):

    n, d = x.shape
    for group in groups:
        if len(group) == 0 or len(set(group)) < len(group) or min(group) < 0 or max(group) >= d:
            raise ValueError("groups")
    if tuple(strata.shape) != (n,):
        raise ValueError("strata")
    if keys.dim() != 2 or keys.shape[1] != n or keys.shape[0] < 2:
        raise ValueError("keys")

    def bits(rows):
        chosen = model(rows).softmax(1)[torch.arange(n), y]
        return -chosen.log2().mean().item()

    means, errors, before = [], [], bits(x)
    for group in groups:
        rises = []
        for key in keys:
            moved = x.clone()
            for value in strata.unique():
                rows = (strata == value).nonzero()[:, 0]
                givers = rows[key[rows].argsort()]
                for column in group:
                    moved[rows, column] = x[givers, column]
            rises.append(bits(moved) - before)
        rises = torch.tensor(rises, dtype=x.dtype)
        means.append(rises.mean())
        errors.append(rises.var().div(len(keys)).sqrt())
    return torch.stack(means), torch.stack(errors)
