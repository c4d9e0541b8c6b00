# Written from the text alone: a generator of costs, counted by a list of labels seen.


def block_code(
    labels: Tensor, n_classes: int, ends: list[int], nats: Tensor
) -> list[float]:
    previous = 0
    for end in ends:
        if end <= previous:
            raise ValueError("ends must increase")
        previous = end
    if previous != len(labels):
        raise ValueError("the last end is the number of labels")
    seen, result = [], []
    lead = 0.0  # bits by which the network was shorter so far
    for number, end in enumerate(ends):
        counting = network = 0.0
        for t in range(len(seen), end):
            label = int(labels[t])
            if label not in range(n_classes):
                raise ValueError(f"label {label}")
            probability = (seen.count(label) + 0.5) / (len(seen) + n_classes / 2)
            counting += math.log2(1 / probability)
            network += float(nats[t]) * math.log2(math.e)
            seen.append(label)
        if number == 0:
            result.append(len(seen) * math.log2(n_classes))
        else:
            result.append(network if lead > 0 else counting)
            lead += counting - network
    return result
