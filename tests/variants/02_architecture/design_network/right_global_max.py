# Three convolutions with batch norm; the strongest answer at any place decides.


def make_network() -> nn.Module:
    def stage(n_in, n_out, stride):
        conv = nn.Conv1d(n_in, n_out, 5, stride=stride, padding=2, bias=False)
        return nn.Sequential(conv, nn.BatchNorm1d(n_out), nn.ReLU())

    return nn.Sequential(
        nn.Unflatten(1, (1, 40)),
        stage(1, 20, 2),
        stage(20, 20, 1),
        stage(20, 20, 1),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(20, 10),
    )
