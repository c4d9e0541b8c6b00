# The library's BatchNorm, with a counter of the values added.


class CumulativeBatchNorm(nn.Module):
    def __init__(
        self, n_channels: int, eps: float = 1e-5, momentum: float = 0.1
    ) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("running_mean", torch.zeros(n_channels))
        self.register_buffer("running_var", torch.ones(n_channels))
        self.register_buffer("n_seen", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        over = [d for d in range(x.ndim) if d != 1]
        as_channels = (-1,) + (1,) * (x.ndim - 2)
        if self.training:
            n = x.numel() // x.shape[1]
            mean, var = x.mean(over), x.var(over, unbiased=False)
            with torch.no_grad():
                self.n_seen += n
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(var * n / (n - 1), self.momentum)
        else:
            mean, var = self.running_mean, self.running_var
        scale = self.weight / torch.sqrt(var + self.eps)
        y = (x - mean.view(as_channels)) * scale.view(as_channels)
        return y + self.bias.view(as_channels)
