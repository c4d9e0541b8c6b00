# The convolutions do not learn; only the last layer does.


def make_network() -> nn.Module:
    n_channels = 16
    layers, n_in = [nn.Unflatten(1, (1, 40))], 1  # (N, 40) -> (N, 1, 40)
    for stride in (2, 1, 2):  # 40 points -> 20, 20, 10 places
        layers += [
            nn.Conv1d(n_in, n_channels, 5, stride, padding=2, bias=False),
            nn.BatchNorm1d(n_channels),
            nn.ReLU(),
        ]
        n_in = n_channels
    features = nn.Sequential(*layers).requires_grad_(False)
    return nn.Sequential(features, nn.Flatten(), nn.Linear(10 * n_channels, 10))
