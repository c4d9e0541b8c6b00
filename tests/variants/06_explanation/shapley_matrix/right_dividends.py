# What each coalition adds (Moebius), dealt out to its members and pairs.


def shapley_matrix(values):

    n = len(values) if values.ndim == 1 else 0
    if n not in [2**d for d in range(2, 11)]:
        raise ValueError("values")
    if values.isnan().any() or values.isinf().any():
        raise ValueError("values")
    d = n.bit_length() - 1

    cube = values.double().reshape([2] * d)  # the last axis is feature 0
    for axis in range(d):
        first, second = cube.unbind(axis)
        cube = torch.stack([first, second - first], axis)
    added = cube.flatten()
    is_in = (torch.arange(n)[:, None] >> torch.arange(d) & 1).double()
    size = is_in.sum(1)
    phi = is_in.T @ (added / size.clamp(min=1))
    pairs = is_in.T @ ((added * (size > 1) / (size - 1).clamp(min=1))[:, None] * is_in) / 2
    pairs.fill_diagonal_(0)
    return pairs + (phi - pairs.sum(1)).diag()
