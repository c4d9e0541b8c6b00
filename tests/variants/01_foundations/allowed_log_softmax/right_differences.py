# Probability as one over the sum of exp of differences, by pairs of classes.


def allowed_log_softmax(
    logits: Tensor, allowed: Tensor, dim: int = -1, temperature: float = 1.0
) -> Tensor:

    mask = allowed.expand(logits.shape).movedim(dim, -1)
    if not temperature > 0 or not mask.any(-1).all():
        raise ValueError("bad temperature or an empty slice")
    z = torch.where(mask, logits.movedim(dim, -1), -torch.inf)
    top = z.amax(-1, keepdim=True)
    ratio = torch.exp((z - top) / temperature)
    share = torch.einsum("...k,...k->...", ratio, torch.ones_like(ratio))
    return ((z - top) / temperature - torch.log(share)[..., None]).movedim(-1, dim)
