# Works on a (C, N * L) table of values and interpolates the buffers.


class CumulativeBatchNorm(nn.Module):
    def __init__(self, n_channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("running_mean", torch.zeros(n_channels))
        self.register_buffer("running_var", torch.ones(n_channels))
        self.register_buffer("n_seen", torch.tensor(0, dtype=torch.long))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        n, n_channels, n_points = x.shape
        table = x.transpose(0, 1).reshape(n_channels, n * n_points)
        if self.training:
            mean = table.mean(1)
            centred = table - mean[:, None]
            var = (centred**2).mean(1)
            with torch.no_grad():
                self.n_seen.add_(n * n_points)
                share = n * n_points / self.n_seen.item()
                self.running_mean.lerp_(mean, share)
                self.running_var.lerp_(var, share)
        else:
            centred = table - self.running_mean[:, None]
            var = self.running_var
        table = centred * (var + self.eps).rsqrt()[:, None]
        table = torch.addcmul(self.bias[:, None], self.weight[:, None], table)
        return table.reshape(n_channels, n, n_points).transpose(0, 1)
