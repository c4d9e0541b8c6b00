# One row after the other in Python numbers; the bracket grows both ways and is halved on a log scale.


def row_precisions(squared_distances, bits):

    d, bits = squared_distances.double(), torch.as_tensor(bits, dtype=torch.float64)
    if d.dim() != 2 or d.isnan().any() or (d < 0).any():
        raise ValueError("squared_distances")
    if bits.dim() > 1 or (bits.dim() == 1 and len(bits) != len(d)):
        raise ValueError("bits")
    bits = bits.expand(len(d))

    rows, found = [], []
    for row, wanted in zip(d.tolist(), bits.tolist()):
        counted = [v for v in row if v < math.inf]
        if not counted:
            raise ValueError("nothing counts")
        near = min(counted)
        if not math.log2(counted.count(near)) < wanted < math.log2(len(counted)):
            raise ValueError("out of reach")

        def at(beta):
            w = [2.0 ** max(-2000.0, -beta * (v - near)) if v < math.inf else 0.0 for v in row]
            return [v / sum(w) for v in w]

        def entropy(beta):
            return -sum(v * math.log2(v) for v in at(beta) if v > 0)

        low = high = 1.0
        while entropy(low) < wanted:
            low /= 4
        while entropy(high) > wanted:
            high *= 4
        for _ in range(80):
            middle = math.sqrt(low * high)
            if entropy(middle) > wanted:
                low = middle
            else:
                high = middle
        rows.append(at(low))
        found.append(low)
    return torch.tensor(rows, dtype=torch.float64), torch.tensor(found, dtype=torch.float64)
