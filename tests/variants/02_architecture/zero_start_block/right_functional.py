# Holds the layers as containers of numbers and calls the functions of torch.nn.functional.


class ZeroStartBlock(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv1d(n_in, n_out, 3, bias=False)
        self.norm1 = nn.BatchNorm1d(n_out)
        self.conv2 = nn.Conv1d(n_out, n_out, 3, bias=False)
        self.norm2 = nn.BatchNorm1d(n_out)
        self.norm2.weight.data *= 0
        if n_in != n_out or stride > 1:
            self.shortcut = nn.Conv1d(n_in, n_out, 1, bias=False)
            rows, columns = torch.arange(n_out)[:, None], torch.arange(n_in)
            self.shortcut.weight.data = (rows == columns).float()[:, :, None]

    def forward(self, x: Tensor) -> Tensor:
        y = F.conv1d(x, self.conv1.weight, stride=self.stride, padding=1)
        y = F.conv1d(F.relu(self.norm1(y)), self.conv2.weight, padding=1)
        y = self.norm2(y)
        if hasattr(self, "shortcut"):
            x = F.conv1d(x, self.shortcut.weight, stride=self.stride)
        return y + x
