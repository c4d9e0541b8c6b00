# Adds a small number to the probability before the logarithm, which cuts rare classes off.


def allowed_log_softmax(
    logits: Tensor, allowed: Tensor, dim: int = -1, temperature: float = 1.0
) -> Tensor:
    allowed = allowed.expand(logits.shape)
    if not temperature > 0:
        raise ValueError(f"a temperature is above zero, got {temperature}")
    if not allowed.any(dim=dim).all():
        raise ValueError("a slice has no allowed class")
    z = torch.where(allowed, logits, -math.inf)
    z = (z - z.amax(dim=dim, keepdim=True)) / temperature
    p = z.exp() / z.exp().sum(dim=dim, keepdim=True)
    return torch.where(allowed, (p + 1e-12).log(), -math.inf)
