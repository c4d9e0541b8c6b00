# Lets autograd compute the gradients.


def train_net(batches, n_steps: int, generator: torch.Generator) -> list[Tensor]:
    w1 = torch.randn(40, 100, generator=generator) * math.sqrt(2 / 40)
    w2 = torch.randn(100, 10, generator=generator) * 0.1 * math.sqrt(2 / 100)
    parameters = [w1, torch.zeros(100), w2, torch.zeros(10)]
    parameters = [p.requires_grad_() for p in parameters]
    optimizer = torch.optim.Adam(parameters, lr=0.003)
    for t, (x, labels) in enumerate(batches):
        counts = torch.bincount(labels, minlength=10)
        weight = 1 / (counts[labels] * (counts > 0).sum())
        losses = F.cross_entropy(net_logits(parameters, x), labels, reduction="none")
        optimizer.zero_grad()
        (weight * losses).sum().backward()
        optimizer.param_groups[0]["lr"] = 0.003 * (1 - t / n_steps)
        optimizer.step()
    return [p.detach() for p in parameters]
