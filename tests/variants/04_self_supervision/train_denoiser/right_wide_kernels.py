# Two wide convolutions and a pointwise one, spikes from 0 to 0.6, AdamW with one cycle.


def train_denoiser(batches, n_steps: int, generator: torch.Generator) -> nn.Module:
    class Healer(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv1d(1, 20, 9, padding=4)
            self.second = nn.Conv1d(20, 20, 7, padding=3)
            self.third = nn.Conv1d(20, 20, 1)
            self.out = nn.Conv1d(20, 1, 5, padding=2)
            self.norms = nn.ModuleList(nn.BatchNorm1d(20) for _ in range(3))

        def forward(self, x):
            h = x.unsqueeze(1)
            for layer, norm in zip((self.first, self.second, self.third), self.norms):
                h = F.relu(norm(layer(h)))
            return x + self.out(h).squeeze(1)

    model = Healer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=n_steps + 1)
    for x in batches:
        share = torch.rand(len(x), 1, generator=generator) * 0.6
        loss = (model(with_spikes(x, share, generator)) - x).pow(2).mean()
        model.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    return model
