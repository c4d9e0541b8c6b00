# Counts and joined counts in two sorted queues, depths by parents, words by fractions.


def huffman(message, n_symbols, lengths=None):
    for symbol in message:
        if symbol < 0 or symbol >= n_symbols:
            raise ValueError("a symbol out of range")
    if lengths is None:
        leaves = sorted((message.count(s), s) for s in set(message))
        weights, parent = [count for count, _ in leaves], {}
        first, second, k = 0, len(leaves), len(leaves)
        while len(weights) < 2 * k - 1:
            picked = []
            for _ in range(2):
                if first < k and (second >= len(weights) or weights[first] <= weights[second]):
                    picked.append(first)
                    first += 1
                else:
                    picked.append(second)
                    second += 1
            for node in picked:
                parent[node] = len(weights)
            weights.append(weights[picked[0]] + weights[picked[1]])
        lengths = [0] * n_symbols
        for node, (_, symbol) in enumerate(leaves):
            depth, at = 0, node
            while at in parent:
                depth, at = depth + 1, parent[at]
            lengths[symbol] = max(depth, 1)
    if len(lengths) != n_symbols or any(n < 0 for n in lengths):
        raise ValueError("lengths")
    longest = max(lengths, default=0)
    if sum(1 << (longest - n) for n in lengths if n > 0) > 1 << longest:
        raise ValueError("Kraft")
    top, words = 1 << longest, {}
    for n, symbol in sorted((n, s) for s, n in enumerate(lengths) if n > 0):
        top -= 1 << (longest - n)
        words[symbol] = bin((1 << n) + (top >> (longest - n)))[3:]
    bits = ""
    for symbol in message:
        if symbol not in words:
            raise ValueError("no word")
        bits += words[symbol]
    return list(lengths), bits
