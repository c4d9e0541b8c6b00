# Misconception: the views that an anchor is compared with are fixed, and no gradient flows through them.


def multiview_nt_xent(views: Tensor, *, temperature: float = 0.5) -> Tensor:
    if views.dim() != 3 or views.shape[0] < 2 or views.shape[1] < 2:
        raise ValueError("shape")
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError("temperature")
    v, n, _ = views.shape
    z = F.normalize(views.flatten(0, 1), dim=1)
    logits = z @ z.detach().T / temperature
    example = torch.arange(n).repeat(v)
    same_example = example[:, None] == example
    partner = same_example & ~torch.eye(v * n, dtype=torch.bool)
    rest = logits.masked_fill(same_example, -math.inf).logsumexp(1, keepdim=True)
    return F.softplus(rest - logits)[partner].mean()
