# A strided convolution, then two residual blocks with pooling between them.


def make_network() -> nn.Module:
    class Block(nn.Module):
        def __init__(self, n_channels):
            super().__init__()
            self.first = nn.Conv1d(n_channels, n_channels, 3, padding=1, bias=False)
            self.second = nn.Conv1d(n_channels, n_channels, 3, padding=1, bias=False)
            self.norms = nn.ModuleList(nn.BatchNorm1d(n_channels) for _ in range(2))

        def forward(self, x):
            y = torch.relu(self.norms[0](self.first(x)))
            return x + self.norms[1](self.second(y))

    class Network(nn.Module):
        def __init__(self, n_channels=16):
            super().__init__()
            self.stem = nn.Conv1d(1, n_channels, 5, stride=2, padding=2, bias=False)
            self.norm = nn.BatchNorm1d(n_channels)
            self.blocks = nn.ModuleList([Block(n_channels), Block(n_channels)])
            self.head = nn.Linear(n_channels * 10, 10)

        def forward(self, x):
            x = torch.relu(self.norm(self.stem(x.unsqueeze(1))))  # (N, C, 20)
            x = F.max_pool1d(self.blocks[0](x), 2)  # (N, C, 10)
            return self.head(torch.relu(self.blocks[1](x)).flatten(1))

    return Network()
