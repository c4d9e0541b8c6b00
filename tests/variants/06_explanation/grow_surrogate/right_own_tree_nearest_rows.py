# Rows moved towards near rows and jittered; a tree of its own, split best first by entropy gain on sorted columns.


def grow_surrogate(ask, x, generator):
    n = 3900
    spread = x.std(0)
    scaled = x / spread
    near = torch.cdist(scaled, scaled).topk(6, largest=False).indices[:, 1:]
    i = torch.randint(len(x), (n,), generator=generator)
    j = near[i, torch.randint(5, (n,), generator=generator)]
    t = torch.rand(n, 1, generator=generator)
    drawn = (
        x[i]
        + 0.6 * t * (x[j] - x[i])
        + 0.3 * spread * torch.randn(n, x.shape[1], generator=generator)
    )
    rows = torch.cat([x, drawn])[:4000]
    y = ask(rows)
    n_classes = int(y.max()) + 1
    one_hot = torch.nn.functional.one_hot(y, n_classes).double()

    def best(members):
        if len(members) < 10:
            return 0.0, 0, 0.0
        total = one_hot[members].sum(0)
        before = len(members) - total.square().sum() / len(members)
        top = (0.0, 0, 0.0)
        for column in range(rows.shape[1]):
            value, order = rows[members, column].sort()
            left = one_hot[members[order]].cumsum(0)[:-1]
            right = total - left
            k = torch.arange(1, len(members)).double()
            after = (
                len(members) - left.square().sum(1) / k - right.square().sum(1) / (len(members) - k)
            )
            after[value[1:] == value[:-1]] = math.inf
            gain, at = (before - after).max(0)
            if gain.item() > top[0]:
                top = gain.item(), column, (value[at].item() + value[at + 1].item()) / 2
        return top

    tree = dict(feature=[-1], threshold=[0.0], left=[-1], right=[-1], label=[int(y.mode().values)])
    leaves = {0: (torch.arange(len(rows)), best(torch.arange(len(rows))))}
    while len(leaves) < 15:
        node = max(leaves, key=lambda k: leaves[k][1][0])
        members, (gain, column, threshold) = leaves.pop(node)
        if gain <= 0:
            break
        is_left = rows[members, column] <= threshold
        tree["feature"][node], tree["threshold"][node] = column, threshold
        for side, part in (("left", members[is_left]), ("right", members[~is_left])):
            tree[side][node] = len(tree["feature"])
            leaves[len(tree["feature"])] = part, best(part)
            for key, value in (("feature", -1), ("threshold", 0.0), ("left", -1), ("right", -1)):
                tree[key].append(value)
            tree["label"].append(int(y[part].mode().values))
    return tree
