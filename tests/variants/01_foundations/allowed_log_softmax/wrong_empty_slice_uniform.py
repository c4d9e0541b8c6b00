# A slice without an allowed class gets equal probabilities instead of an error.


def allowed_log_softmax(
    logits: Tensor, allowed: Tensor, dim: int = -1, temperature: float = 1.0
) -> Tensor:
    allowed = allowed.expand(logits.shape)
    if not temperature > 0:
        raise ValueError(f"a temperature is above zero, got {temperature}")
    allowed = allowed | ~allowed.any(dim=dim, keepdim=True)
    z = torch.where(allowed, logits, -math.inf)
    z = (z - z.amax(dim=dim, keepdim=True)) / temperature
    return z - z.exp().sum(dim=dim, keepdim=True).log()
