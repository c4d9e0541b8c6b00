# Sees the series and its medians, and says for each point how far to trust it; no batch norm.


def train_denoiser(batches, n_steps: int, generator: torch.Generator) -> nn.Module:
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv1d(3, 16, 5, padding=2),
                nn.ReLU(),
                nn.Conv1d(16, 16, 5, padding=2),
                nn.ReLU(),
                nn.Conv1d(16, 16, 5, padding=2),
                nn.ReLU(),
                nn.Conv1d(16, 16, 5, padding=2),
                nn.ReLU(),
                nn.Conv1d(16, 2, 5, padding=2),
            )

        def forward(self, series):
            smooth = median_filter(series, 5)
            features = [series, series - median_filter(series, 3), series - smooth]
            trust, change = self.body(torch.stack(features, 1)).unbind(1)
            return smooth + change + trust.sigmoid() * (series - smooth - change)

    network = Gated()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for step, clean in enumerate(batches):
        done = step / max(n_steps, 1)
        for group in optimizer.param_groups:
            group["lr"] = 6e-3 * min(1.0, (step + 1) / 50) * max(1 - done, 0.01)
        share = 0.5 * torch.rand(len(clean), 1, generator=generator)
        share[:3] = 0.0
        output = network(with_spikes(clean, share, generator))
        loss = (output - clean).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()
