# Written from the text alone: one slice after the other, only the allowed logits of each.


def allowed_log_softmax(
    logits: Tensor, allowed: Tensor, dim: int = -1, temperature: float = 1.0
) -> Tensor:

    if temperature <= 0:
        raise ValueError("temperature must be positive")
    keep = allowed.expand_as(logits).movedim(dim, -1)
    moved = logits.movedim(dim, -1)
    rows = moved.reshape(-1, moved.shape[-1])
    result = torch.full_like(rows, -torch.inf)
    for i, mask in enumerate(keep.reshape(rows.shape)):
        if not mask.any():
            raise ValueError(f"slice {i} allows no class")
        some = rows[i][mask]
        some = (some - some.max()) / temperature
        result[i][mask] = some - torch.log(torch.exp(some).sum())
    return result.reshape(moved.shape).movedim(-1, dim)
