# Adds to a total only what was paid in that code.


def block_code(
    labels: Tensor, n_classes: int, ends: list[int], nats: Tensor
) -> list[float]:
    if list(ends) != sorted({0, *ends})[1:] or ends[-1] != len(labels):
        raise ValueError(f"blocks end at {ends}, expected 1 <= ... < {len(labels)}")
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"a label is not in 0 ... {n_classes - 1}")
    counts, counting = [0.5] * n_classes, []
    for label in labels.tolist():
        counting.append(-math.log2(counts[label] / sum(counts)))
        counts[label] += 1
    network = (nats.double() / math.log(2)).tolist()
    bits, by_counting, by_network = [ends[0] * math.log2(n_classes)], 0.0, 0.0
    for start, end in zip(ends, ends[1:]):
        one, other = sum(counting[start:end]), sum(network[start:end])
        bits.append(other if by_network < by_counting else one)
        by_counting += one if by_counting <= by_network else 0.0
        by_network += other
    return bits
