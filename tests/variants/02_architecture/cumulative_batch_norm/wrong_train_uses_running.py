# Training mode normalizes with the running statistics, updated first.


class CumulativeBatchNorm(nn.Module):
    def __init__(self, n_channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("running_mean", torch.zeros(n_channels))
        self.register_buffer("running_var", torch.ones(n_channels))
        self.register_buffer("n_seen", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(dim=(0, 2)), x.var(dim=(0, 2), unbiased=False)
            self.n_seen += len(x) * x.shape[2]
            share = len(x) * x.shape[2] / self.n_seen
            self.running_mean += share * (mean.detach() - self.running_mean)
            self.running_var += share * (var.detach() - self.running_var)
        mean, var = self.running_mean.clone(), self.running_var.clone()
        scale = self.weight / torch.sqrt(var + self.eps)
        return (x - mean[:, None]) * scale[:, None] + self.bias[:, None]
