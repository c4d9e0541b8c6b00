# The library's cnn1d with batch norm: above the allowed size.


def cnn1d(n_channels=25, *, batch_norm=False, n_points=40, n_classes=10):
    layers = [nn.Unflatten(1, (1, n_points))]
    n_in, length = 1, n_points
    for stride in (2, 1, 2):
        bias = not batch_norm
        layers.append(nn.Conv1d(n_in, n_channels, 5, stride, padding=2, bias=bias))
        if batch_norm:
            layers.append(nn.BatchNorm1d(n_channels))
        layers.append(nn.ReLU())
        n_in, length = n_channels, (length - 1) // stride + 1
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(n_channels * length, n_classes)
    )


def make_network() -> nn.Module:
    return cnn1d(batch_norm=True)
