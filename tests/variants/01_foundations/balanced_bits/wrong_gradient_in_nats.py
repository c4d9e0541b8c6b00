# The loss is in bits, its gradient in nats.


def balanced_bits(
    logits: Tensor, labels: Tensor, smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    n_classes = logits.shape[1]
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"a label is not in 0 ... {n_classes - 1}")
    one_hot = (labels[:, None] == torch.arange(n_classes)).to(logits.dtype)
    other = smoothing / (n_classes - 1)
    target = other + (1 - smoothing - other) * one_hot
    counts = one_hot.sum(dim=0)
    n_present = (counts > 0).sum()
    weight = 1 / (counts[labels] * n_present * math.log(2))[:, None]  # bits, (N, 1)
    z = logits - logits.amax(dim=1, keepdim=True)
    log_p = z - z.exp().sum(dim=1, keepdim=True).log()
    loss = -(weight * target * log_p).sum()
    return loss, weight * math.log(2) * (log_p.exp() - target)
