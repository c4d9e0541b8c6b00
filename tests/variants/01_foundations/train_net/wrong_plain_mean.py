# Every example counts the same, so the rare digits are expected to be rare.


def train_net(batches, n_steps: int, generator: torch.Generator) -> list[Tensor]:
    w1 = torch.randn(40, 100, generator=generator) * math.sqrt(2 / 40)
    w2 = torch.randn(100, 10, generator=generator) * 0.1 * math.sqrt(2 / 100)
    parameters = [w1, torch.zeros(100), w2, torch.zeros(10)]
    means, squares = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    for t, (x, labels) in enumerate(batches, start=1):
        z = x @ w1 + parameters[1]
        h = torch.where(z > 0, z.clamp(max=6.0), 0.1 * z)
        delta = torch.softmax(h @ w2 + parameters[3], dim=1)
        delta -= F.one_hot(labels, 10)
        counts = torch.bincount(labels, minlength=10)
        delta /= len(labels)
        delta_z = delta @ w2.T * torch.where(z < 0, 0.1, 1.0) * (z < 6)
        gradients = [x.T @ delta_z, delta_z.sum(0), h.T @ delta, delta.sum(0)]
        lr = 0.003 * (1 - (t - 1) / n_steps)
        for p, g, mean, square in zip(parameters, gradients, means, squares):
            mean.mul_(0.9).add_(0.1 * g)
            square.mul_(0.999).add_(0.001 * g**2)
            scale = (square / (1 - 0.999**t)).sqrt() + 1e-8
            p -= lr * mean / (1 - 0.9**t) / scale
    return parameters
