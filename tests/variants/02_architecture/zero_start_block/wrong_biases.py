# The convolutions keep their biases.


class ZeroStartBlock(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(n_in, n_out, 3, stride, padding=1)
        self.norm1 = nn.BatchNorm1d(n_out)
        self.conv2 = nn.Conv1d(n_out, n_out, 3, padding=1)
        self.norm2 = nn.BatchNorm1d(n_out)
        nn.init.zeros_(self.norm2.weight)
        self.shortcut = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Conv1d(n_in, n_out, 1, stride, bias=False)
            nn.init.dirac_(self.shortcut.weight)

    def forward(self, x: Tensor) -> Tensor:
        body = self.conv2(torch.relu(self.norm1(self.conv1(x))))
        return self.shortcut(x) + self.norm2(body)
