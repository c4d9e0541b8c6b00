# Sets forbidden logits to a large negative number, which is not always negligible.


def allowed_log_softmax(
    logits: Tensor, allowed: Tensor, dim: int = -1, temperature: float = 1.0
) -> Tensor:
    allowed = allowed.expand(logits.shape)
    if not temperature > 0:
        raise ValueError(f"a temperature is above zero, got {temperature}")
    if not allowed.any(dim=dim).all():
        raise ValueError("a slice has no allowed class")
    z = torch.where(allowed, logits, -5000.0)
    z = (z - z.amax(dim=dim, keepdim=True)) / temperature
    return z - z.exp().sum(dim=dim, keepdim=True).log()
