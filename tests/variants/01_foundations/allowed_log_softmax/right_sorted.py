# Sorts each slice, takes the first as the largest, and undoes the order with scatter.


def allowed_log_softmax(
    logits: Tensor, allowed: Tensor, dim: int = -1, temperature: float = 1.0
) -> Tensor:

    mask = torch.broadcast_to(allowed, logits.shape)
    if temperature <= 0 or (mask.sum(dim) == 0).any():
        raise ValueError("no temperature, or no class")
    inside = logits.masked_fill(~mask, -torch.inf)
    ordered, order = inside.sort(dim=dim, descending=True)
    behind = (ordered - ordered.narrow(dim, 0, 1)) / temperature
    total = behind.exp().sum(dim, keepdim=True)
    return torch.zeros_like(logits).scatter(dim, order, behind - total.log())
