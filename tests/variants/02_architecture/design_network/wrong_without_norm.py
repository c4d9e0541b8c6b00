# The right belief without batch norm: between the two bars.


def make_network() -> nn.Module:
    n_channels = 16
    layers, n_in = [nn.Unflatten(1, (1, 40))], 1  # (N, 40) -> (N, 1, 40)
    for stride in (2, 1, 2):  # 40 points -> 20, 20, 10 places
        layers += [
            nn.Conv1d(n_in, n_channels, 5, stride, padding=2),
            nn.ReLU(),
        ]
        n_in = n_channels
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(10 * n_channels, 10))
