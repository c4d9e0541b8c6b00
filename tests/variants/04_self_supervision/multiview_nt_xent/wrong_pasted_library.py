# The library's nt_xent, averaged over all pairs of views: the other views are never met.


def nt_xent(z1, z2, *, temperature=0.5):
    n = len(z1)
    z = F.normalize(torch.cat([z1, z2]), dim=1)  # (2N, D)
    logits = z @ z.T / temperature  # (2N, 2N)
    itself = torch.eye(2 * n, dtype=torch.bool, device=z.device)
    partner = torch.arange(2 * n, device=z.device).roll(n)
    return F.cross_entropy(logits.masked_fill(itself, -math.inf), partner)


def multiview_nt_xent(views, *, temperature=0.5):
    if views.ndim != 3 or views.shape[0] < 2 or views.shape[1] < 2:
        raise ValueError("views (V, N, D), at least two of both")
    if not 0 < temperature < math.inf:
        raise ValueError("temperature")
    pairs = [(a, b) for a in range(len(views)) for b in range(a)]
    losses = [nt_xent(views[a], views[b], temperature=temperature) for a, b in pairs]
    return torch.stack(losses).mean()
