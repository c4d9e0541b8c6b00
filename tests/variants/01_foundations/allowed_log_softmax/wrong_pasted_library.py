# The logarithm of the library's softmax over masked logits, which knows no temperature.


def log_sum_exp(x, dim=-1, keepdim=False):
    largest = x.amax(dim, keepdim=True)
    largest = torch.where(largest.isfinite(), largest, 0.0)
    result = (x - largest).exp().sum(dim, keepdim=True).log() + largest
    if keepdim:
        return result
    return result.reshape(largest.squeeze(dim).shape)


def allowed_log_softmax(
    logits: Tensor, allowed: Tensor, dim: int = -1, temperature: float = 1.0
) -> Tensor:
    if not temperature > 0 or not allowed.expand(logits.shape).any(dim).all():
        raise ValueError("bad temperature or an empty slice")
    z = torch.where(allowed, logits, -torch.inf)
    return z - log_sum_exp(z, dim, keepdim=True)
