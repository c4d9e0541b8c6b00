# For each ordered pair of views one cross_entropy: the partner first, then the other examples.


def multiview_nt_xent(views: Tensor, *, temperature: float = 0.5) -> Tensor:
    if views.dim() != 3 or views.shape[0] < 2 or views.shape[1] < 2:
        raise ValueError("at least two views of at least two examples")
    if not 0 < temperature < math.inf:
        raise ValueError("temperature is finite and above 0")
    n_views, n, _ = views.shape
    largest = views.detach().double().abs().amax(2, keepdim=True)
    x = views.double() / largest.masked_fill(largest == 0, 1.0)
    x = x / x.norm(dim=2, keepdim=True).clamp(min=1e-12)
    logits = torch.einsum("vid,wjd->vwij", x, x) / temperature
    others = ~torch.eye(n, dtype=torch.bool)
    first = torch.zeros(n, dtype=torch.int64)
    total = 0.0
    for a in range(n_views):
        crowd = [logits[a, w][others].view(n, n - 1) for w in range(n_views)]
        for p in range(n_views):
            if p != a:
                table = torch.cat([logits[a, p].diagonal()[:, None], *crowd], 1)
                total = total + F.cross_entropy(table, first)
    return (total / (n_views * (n_views - 1))).to(views.dtype)
