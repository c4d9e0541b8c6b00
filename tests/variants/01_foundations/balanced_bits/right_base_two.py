# Works in base two throughout: exp2 and log2 of rescaled logits, counts with bincount.


def balanced_bits(
    logits: Tensor, labels: Tensor, smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    n, n_classes = logits.shape
    if bool(((labels < 0) | (labels > n_classes - 1)).any()):
        raise ValueError("label out of range")
    z = (logits - logits.max(1, keepdim=True).values) * math.log2(math.e)
    bits = torch.log2(torch.exp2(z).sum(1, keepdim=True)) - z  # -log2 p
    counts = torch.bincount(labels, minlength=n_classes).to(logits.dtype)
    w = 1 / (counts[labels] * torch.count_nonzero(counts))
    rest = smoothing / (n_classes - 1)
    own = bits.gather(1, labels[:, None]).squeeze(1)
    each = (1 - smoothing - rest) * own + rest * bits.sum(1)
    gradient = torch.exp2(-bits) - rest
    gradient[torch.arange(n), labels] -= 1 - smoothing - rest
    return w @ each, gradient * w[:, None] * math.log2(math.e)
