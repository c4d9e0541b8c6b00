# Cumulative one-hot counts and cumulative sums of both codes, compared at the ends of blocks.


def block_code(
    labels: Tensor, n_classes: int, ends: list[int], nats: Tensor
) -> list[float]:
    at = torch.tensor(ends)
    if at[0] < 1 or (at.diff() <= 0).any() or at[-1] != len(labels):
        raise ValueError("bad ends")
    if not bool(torch.isin(labels, torch.arange(n_classes)).all()):
        raise ValueError("bad label")
    one_hot = F.one_hot(labels, n_classes).double()
    before = one_hot.cumsum(0) - one_hot
    n = torch.arange(len(labels), dtype=torch.float64)
    probability = ((before + 0.5) * one_hot).sum(1) / (n + n_classes / 2)
    codes = torch.stack([-probability.log2(), nats.double() / math.log(2)])
    codes[:, : ends[0]] = 0
    paid = codes.cumsum(1)[:, at - 1]  # (2, blocks), from the second block on
    bits = [ends[0] * math.log2(n_classes)]
    for i in range(1, len(ends)):
        choice = int(paid[1, i - 1] < paid[0, i - 1])
        bits.append(codes[choice, ends[i - 1] : ends[i]].sum().item())
    return bits
