# Momentum on weights that make up for how often each digit was seen so far, and a last layer that starts at zero.


def train_net(batches, n_steps: int, generator: torch.Generator) -> list[Tensor]:
    def forward(x):
        z = x @ w1 + b1
        h = torch.maximum(z, 0.1 * z).clamp(max=6.0)
        return z, h, h @ w2 + b2

    w1 = torch.empty(40, 150).normal_(0, 0.2, generator=generator)
    b1, w2, b2 = torch.zeros(150), torch.zeros(150, 10), torch.zeros(10)
    velocity = [torch.zeros_like(p) for p in (w1, b1, w2, b2)]
    seen = torch.ones(10)
    for t, (x, labels) in enumerate(batches):
        seen += torch.bincount(labels, minlength=10)
        weight = (seen.sum() / (10 * seen))[labels] / len(labels)
        z, h, logits = forward(x)
        delta = logits.softmax(1)
        delta[torch.arange(len(labels)), labels] -= 1
        delta = delta * weight[:, None]
        delta_z = (delta @ w2.T) * ((z > 0) + 0.1 * (z <= 0)) * (z < 6)
        gradients = [x.T @ delta_z, delta_z.sum(0), h.T @ delta, delta.sum(0)]
        for p, g, v in zip((w1, b1, w2, b2), gradients, velocity):
            v.mul_(0.9).add_(g)
            p -= 0.012 * (1 - t / n_steps) * v
    return [w1, b1, w2, b2]
