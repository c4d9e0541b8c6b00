# Masks the result of a softmax over all classes, and does not normalize again.


def allowed_log_softmax(
    logits: Tensor, allowed: Tensor, dim: int = -1, temperature: float = 1.0
) -> Tensor:
    allowed = allowed.expand(logits.shape)
    if not temperature > 0:
        raise ValueError(f"a temperature is above zero, got {temperature}")
    if not allowed.any(dim=dim).all():
        raise ValueError("a slice has no allowed class")
    z = logits
    z = (z - z.amax(dim=dim, keepdim=True)) / temperature
    log_p = z - z.exp().sum(dim=dim, keepdim=True).log()
    return torch.where(allowed, log_p, -math.inf)
