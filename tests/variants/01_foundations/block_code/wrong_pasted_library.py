# The library's prequential code: uniform first, then the network for every block.


def uniform_bits(n, n_classes):
    return n * math.log2(n_classes)


def block_code(
    labels: Tensor, n_classes: int, ends: list[int], nats: Tensor
) -> list[float]:
    if (
        not ends
        or ends[0] < 1
        or list(ends) != sorted(set(ends))
        or ends[-1] != len(labels)
    ):
        raise ValueError(f"blocks must be increasing end indices, got {ends}")
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError("a label is out of range")
    bits = [uniform_bits(ends[0], n_classes)]
    for start, end in zip(ends, ends[1:]):
        bits.append((nats[start:end].double() / math.log(2)).sum().item())
    return bits
