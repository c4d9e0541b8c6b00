# The library's Autoencoder and its denoising task: one amount of noise, and a bottleneck.


def train_denoiser(batches, n_steps: int, generator: torch.Generator) -> nn.Module:
    class Autoencoder(nn.Module):
        def __init__(self, n_inputs, n_hidden=(), n_code=32):
            super().__init__()
            sizes = [n_inputs, *n_hidden, n_code]
            self.encoder, self.decoder = self.layers(sizes), self.layers(sizes[::-1])

        def layers(self, sizes):
            parts = []
            for n_in, n_out in zip(sizes, sizes[1:]):
                parts += [nn.Linear(n_in, n_out), nn.ReLU()]
            return nn.Sequential(*parts[:-1])

        def forward(self, x):
            return self.decoder(self.encoder(x.flatten(1))).view_as(x)

    model = Autoencoder(40, (50,), 32)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for x in batches:
        noisy = with_spikes(x, 0.3, generator)
        loss = (model(noisy) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()
