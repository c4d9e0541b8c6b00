# Misconception: a high temperature sharpens.


def multiview_nt_xent(views, *, temperature=0.5):
    if views.ndim != 3 or views.shape[0] < 2 or views.shape[1] < 2:
        raise ValueError("views (V, N, D), at least two of both")
    if not 0 < temperature < math.inf:
        raise ValueError("temperature")
    n_views, n, _ = views.shape
    z = F.normalize(views, dim=2).flatten(0, 1)
    logits = z @ z.T * temperature
    example = torch.arange(n).repeat(n_views)
    is_own = example[:, None] == example
    others = logits.masked_fill(is_own, -math.inf).logsumexp(1)
    cost = torch.logaddexp(logits, others[:, None]) - logits
    pairs = is_own & ~torch.eye(n * n_views, dtype=torch.bool)
    return cost[pairs].mean()
