# Misconception: Words are given out in the order of the counts.


def huffman(message, n_symbols, lengths=None):
    if not set(message) <= set(range(n_symbols)):
        raise ValueError("symbols")
    if lengths is None:
        lengths = [0] * n_symbols
        groups = [(message.count(s), s, [s]) for s in sorted(set(message))]
        if len(groups) == 1:
            lengths[message[0]] = 1
        heapq.heapify(groups)
        while len(groups) > 1:
            a, b = heapq.heappop(groups), heapq.heappop(groups)
            for symbol in a[2] + b[2]:
                lengths[symbol] += 1
            heapq.heappush(groups, (a[0] + b[0], b[1], a[2] + b[2]))
    if len(lengths) != n_symbols or min(lengths, default=0) < 0:
        raise ValueError("lengths")
    if sum(2.0**-n for n in lengths if n) > 1:
        raise ValueError("Kraft")
    if any(lengths[s] == 0 for s in message):
        raise ValueError("no word")
    words, number, last = {}, 1, 0
    for length, symbol in sorted(
        ((n, s) for s, n in enumerate(lengths) if n),
        key=lambda p: (p[0], -message.count(p[1]), p[1]),
    ):
        number = (number << (length - last)) - 1
        words[symbol] = format(number, f"0{length}b")
        last = length
    return list(lengths), "".join(words[symbol] for symbol in message)
