# An MLP of the allowed size: it has to learn every hump at every place.


def make_network() -> nn.Module:
    return nn.Sequential(
        nn.Linear(40, 50),
        nn.BatchNorm1d(50),
        nn.ReLU(),
        nn.Linear(50, 50),
        nn.ReLU(),
        nn.Linear(50, 10),
    )
