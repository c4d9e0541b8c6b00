# Multiplies the exponentials by the mask, where infinity times zero is NaN.


def allowed_log_softmax(
    logits: Tensor, allowed: Tensor, dim: int = -1, temperature: float = 1.0
) -> Tensor:
    allowed = allowed.expand(logits.shape)
    if not temperature > 0:
        raise ValueError(f"a temperature is above zero, got {temperature}")
    if not allowed.any(dim=dim).all():
        raise ValueError("a slice has no allowed class")
    z = torch.where(allowed, logits, -math.inf)
    top = z.amax(dim=dim, keepdim=True)
    weight = ((logits - top) / temperature).exp() * allowed
    weight = weight.clamp(min=torch.finfo(logits.dtype).tiny) * allowed
    shifted = torch.where(allowed, (logits - top) / temperature, -math.inf)
    return shifted - weight.sum(dim=dim, keepdim=True).log()
