# One table with four axes: view, example, view, example.


def multiview_nt_xent(views, *, temperature=0.5):
    if views.dim() != 3 or min(views.shape[:2]) < 2:
        raise ValueError("at least two views of at least two examples")
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError("temperature above 0")
    z = views / views.norm(dim=2, keepdim=True)
    s = torch.einsum("aid,bjd->aibj", z, z) / temperature
    n_views, n = views.shape[:2]
    apart = ~torch.eye(n, dtype=torch.bool)[None, :, None, :]
    lowest = torch.finfo(views.dtype).min
    negatives = torch.where(apart, s, lowest).permute(0, 1, 2, 3).flatten(2).logsumexp(2)
    own = s.diagonal(dim1=1, dim2=3)  # (V, V, N): anchor, partner, example
    terms = F.softplus(negatives[:, None, :] - own)
    different = ~torch.eye(n_views, dtype=torch.bool)
    return terms[different].mean()
