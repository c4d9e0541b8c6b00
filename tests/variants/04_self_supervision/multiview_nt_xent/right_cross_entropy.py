# For each pair of views a cross-entropy with the partner in the first place.


def multiview_nt_xent(views, *, temperature=0.5):
    if views.ndim != 3:
        raise ValueError("three dimensions")
    n_views, n, _ = views.shape
    if n_views < 2 or n < 2 or not 0 < temperature < float("inf"):
        raise ValueError("too few, or a temperature that is none")
    z = F.normalize(views, dim=-1)
    total = 0.0
    for i in range(n):
        rest = torch.cat([z[:, :i], z[:, i + 1 :]], dim=1).flatten(0, 1)  # all other examples
        for a in range(n_views):
            partners = torch.cat([z[:a, i], z[a + 1 :, i]])
            own = partners @ z[a, i]
            against = (rest @ z[a, i]).expand(n_views - 1, -1)
            table = torch.cat([own[:, None], against], dim=1) / temperature
            first = torch.zeros(n_views - 1, dtype=torch.long)
            total = total + F.cross_entropy(table, first, reduction="sum")
    return total / (n * n_views * (n_views - 1))
